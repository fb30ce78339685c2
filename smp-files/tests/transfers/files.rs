//! Whole files: sent through two relays, received, deleted.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use smp_files::download::Target;
use smp_files::{Download, FileError, Upload, delete, link};
use smp_protocol::xftp::description::{FileDescription, FileParty};
use smp_transport::surroundings::Surroundings;

use crate::relay::{TestRelay, content, file, relays, send};

/// Receives into a new directory, which is empty but for the file then.
async fn receive(description: &FileDescription) -> Result<Vec<u8>, FileError> {
    let dir = tempfile::tempdir().unwrap();
    let download = Download::new(description.clone(), dir.path())?;
    let path = download.run(&relays(), Target::Directory(dir.path()), &|_, _| {}).await?;
    assert_eq!(path.file_name().unwrap(), "a.bin");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    Ok(std::fs::read(path).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_of_all_sizes_go_through_two_relays() {
    let (one, other) = (TestRelay::start().await, TestRelay::start().await);
    let to = [one.address.clone(), other.address.clone()];
    for length in [0, 100, 70_000, 300_000, 5_000_000] {
        let content = content(length);
        let sent = send(&content, 3, &to).await;
        // Rounded up, for relays not to know how many they are.
        assert_eq!((sent.recipients.len(), sent.sender.party), (4, FileParty::Sender));
        for description in &sent.recipients[..2] {
            // As it travels.
            let travelled = FileDescription::for_recipient(&description.to_yaml()).unwrap();
            assert_eq!(receive(&travelled).await.unwrap(), content, "of {length} bytes");
        }
        let chunks = one.chunks().len() + other.chunks().len();
        assert_eq!(chunks, sent.sender.chunks.as_slice().len());
        assert!(chunks == 1 || (!one.chunks().is_empty() && !other.chunks().is_empty()), "both are used");
        delete::delete(&sent.sender, &relays(), &|_, _| {}).await.unwrap();
        assert_eq!(one.chunks().len() + other.chunks().len(), 0);
        // Again: they are gone, which is what was wanted.
        delete::delete(&sent.sender, &relays(), &|_, _| {}).await.unwrap();
        let gone = receive(&sent.recipients[0]).await.unwrap_err();
        assert!(gone.to_string().contains("AUTH"), "{gone}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn progress_reaches_the_end() {
    let relay = TestRelay::start().await;
    let (_dir, path) = file(&content(300_000));
    let upload = crate::relay::begin(&path, 1).await;
    let last = AtomicU64::new(0);
    let note = |done, total| {
        assert!(done <= total && total == 327_680);
        last.fetch_max(done, Ordering::Relaxed);
    };
    let sent = upload.run(&relays(), std::slice::from_ref(&relay.address), &note).await.unwrap();
    assert_eq!(last.swap(0, Ordering::Relaxed), 327_680);
    let dir = tempfile::tempdir().unwrap();
    let download = Download::new(sent.recipients[0].clone(), dir.path()).unwrap();
    let target = dir.path().join("under another name");
    let path = download.run(&relays(), Target::File(&target), &note).await.unwrap();
    assert_eq!((path, last.load(Ordering::Relaxed)), (target.clone(), 327_680));
    // A file that is there is not replaced.
    let download = Download::new(sent.recipients[0].clone(), dir.path()).unwrap();
    assert!(download.run(&relays(), Target::File(&target), &|_, _| {}).await.is_err());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_description_that_is_too_long_for_a_link_is_a_file_itself() {
    let relay = TestRelay::start().await;
    let to = std::slice::from_ref(&relay.address);
    let content = content(5_000_000);
    let sent = send(&content, 1, to).await;
    let description = &sent.recipients[0];
    let dir = tempfile::tempdir().unwrap();
    let upload = Upload::of_description(description, &dir.path().join("link"), &Surroundings::machine())
        .await
        .unwrap();
    let of_link = upload.run(&relays(), to, &|_, _| {}).await.unwrap();
    let short = &of_link.recipients[0];
    assert!(short.redirect.is_some() && link::fits(short) && short.chunks.as_slice().len() == 1);
    let link = link::link(short).unwrap();
    let read = link::read(&link).unwrap().unwrap();
    assert_eq!(receive(&read).await.unwrap(), content);
    // One that leads elsewhere than it says.
    let mut lying = read.clone();
    lying.redirect.as_mut().unwrap().size += 1;
    let error = receive(&lying).await.unwrap_err();
    assert!(matches!(error, FileError::Redirect(_)), "{error}");
    assert!(link::read("https://simplex.chat/contact#/?v=1").unwrap().is_none());
    assert!(link::read("no link").unwrap().is_none());
}

#[tokio::test]
async fn a_relay_that_takes_nothing_is_passed_over() {
    let full = TestRelay::with(|settings| smp_server::files::FileSettings { quota: 0, ..settings }).await;
    let other = TestRelay::start().await;
    let ended = TestRelay::start().await;
    ended.end();
    let content = content(70_000);
    let sent = send(&content, 1, &[full.address.clone(), other.address.clone()]).await;
    assert_eq!(receive(&sent.recipients[0]).await.unwrap(), content);
    assert_eq!((full.chunks().len(), other.chunks().len()), (0, 2));
    let (_dir, path) = file(&content);
    let upload = crate::relay::begin(&path, 1).await;
    let error = upload.run(&relays(), std::slice::from_ref(&full.address), &|_, _| {}).await.unwrap_err();
    assert!(error.to_string().contains("QUOTA"), "{error}");
    assert!(matches!(upload.run(&relays(), &[], &|_, _| {}).await, Err(FileError::NoRelays)));
}

#[tokio::test]
async fn descriptions_of_the_other_side_are_refused() {
    let relay = TestRelay::start().await;
    let sent = send(b"hello", 1, std::slice::from_ref(&relay.address)).await;
    assert!(Download::new(sent.sender.clone(), Path::new("/")).is_err());
    assert!(delete::delete(&sent.recipients[0], &relays(), &|_, _| {}).await.is_err());
    assert!(link::link(&sent.sender).is_err());
    assert_eq!(relay.chunks().len(), 1);
}
