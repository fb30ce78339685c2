//! Relays whose files are cut off or damaged.

use std::{fs, path::Path};

use smp_server::import::{ImportError, Report};

use crate::support::{Copy, SAMPLES, expected_messages};

const STORE_LOG: &str = "var/smp-server-store.log";
const MESSAGE_LOG: &str = "var/smp-server-messages.log";

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

fn replace_line(path: &Path, number: usize, with: &str) {
    edit(path, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        let mut lines: Vec<_> = text.lines().collect();
        lines[number - 1] = with;
        *bytes = (lines.join("\n") + "\n").into_bytes();
    });
}

/// Refused with this line, leaving nothing; then imported without it.
async fn damaged(copy: &Copy, file: &str, line: u64) -> Report {
    match copy.import(|_| ()).await.unwrap_err() {
        ImportError::Damaged(damage) => {
            assert!(damage.file.to_string_lossy().contains(file), "{damage}");
            assert_eq!(damage.line, line, "{damage}");
            let said = ImportError::Damaged(damage).to_string();
            assert!(said.contains("--skip-damaged") && said.contains("nothing was imported"), "{said}");
        }
        other => panic!("{other}"),
    }
    assert_eq!(copy.names(), ["old"]);
    copy.import(|options| options.skip_damaged = true).await.unwrap()
}

/// The journal or state file of some queue with several messages.
fn journal_file(copy: &Copy, prefix: &str) -> std::path::PathBuf {
    fn find(dir: &Path, prefix: &str) -> Option<std::path::PathBuf> {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if let Some(found) = find(&path, prefix) {
                    return Some(found);
                }
            } else if path.file_name().unwrap().to_str().unwrap().starts_with(prefix)
                && fs::read_to_string(&path).unwrap().lines().count() == 3
            {
                return Some(path);
            }
        }
        None
    }
    find(&copy.old("var/messages"), prefix).unwrap()
}

#[tokio::test]
async fn a_damaged_record_is_refused_or_left_out() {
    for sample in SAMPLES {
        let copy = Copy::of(sample);
        replace_line(&copy.old(STORE_LOG), 3, "CREATE rid=damaged");
        let report = damaged(&copy, "smp-server-store.log", 3).await;
        assert_eq!((report.damaged.count(), report.stored.queues), (1, 10));
        assert_eq!(report.damaged.first()[0].line, 3);
        // Its message has nowhere to go.
        assert_eq!((report.read.orphans, report.stored.messages), (1, 15));
    }
}

#[tokio::test]
async fn a_store_log_that_is_cut_off_is_refused_or_used_so_far() {
    let copy = Copy::of("memory");
    edit(&copy.old(STORE_LOG), |bytes| bytes.truncate(bytes.len() - 40));
    let report = damaged(&copy, "smp-server-store.log", 21).await;
    assert_eq!((report.stored.queues, report.read.orphans), (10, 3));
    // Even if all that is missing is the line break: nobody knows what else would follow.
    let copy = Copy::of("memory");
    edit(&copy.old(STORE_LOG), |bytes| bytes.truncate(bytes.len() - 1));
    damaged(&copy, "smp-server-store.log", 21).await;
}

#[tokio::test]
async fn a_queue_that_is_there_twice_is_refused_or_kept_once() {
    let copy = Copy::of("memory");
    let first = fs::read_to_string(copy.old(STORE_LOG)).unwrap().lines().next().unwrap().to_owned();
    edit(&copy.old(STORE_LOG), |bytes| bytes.extend_from_slice(format!("{first}\n").as_bytes()));
    let report = damaged(&copy, "smp-server-store.log", 22).await;
    assert_eq!(report.stored.queues, 11);
}

#[tokio::test]
async fn records_about_deleted_queues_do_no_harm() {
    let copy = Copy::of("memory");
    let deleted = fs::read_to_string(copy.old(STORE_LOG)).unwrap();
    let deleted = deleted.lines().find_map(|line| line.strip_prefix("DELETE ")).unwrap();
    let more = format!("TIME {deleted} 1795305600\nDELETE {deleted}\n");
    edit(&copy.old(STORE_LOG), |bytes| bytes.extend_from_slice(more.as_bytes()));
    let report = copy.import(|_| ()).await.unwrap();
    assert_eq!((report.read.ignored_records, report.stored.queues), (2, 11));
}

#[tokio::test]
async fn a_damaged_message_is_refused_or_left_out() {
    let copy = Copy::of("memory");
    edit(&copy.old(MESSAGE_LOG), |bytes| bytes[300] = b'*');
    let report = damaged(&copy, "smp-server-messages.log", 2).await;
    assert_eq!((report.damaged.count(), report.stored.messages), (1, 15));

    let copy = Copy::of("journal");
    let path = journal_file(&copy, "messages.");
    edit(&path, |bytes| bytes[150] = b'*');
    let report = damaged(&copy, "messages.", 2).await;
    // The line, and the number of messages, which is not what the state says.
    assert_eq!((report.damaged.count(), report.stored.messages), (2, 15));
}

#[tokio::test]
async fn a_message_file_that_is_cut_off_is_refused_or_used_so_far() {
    let copy = Copy::of("memory");
    edit(&copy.old(MESSAGE_LOG), |bytes| bytes.truncate(bytes.len() - 5));
    let report = damaged(&copy, "smp-server-messages.log", 16).await;
    assert_eq!(report.stored.messages, 15);

    let copy = Copy::of("journal");
    let path = journal_file(&copy, "messages.");
    edit(&path, |bytes| bytes.truncate(bytes.len() - 5));
    let report = damaged(&copy, "messages.", 3).await;
    assert_eq!(report.stored.messages, 15);
}

#[tokio::test]
async fn a_missing_journal_is_refused_or_left_out() {
    let copy = Copy::of("journal");
    fs::remove_file(journal_file(&copy, "messages.")).unwrap();
    let report = damaged(&copy, "messages.", 1).await;
    assert_eq!(report.stored.messages, 13);
}

#[tokio::test]
async fn what_a_journal_has_behind_its_end_does_not_count() {
    let copy = Copy::of("journal");
    edit(&journal_file(&copy, "messages."), |bytes| bytes.extend_from_slice(b"half a mess"));
    let path = journal_file(&copy, "queue_state.");
    edit(&path, |bytes| bytes.extend_from_slice(b"write=half a st"));
    let report = copy.import(|_| ()).await.unwrap();
    assert_eq!(report.stored.messages as usize, expected_messages(&copy.queues()));
}

#[tokio::test]
async fn messages_that_were_read_are_not_imported() {
    let copy = Copy::of("journal");
    let path = journal_file(&copy, "queue_state.");
    edit(&path, |bytes| {
        let text = String::from_utf8(bytes.clone()).unwrap();
        // The first message of three was taken: they are of one length.
        let last = text.lines().last().unwrap();
        let end: u64 = last.split([',', ' ']).nth(3).unwrap().parse().unwrap();
        let line = last.replace(&format!(",0,3,0,{end}"), &format!(",1,3,{},{end}", end / 3));
        bytes.extend_from_slice((line.replace("size=3", "size=2") + "\n").as_bytes());
    });
    let report = copy.import(|_| ()).await.unwrap();
    assert_eq!(report.stored.messages, 15);
}

#[tokio::test]
async fn a_queue_may_have_two_journals() {
    let copy = Copy::of("journal");
    let (journal, state) = (journal_file(&copy, "messages."), journal_file(&copy, "queue_state."));
    let text = fs::read_to_string(&journal).unwrap();
    let (first, rest) = text.split_at(text.len() / 3);
    // The first message of the first file was taken, its second and the one of the second file are left.
    let (taken, left) = (first, &rest[..rest.len() / 2]);
    fs::write(&journal, [taken, left].concat()).unwrap();
    let second = &rest[rest.len() / 2..];
    fs::write(journal.with_file_name("messages.AAAA.log"), second).unwrap();
    let name = journal.file_name().unwrap().to_str().unwrap().split('.').nth(1).unwrap();
    let (one, two) = (first.len(), 2 * first.len());
    let line = format!("write=AAAA,1,1,{one},{one} read={name},1,2,{one},{two} canWrite=T size=2\n");
    fs::write(&state, &line).unwrap();
    let report = copy.import(|_| ()).await.unwrap();
    assert_eq!(report.stored.messages, 15);

    // A copy that was made while the state was shortened is what counts.
    let copy_of_state = state.with_extension("log.bak");
    fs::rename(&state, &copy_of_state).unwrap();
    fs::write(&state, "").unwrap();
    let report = copy.import(|options| options.dry_run = true).await;
    assert!(matches!(report, Err(ImportError::Exists(_))));
    fs::remove_dir_all(copy.options().dir).unwrap();
    assert_eq!(copy.import(|_| ()).await.unwrap().stored.messages, 15);
}

#[tokio::test]
async fn a_damaged_state_is_refused_or_left_out() {
    let copy = Copy::of("journal");
    let path = journal_file(&copy, "queue_state.");
    edit(&path, |bytes| bytes.extend_from_slice(b"write=A,1,1,9,9 read=A,0,1,0,9 canWrite=T size=2\n"));
    let report = damaged(&copy, "queue_state.", 1).await;
    assert_eq!(report.stored.messages, 13);
}

#[tokio::test]
async fn a_log_that_was_being_shortened_is_replaced_by_its_copy() {
    let copy = Copy::of("memory");
    fs::rename(copy.old(STORE_LOG), copy.old("var/smp-server-store.log.start")).unwrap();
    fs::write(copy.old(STORE_LOG), "CREATE rid=cut o").unwrap();
    assert_eq!(copy.import(|_| ()).await.unwrap().stored.queues, 11);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    for (path, word) in [
        ("etc/smp-server.ini", "smp-server.ini"),
        ("etc/server.key", "server.key"),
        ("etc/ca.crt", "ca.crt"),
        (STORE_LOG, "smp-server-store.log"),
    ] {
        let copy = Copy::of("memory");
        fs::remove_file(copy.old(path)).unwrap();
        let error = copy.import(|_| ()).await.unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
        assert_eq!(copy.names(), ["old"]);
    }
    let copy = Copy::of("memory");
    fs::remove_file(copy.old(MESSAGE_LOG)).unwrap();
    let report = copy.import(|_| ()).await.unwrap();
    assert!(report.notes.iter().any(|note| note.contains("not stopped properly")), "{:?}", report.notes);
}

#[tokio::test]
async fn a_wrong_identity_is_refused() {
    let (copy, other) = (Copy::of("memory"), Copy::of("journal"));
    for file in ["ca.crt", "server.key", "fingerprint"] {
        let path = copy.old(&format!("etc/{file}"));
        let good = fs::read(&path).unwrap();
        fs::copy(other.old(&format!("etc/{file}")), &path).unwrap();
        let error = copy.import(|_| ()).await.unwrap_err();
        assert!(matches!(error, ImportError::Identity(_)), "{error}");
        assert_eq!(copy.names(), ["old"]);
        fs::write(&path, good).unwrap();
    }
}

#[tokio::test]
async fn a_relay_without_queues_is_taken_for_one_whose_data_are_missing() {
    let copy = Copy::of("memory");
    fs::write(copy.old("var/smp-server-store.log"), "").unwrap();
    let error = copy.import(|options| options.allow_empty = false).await.unwrap_err();
    assert!(error.to_string().contains("--allow-empty"), "{error}");
    assert_eq!(copy.names(), ["old"], "nothing is left behind");
    let report = copy.import(|options| options.allow_empty = true).await.unwrap();
    assert_eq!(report.stored.queues, 0);
}
