//! Missing data is missing, not new: a relay that began without it would have its clients throw away their queues.

use super::*;

/// A relay that has served, with a queue, and has been stopped.
async fn served(dir: &Path) -> Queue {
    init(dir, &[]);
    let mut started = start(dir, 0);
    let queue = create(&connect(&started.address).await.0).await;
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
    queue
}

fn refused(dir: &Path) -> String {
    error(&run(&["start", "--dir", text(dir), "--listen", "127.0.0.1:0"]))
}

async fn serves(dir: &Path, queue: &Queue) {
    let mut started = start(dir, 0);
    assert!(drain(&started.address, queue).await.is_empty());
    assert!(wait_for_log(dir, " has 1 queues and 0 messages", 1).contains("smp-server.sqlite"));
    started.signal("-TERM");
    assert_eq!(started.exit_code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_was_there_is_not_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let relay = dir.path().join("relay");
    let queue = served(&relay).await;
    let (data, away) = (relay.join("data"), dir.path().join("away"));
    let database = data.join("smp-server.sqlite");
    fs::rename(&data, &away).unwrap();

    let lost = refused(&relay);
    for word in ["smp-server.sqlite is not there", "Mount", "restore", "--new-store"] {
        assert!(lost.contains(word), "{word} in {lost}");
    }
    assert!(!data.exists(), "a directory would look as if it were the right one");
    fs::create_dir(&data).unwrap();
    assert!(refused(&relay).contains("is not there"));
    assert!(fs::read_dir(&data).unwrap().next().is_none());
    let copy = dir.path().join("copy");
    let no_copy = error(&run(&["backup", text(&copy), "--dir", text(&relay)]));
    assert!(no_copy.contains("nothing was copied") && !copy.exists(), "{no_copy}");
    fs::write(&database, "").unwrap();
    assert!(refused(&relay).contains("is empty"));
    let no_copy = error(&run(&["backup", text(&copy), "--dir", text(&relay)]));
    assert!(no_copy.contains("is empty") && !copy.exists(), "{no_copy}");

    fs::remove_dir_all(&data).unwrap();
    fs::rename(&away, &data).unwrap();
    serves(&relay, &queue).await;
    let said = run(&["backup", text(&copy), "--dir", text(&relay)]);
    assert!(String::from_utf8(said.stdout).unwrap().contains("1 queues and 0 messages"));

    // Another relay's, or one from before the relay had this one.
    let other = dir.path().join("other");
    served(&other).await;
    fs::rename(&data, &away).unwrap();
    fs::rename(other.join("data"), &data).unwrap();
    let other = refused(&relay);
    assert!(other.contains("another one") && other.contains("--accept-loss"), "{other}");

    fs::remove_dir_all(&data).unwrap();
    let copied = copy.join("data/smp-server.sqlite");
    let kept = fs::read(&copied).unwrap();
    fs::remove_file(&copied).unwrap();
    let second = dir.path().join("second");
    let half = error(&run(&["restore", text(&copy), "--dir", text(&second)]));
    assert!(half.contains("nothing was restored") && !second.join("smp-server.toml").exists(), "{half}");
    fs::write(&copied, kept).unwrap();
    let whole = run(&["restore", text(&copy), "--dir", text(&second)]);
    assert!(whole.status.success(), "{whole:?}");
    serves(&second, &queue).await;

    let mut anew = start_with(&relay, &["--new-store"]);
    wait_for_log(&relay, " has 0 queues", 1);
    anew.signal("-TERM");
    assert_eq!(anew.exit_code(), Some(0));
    drop(start(&relay, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_end_of_a_store_that_was_killed_is_missed() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &[]);
    let mut started = start(dir.path(), 0);
    let queue = create(&connect(&started.address).await.0).await;
    started.signal("-KILL");
    started.exit_code();
    let log = dir.path().join("data/smp-server.sqlite-wal");
    let away = dir.path().join("away");
    fs::rename(&log, &away).unwrap();
    let lost = refused(dir.path());
    assert!(lost.contains("-wal") && lost.contains("--accept-loss"), "{lost}");
    fs::rename(&away, &log).unwrap();
    serves(dir.path(), &queue).await;
}

/// Data of a version that has noted nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_relay_of_an_earlier_version_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let queue = served(dir.path()).await;
    fs::remove_file(dir.path().join("identity/store-id")).unwrap();
    fs::write(dir.path().join("data/smp-server.sqlite.lock"), "").unwrap();
    serves(dir.path(), &queue).await;
    assert!(dir.path().join("identity/store-id").exists());
    // Its lock file is enough to know that there was something.
    fs::remove_file(dir.path().join("identity/store-id")).unwrap();
    fs::remove_file(dir.path().join("data/smp-server.sqlite")).unwrap();
    assert!(refused(dir.path()).contains("is not there"));
}

#[test]
fn settings_that_are_empty_or_cut_off_are_no_settings() {
    let dir = tempfile::tempdir().unwrap();
    init(dir.path(), &["--password", "s3cret"]);
    let config = dir.path().join("smp-server.toml");
    let whole = fs::read_to_string(&config).unwrap();
    for length in [0, whole.find("[queues]").unwrap(), whole.len() - 10] {
        fs::write(&config, &whole[..length]).unwrap();
        let cut = refused(dir.path());
        assert!(cut.contains("smp-server.toml") && cut.contains("cut off"), "{cut}");
    }
}
