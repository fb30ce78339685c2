//! A process that uses the store is killed at random moments; what it had been told must be true afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt as _;
use smp_protocol::id::RecipientId;

use crate::store::fixture::{id, new_queue, sent};
use crate::store::{
    AfterAck, Appended, EngineLimits, Maintenance, Message, MessageContent, Messages, NewMessage,
    SqliteConfig, SqliteStore, Store, StoreError,
};

/// Set for the process that is to be killed: the directory of its store.
const DIRECTORY: &str = "SMP_STORE_CRASH_DIRECTORY";
/// Set for that process: which run it is, so that it numbers its messages behind those of earlier runs.
const RUN: &str = "SMP_STORE_CRASH_RUN";
/// How many processes are killed, unless the default is enough.
const KILLS: &str = "SMP_STORE_KILLS";
const DEFAULT_KILLS: u32 = 10;

const QUEUES: u32 = 6;
/// Messages of a queue that may wait for their `OK`.
const IN_FLIGHT: usize = 8;
const RUN_NUMBERS: u32 = 1_000_000;

fn config(directory: &Path) -> SqliteConfig {
    let limits = EngineLimits { quota: 200, queue_cache_bytes: 20_000, ..EngineLimits::default() };
    SqliteConfig { limits, ..SqliteConfig::new(directory.join("store.db")) }
}

fn body(number: u32) -> Vec<u8> {
    let length = 4 + (number as usize).wrapping_mul(2_654_435_761) % 16_000;
    number.to_be_bytes().into_iter().cycle().take(length).collect()
}

fn number(message: &Message) -> u32 {
    u32::from_be_bytes(message.id.as_bytes()[..4].try_into().unwrap())
}

/// A line in one piece, as several tasks write.
fn say(line: String) {
    std::io::stdout().write_all((line + "\n").as_bytes()).unwrap();
}

/// The process that is killed. As an ordinary test it has nothing to do.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn process_that_is_killed() {
    let Ok(directory) = std::env::var(DIRECTORY) else { return };
    let run: u32 = std::env::var(RUN).unwrap().parse().unwrap();
    let store: Arc<dyn Store> = Arc::new(SqliteStore::open(config(directory.as_ref())).await.unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for queue in 0..QUEUES {
        match store.create_queue(new_queue(queue)).await {
            Ok(_) | Err(StoreError::Duplicate) => {}
            Err(error) => panic!("{error}"),
        }
        tasks.spawn(send(store.clone(), queue, run * RUN_NUMBERS));
        // The others collect messages for a while.
        if !(queue + run).is_multiple_of(3) {
            tasks.spawn(receive(store.clone(), queue));
        }
    }
    say("ready".into());
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
}

/// Says `kept <queue> <number>` for each `OK`.
async fn send(store: Arc<dyn Store>, queue: u32, start: u32) {
    let recipient: RecipientId = id(queue, 0);
    let slots = Arc::new(tokio::sync::Semaphore::new(IN_FLIGHT));
    for number in start + 1.. {
        let slot = slots.clone().acquire_owned().await.unwrap();
        let message = NewMessage { body: body(number), ..sent(number) };
        match store.append(&recipient, message, None).await.unwrap() {
            Appended::Accepted(accepted) => {
                tokio::spawn(async move {
                    accepted.kept.await.unwrap();
                    say(format!("kept {queue} {number}"));
                    drop(slot);
                });
            }
            Appended::QuotaExceeded => tokio::task::yield_now().await,
            Appended::NotActive(status) => panic!("{status:?}"),
        }
    }
}

/// Says `got <queue> <number>` before it acknowledges and `done <queue> <number>` when that is durable.
async fn receive(store: Arc<dyn Store>, queue: u32) {
    let recipient: RecipientId = id(queue, 0);
    let mut next = None;
    loop {
        let Some(message) = next.take() else {
            tokio::task::yield_now().await;
            next = store.first_message(&recipient).await.unwrap();
            continue;
        };
        let number = number(&message);
        say(format!("got {queue} {number}"));
        let done = store.acknowledge(&recipient, &message.id, AfterAck::Next).await.unwrap();
        assert!(done.removed.is_some());
        next = done.next;
        done.durable.await.unwrap();
        say(format!("done {queue} {number}"));
    }
}

/// The words of killed processes: numbers by queue.
#[derive(Default)]
struct Said {
    kept: BTreeMap<u32, BTreeSet<u32>>,
    got: BTreeMap<u32, BTreeSet<u32>>,
    done: BTreeMap<u32, BTreeSet<u32>>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let mut words = line.split(' ');
        let place = match words.next() {
            Some("kept") => &mut self.kept,
            Some("got") => &mut self.got,
            Some("done") => &mut self.done,
            // A line of the test harness.
            _ => return,
        };
        let mut numbers = words.map_while(|word| word.parse().ok());
        if let (Some(queue), Some(number)) = (numbers.next(), numbers.next()) {
            place.entry(queue).or_default().insert(number);
        }
    }
}

fn count(numbers: &BTreeMap<u32, BTreeSet<u32>>) -> usize {
    numbers.values().map(BTreeSet::len).sum()
}

#[test]
fn what_was_answered_survives_being_killed() {
    let kills = std::env::var(KILLS).map_or(DEFAULT_KILLS, |kills| kills.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut said = Said::default();
    let mut found_again = 0;
    for run in 1..=kills {
        run_and_kill(directory.path(), run, &mut said);
        found_again += check(directory.path(), &said);
    }
    println!(
        "{kills} kills: {} messages kept, {} delivered, {} acknowledged, {found_again} found on disk afterwards",
        count(&said.kept),
        count(&said.got),
        count(&said.done),
    );
    assert!(count(&said.done) > 0, "no process lived long enough to do anything");
}

fn run_and_kill(directory: &Path, run: u32, said: &mut Said) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "store::sqlite::tests::crash::process_that_is_killed", "--nocapture"])
        .env(DIRECTORY, directory)
        .env(RUN, run.to_string())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    // A random moment of a random line.
    let mut lines_left = rand::rng().random_range(1..400);
    let delay = Duration::from_micros(rand::rng().random_range(0..5000));
    for line in lines.by_ref() {
        said.hear(&line.unwrap());
        lines_left -= 1;
        if lines_left == 0 {
            break;
        }
    }
    std::thread::sleep(delay);
    child.kill().unwrap();
    // No line is cut: a pipe takes a short write whole or not at all.
    lines.map_while(Result::ok).for_each(|line| said.hear(&line));
    let status = child.wait().unwrap();
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&status), Some(9), "it failed before: {status}");
}

/// Returns how many messages are in the store.
#[tokio::main(flavor = "current_thread")]
async fn check(directory: &Path, said: &Said) -> usize {
    let store = SqliteStore::open(config(directory)).await.unwrap();
    let none = BTreeSet::new();
    let mut total = 0;
    for queue in 0..QUEUES {
        let messages = match store.messages(&id(queue, 0)).await {
            Ok(messages) => messages,
            // Killed before it said that there is one.
            Err(StoreError::NotFound) if !said.kept.contains_key(&queue) => continue,
            Err(error) => panic!("queue {queue}: {error}"),
        };
        for message in &messages {
            if let MessageContent::Sent { body: found, .. } = &message.content {
                assert_eq!(*found, body(number(message)));
            }
        }
        let numbers: Vec<_> = messages.iter().map(|message| number(message)).collect();
        assert!(numbers.is_sorted_by(|first, second| first < second), "queue {queue} is out of order");
        let present: BTreeSet<_> = numbers.into_iter().collect();
        let of_queue = |numbers: &BTreeMap<_, BTreeSet<u32>>| numbers.get(&queue).unwrap_or(&none).clone();
        for kept in &of_queue(&said.kept) - &of_queue(&said.got) {
            assert!(present.contains(&kept), "queue {queue} lost message {kept}");
        }
        for done in of_queue(&said.done) {
            assert!(!present.contains(&done), "queue {queue} would deliver message {done} again");
        }
        total += present.len();
    }
    store.close().await.unwrap();
    total
}
