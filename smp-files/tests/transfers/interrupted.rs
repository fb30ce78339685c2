//! Transfers that are interrupted anywhere go on where they were.

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Poll, Waker};

use smp_files::download::Target;
use smp_files::{Download, FileError, Sent, Upload};
use smp_protocol::address::XftpAddress;
use smp_transport::surroundings::Surroundings;

use crate::relay::{TestRelay, begin, content, file, relays, upload_dir};

const LENGTH: usize = 900_000;

/// Runs a transfer until so many bytes are done, and drops it there, as a kill would; its result if it was done before.
async fn until<T>(
    bytes: u64,
    transfer: impl AsyncFnOnce(&(dyn Fn(u64, u64) + Send + Sync)) -> T,
) -> Option<T> {
    let (is_enough, waker) = (AtomicBool::new(false), Mutex::new(None::<Waker>));
    let progress = |done, _| {
        if done >= bytes {
            is_enough.store(true, Ordering::Relaxed);
            if let Some(waker) = waker.lock().unwrap().take() {
                waker.wake();
            }
        }
    };
    let enough = poll_fn(|context| {
        *waker.lock().unwrap() = Some(context.waker().clone());
        if is_enough.load(Ordering::Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    });
    let mut transfer = pin!(transfer(&progress));
    tokio::select! {
        biased;
        done = &mut transfer => Some(done),
        () = enough => None,
    }
}

async fn go_on(path: &Path, bytes: u64, to: &[XftpAddress]) -> Option<Result<Sent, FileError>> {
    let upload = Upload::open(&upload_dir(path), None, &Surroundings::machine()).unwrap().unwrap();
    until(bytes, async |progress| upload.run(&relays(), to, progress).await).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_goes_on_wherever_it_was_interrupted() {
    let relay = TestRelay::start().await;
    let to = std::slice::from_ref(&relay.address);
    let (_dir, path) = file(&content(LENGTH));
    let upload = begin(&path, 1).await;
    let total = upload.size();
    drop(upload);
    let mut sent = None;
    for step in 1..=8 {
        // Each process has memory of its own, and the last one goes to the end.
        match go_on(&path, total * step / 8 + 1, to).await {
            Some(done) => {
                sent = Some(done.unwrap());
                break;
            }
            None => relay.break_connections(),
        }
    }
    let sent = sent.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let download = Download::new(sent.recipients[0].clone(), dir.path()).unwrap();
    let received = download.run(&relays(), Target::Directory(dir.path()), &|_, _| {}).await.unwrap();
    assert_eq!(std::fs::read(received).unwrap(), content(LENGTH));
    // Once more: nothing is sent.
    let moved = AtomicU64::new(0);
    let upload = Upload::open(&upload_dir(&path), None, &Surroundings::machine()).unwrap().unwrap();
    assert!(upload.is_complete());
    relay.end();
    let again = upload.run(&relays(), to, &|done, _| moved.store(done, Ordering::Relaxed)).await.unwrap();
    assert_eq!((again.sender, moved.load(Ordering::Relaxed)), (sent.sender, total));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_download_goes_on_wherever_it_was_interrupted() {
    let relay = TestRelay::start().await;
    let content = content(LENGTH);
    let sent = crate::relay::send(&content, 1, std::slice::from_ref(&relay.address)).await;
    let dir = tempfile::tempdir().unwrap();
    let total = sent.sender.size();
    let mut received = None;
    for step in 1..=9 {
        let download = Download::new(sent.recipients[0].clone(), dir.path()).unwrap();
        let run = until(total * step / 8 + 1, async |progress| {
            download.run(&relays(), Target::Directory(dir.path()), progress).await
        });
        match run.await {
            Some(done) => {
                received = Some(done.unwrap());
                break;
            }
            None => relay.break_connections(),
        }
        // A kill leaves any bytes in the part.
        let mut paths = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().path());
        let part = paths.find(|path| path.extension().is_some_and(|end| end == "part")).unwrap();
        let mut bytes = std::fs::read(&part).unwrap();
        bytes[step as usize * 1_000] ^= 1;
        std::fs::write(&part, bytes).unwrap();
    }
    assert_eq!(std::fs::read(received.unwrap()).unwrap(), content);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_break_are_made_anew() {
    let relay = TestRelay::start().await;
    let (_dir, path) = file(&content(LENGTH));
    let upload = begin(&path, 1).await;
    let breaks = AtomicU64::new(0);
    let relays = relays();
    let progress = |done: u64, total: u64| {
        if done > total / 2 && breaks.fetch_add(1, Ordering::Relaxed) == 0 {
            relay.break_connections();
        }
    };
    let sent = upload.run(&relays, std::slice::from_ref(&relay.address), &progress).await.unwrap();
    assert!(breaks.load(Ordering::Relaxed) > 0);
    assert_eq!(relay.chunks().len(), sent.sender.chunks.as_slice().len());
}

#[tokio::test]
async fn an_upload_that_is_given_up_leaves_nothing() {
    let relay = TestRelay::start().await;
    let (dir, path) = file(&content(LENGTH));
    let upload = begin(&path, 1).await;
    let to = std::slice::from_ref(&relay.address);
    let half = upload.size() / 2;
    assert!(until(half, async |progress| upload.run(&relays(), to, progress).await).await.is_none());
    upload.cancel(&relays()).await.unwrap();
    assert_eq!((relay.chunks().len(), std::fs::read_dir(dir.path()).unwrap().count()), (0, 1));
    assert!(Upload::open(&upload_dir(&path), None, &Surroundings::machine()).unwrap().is_none());
}

#[tokio::test]
async fn an_upload_without_its_journal_was_never_begun() {
    let (_dir, path) = file(b"hello");
    let upload = begin(&path, 1).await;
    drop(upload);
    let journal = upload_dir(&path).join("journal");
    std::fs::write(&journal, b"something else").unwrap();
    let open = || Upload::open(&upload_dir(&path), None, &Surroundings::machine());
    assert!(matches!(open(), Err(FileError::Journal(_))));
    std::fs::remove_file(journal).unwrap();
    assert!(open().unwrap().is_none());
    // An encrypted file without one is replaced.
    assert_eq!(begin(&path, 2).await.recipients(), 2);
}
