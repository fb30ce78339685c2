//! Imports of undamaged relays.

use std::{fs, process::Command};

use smp_crypto::base64url;
use smp_protocol::id::RecipientId;
use smp_server::{
    config::DatabaseUrl,
    import::{ImportError, Options},
    store::{
        Day, Maintenance as _, Messages as _, PostgresConfig, PostgresStore, QueueId, QueueStatus,
        Queues as _, SqliteConfig, SqliteStore,
    },
};

use crate::support::{Copy, SAMPLES, expected_messages};

#[tokio::test]
async fn address_queues_and_messages_are_the_same() {
    for sample in SAMPLES {
        let copy = Copy::of(sample);
        let report = copy.import(|_| ()).await.unwrap();
        let queues = copy.queues();
        assert_eq!(report.address.to_string(), copy.old_address());
        assert_eq!(report.stored.queues as usize, queues.iter().filter(|queue| !queue.deleted).count());
        assert_eq!(report.stored.messages as usize, expected_messages(&queues));
        assert_eq!(report.read.messages, report.stored.messages);
        assert_eq!((report.read.ignored_records, report.read.orphans, report.damaged.count()), (0, 0, 0));
        // Where the old web site's files were.
        assert!(report.notes.iter().all(|note| note.contains("[WEB]")), "{:?}", report.notes);
        assert!(report.has_authority_key);
        let relay = copy.start().await;
        assert_eq!(relay.address().fingerprint, report.address.fingerprint);
        relay.shutdown().await.unwrap();
        println!(
            "{sample}: {} queues, {} messages, {} records",
            report.stored.queues, report.stored.messages, report.read.records
        );
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_new_relay_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let copy = Copy::of("memory");
    copy.import(|_| ()).await.unwrap();
    let new = copy.options().dir;
    for (path, mode) in [
        ("", 0o700),
        ("identity", 0o700),
        ("data", 0o700),
        ("smp-server.toml", 0o600),
        ("identity/server.key", 0o600),
        ("identity/ca.key", 0o600),
        ("data/smp-server.sqlite", 0o600),
    ] {
        let found = fs::metadata(new.join(path)).unwrap().permissions().mode() & 0o777;
        assert_eq!(found, mode, "{path}");
    }
}

#[tokio::test]
async fn a_dry_run_leaves_nothing_and_says_the_same() {
    for sample in SAMPLES {
        let copy = Copy::of(sample);
        let dry = copy.import(|options| options.dry_run = true).await.unwrap();
        assert_eq!(copy.names(), ["old"]);
        let report = copy.import(|_| ()).await.unwrap();
        assert_eq!((dry.address, dry.stored, dry.read), (report.address, report.stored, report.read));
        assert_eq!(copy.names(), ["new", "old"]);
    }
}

#[tokio::test]
async fn nothing_is_overwritten() {
    let copy = Copy::of("memory");
    let new = copy.options().dir;
    fs::create_dir(&new).unwrap();
    fs::write(new.join("precious"), "x").unwrap();
    let error = copy.import(|_| ()).await.unwrap_err();
    assert!(matches!(error, ImportError::Exists(_)), "{error}");
    assert_eq!(fs::read_to_string(new.join("precious")).unwrap(), "x");

    fs::remove_file(new.join("precious")).unwrap();
    let unfinished = copy.dir.path().join("new.importing");
    fs::create_dir(&unfinished).unwrap();
    let error = copy.import(|_| ()).await.unwrap_err();
    assert!(matches!(error, ImportError::Unfinished(_)), "{error}");
    fs::remove_dir(&unfinished).unwrap();

    // An empty directory is no obstacle.
    copy.import(|_| ()).await.unwrap();
    let error = copy.import(|_| ()).await.unwrap_err();
    assert!(matches!(error, ImportError::Exists(_)), "{error}");
}

#[tokio::test]
async fn the_offline_key_may_be_elsewhere() {
    let copy = Copy::of("journal");
    fs::remove_file(copy.old("etc/ca.key")).unwrap();
    fs::remove_file(copy.old("etc/fingerprint")).unwrap();
    let report = copy.import(|_| ()).await.unwrap();
    assert!(!report.has_authority_key);
    assert_eq!(report.address.to_string(), copy.old_address());
}

#[tokio::test]
async fn settings_are_kept() {
    let copy = Copy::of("memory");
    let path = copy.old("etc/smp-server.ini");
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("new_queues = on", "new_queues = off\ncreate_password = s3cret");
    fs::write(&path, text.replace("port = 15301", "port = 15301,443")).unwrap();
    let report = copy.import(|_| ()).await.unwrap();
    assert!(report.address.to_string().contains(":s3cret@127.0.0.1:15301"));
    let new = fs::read_to_string(copy.options().dir.join("smp-server.toml")).unwrap();
    for line in ["new_queues = false", "create_password = \"s3cret\"", "idle_timeout = \"21600s\""] {
        assert!(new.contains(&format!("\n{line}\n")), "{line}");
    }
    assert!(new.contains(r#"listen = ["0.0.0.0:15301", "[::]:15301", "0.0.0.0:443", "[::]:443"]"#));
}

/// As an operator does it.
#[test]
fn the_program_says_what_it_did() {
    let copy = Copy::of("journal");
    let options = copy.options();
    let import = |more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_smp-server"));
        command.arg("import").args(more);
        command.arg("--from-config").arg(&options.from_config).arg("--from-data").arg(&options.from_data);
        command.arg("--dir").arg(&options.dir).env_remove("SMP_SERVER_DIR").output().unwrap()
    };
    let dry = String::from_utf8(import(&["--dry-run"]).stdout).unwrap();
    assert!(dry.contains("can be imported") && !options.dir.exists(), "{dry}");
    let output = import(&[]);
    assert!(output.status.success(), "{output:?}");
    let said = String::from_utf8(output.stdout).unwrap();
    for words in [copy.old_address().as_str(), "Queues:    11", "Messages:  16", "smp-server start", "ca.key"]
    {
        assert!(said.contains(words), "{words} in {said}");
    }
    let again = import(&[]);
    assert_eq!(again.status.code(), Some(1));
    let said = String::from_utf8(again.stderr).unwrap();
    assert!(said.contains("nothing was changed"), "{said}");
}

/// Parts of a queue that the samples do not have.
#[tokio::test]
async fn links_notifiers_services_and_blocks_are_imported() {
    const KEY: &str = "MCowBQYDK2VwAyEAPwqwn10wKiUj8ULQomihlzJ6kvPD7piNLQdx17OY0CA=";
    const SECRET: &str = "4gtUSOwStF8H5rWZd25VBVLW5HVbIk8iEnct6hEN8w0=";
    let copy = Copy::of("memory");
    let path = copy.old("var/smp-server-store.log");
    let mut log = fs::read_to_string(&path).unwrap();
    log += "NEW_SERVICE service_id=SSSS role=M cert=AQ==,Ag== cert_hash=AAAA created_at=1795305600\n";
    log += "NEW_SERVICE service_id=NNNN role=N cert=Aw== cert_hash=AAAA created_at=1795305600\n";
    log += &format!(
        "CREATE rid=RRRR rk={KEY},{KEY} rdh={SECRET} sid=TTTT sk= queue_mode=C link_id=LLLL queue_data=AQ== Ag== \
         notifier=OOOO {KEY} {SECRET} nsrv=NNNN updated_at=1795305600 status=blocked,reason=spam rsrv=SSSS\n"
    );
    log += &format!("CREATE rid=RRR1 rk={KEY} rdh={SECRET} sid=TTT1 sk= queue_mode=M\n");
    log +=
        &format!("NOTIFIER RRR1 OOO1 {KEY} {SECRET}\nQUEUE_SERVICE RRR1 N NNNN\nQUEUE_SERVICE RRR1 R SSSS\n");
    log += "LINK RRR1 LLL1 AQ== Ag==\nLINK RRR1 LLL1 AQ== BA==\nBLOCK RRR1 reason=content\nUNBLOCK RRR1\nTIME RRR1 1795392000\n";
    log += "QUEUE_SERVICE RRR1 R \nLDELETE RRR1\n";
    fs::write(&path, &log).unwrap();
    // Of a notifier that there is, and of one that was deleted.
    let waiting = |notifier: &str| format!("v1 {notifier} AAAA 1795305600 {} AQI=\n", "A".repeat(32));
    fs::write(copy.old("var/smp-server-ntfs.log"), waiting("OOOO") + &waiting("ZZZZ")).unwrap();
    let report = copy.import(|_| ()).await.unwrap();
    assert_eq!(report.read.notifications, 1);
    let kept = fs::read_to_string(copy.options().dir.join("data/notifications")).unwrap();
    assert!(kept.contains("OOOO") && !kept.contains("ZZZZ"), "{kept}");
    assert_eq!((report.stored.queues, report.stored.notifiers), (13, 2));
    assert_eq!((report.stored.messaging_services, report.stored.notifier_services), (1, 1));
    assert_eq!(report.read.ignored_records, 0);

    let database = copy.options().dir.join("data/smp-server.sqlite");
    let store = SqliteStore::open(SqliteConfig::new(database)).await.unwrap();
    let find = async |id: &str| {
        let id = RecipientId::new(&base64url::decode(id).unwrap()).unwrap();
        store.find_queue(QueueId::Recipient(&id)).await.unwrap().unwrap()
    };
    let full = find("RRRR").await;
    assert_eq!(full.recipient_keys.len(), 2);
    assert_eq!(full.status, QueueStatus::Blocked(b"reason=spam".to_vec().into()));
    assert!(full.recipient_service.is_some() && full.notifier.as_ref().unwrap().service.is_some());
    let data = store.link_data(&full.recipient_id).await.unwrap().unwrap();
    assert_eq!((data.fixed, data.user), (vec![1], vec![2]));
    let changed = find("RRR1").await;
    assert_eq!((&changed.status, &changed.link), (&QueueStatus::Active, &None));
    assert!(changed.recipient_service.is_none() && changed.notifier.as_ref().unwrap().service.is_some());
    assert_eq!(changed.updated, Some(Day(20_780)));
    store.close().await.unwrap();

    // Without the record of its service a queue is no less a queue.
    let copy = Copy::of("memory");
    fs::write(
        copy.old("var/smp-server-store.log"),
        log.replace("NEW_SERVICE service_id=SSSS", "NEW_SERVICE x"),
    )
    .unwrap();
    assert!(matches!(copy.import(|_| ()).await, Err(ImportError::Damaged(_))));
    let report = copy.import(|options| options.skip_damaged = true).await.unwrap();
    assert_eq!((report.stored.queues, report.stored.messaging_services), (13, 0));
}

#[cfg(unix)]
#[tokio::test]
async fn a_relay_is_imported_straight_into_postgresql() {
    let Some(url) = smp_store_suite::cluster::database().await else { return };
    let database = DatabaseUrl::new(&url).unwrap();
    let copy = Copy::of("journal");
    let into_it = |options: &mut Options| options.database = Some(database.clone());
    let dry = copy.import(|options| (into_it(options), options.dry_run = true).1).await.unwrap();
    let report = copy.import(into_it).await.unwrap();
    assert_eq!(dry.stored, report.stored);
    assert!(!copy.options().dir.join("data/smp-server.sqlite").exists());
    // The settings and the note beside the identity say where the queues are.
    copy.start().await.shutdown().await.unwrap();
    let store = PostgresStore::open(PostgresConfig::new(&url)).await.unwrap();
    assert_eq!(store.counts(), report.stored);
    let (queues, mut messages) = (copy.queues(), 0);
    for queue in store.queue_page(None, 1_000).await.unwrap() {
        messages += store.messages(&queue.recipient_id).await.unwrap().len();
    }
    assert_eq!(messages, expected_messages(&queues));
    store.close().await.unwrap();

    // Another relay's queues are not mixed with them.
    let other = Copy::of("memory");
    let refused = other.import(into_it).await.unwrap_err();
    assert!(matches!(refused, ImportError::Move(_)), "{refused}");
    assert!(!other.options().dir.exists());
}
