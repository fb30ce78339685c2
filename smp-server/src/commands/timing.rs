//! A test of the time until `ERR AUTH`, which must not tell that there is a queue: in this process, without network and encryption, so that
//! differences are seen that no client could.
//!
//! **What is measured.** [`super::run`], from a command that was read to its refusal, for three kinds of IDs: one that
//! nothing has, one of a queue with another key, and one of a queue but of another kind. In each round all three are
//! measured, in random order, so that whatever else the machine does meets them alike. Everything is signed beforehand.
//!
//! **The test.** As dudect does it (Reparaz, Balasch, Verbauwhede, 2017): for each pair Welch's t, of the times up to the
//! median of both and of those up to their 90th percentile, since what takes longer was interrupted. A pair is told apart
//! if |t| exceeds [`THRESHOLD`] after the tolerance was subtracted from the difference of the means. For equal times each
//! of the six comparisons does that with a probability of 7e-6; a run fails if it happens three times in a row.
//!
//! **Its power.** A difference of the means of (threshold + 1.28) standard errors is found with a probability of 90 %. The
//! largest such difference of the three pairs is printed.
//!
//! **Tolerance.** What is left are a few hundred nanoseconds: a queue that exists has its own place in memory, which is not
//! in the processor's cache when nobody has used it for a while. An ordinary run tolerates [`TOLERANCE`], as it is not
//! optimised and other tests run next to it. A strict one:
//!
//! ```text
//! SMP_TEST_TIMING_SAMPLES=4000 SMP_TEST_TIMING_TOLERANCE=0.5 \
//!     cargo test --release -p smp-server --lib timing -- --nocapture --test-threads 1
//! ```

use std::{path::Path, sync::Arc, time::Instant};

use rand::seq::SliceRandom as _;
use smp_crypto::{DhSecret, Ed448PrivateKey, Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::{
    command::{Command, MessageFlags},
    error::ErrorType,
    id::{EntityId, LinkId, MessageId, NotifierId, RecipientId, SenderId},
    message::BrokerMessage,
};

use super::{Caller, OwnedProof, run};
use crate::{
    client::Content,
    node::Node,
    store::{
        LinkData, Maintenance as _, MemoryStore, NewQueue, Notifier, QueueLink, QueueMode, QueueRecord,
        QueueStatus, SqliteConfig, SqliteStore, Store,
    },
    testing,
};

/// Standard errors.
const THRESHOLD: f64 = 4.5;
/// Standard errors beyond the threshold at which a difference is found with 90 %.
const POWER: f64 = 1.28;
/// Quantiles above which times are left out.
const CROPS: [f64; 2] = [0.5, 0.9];
/// In a row that are needed to fail.
const ATTEMPTS: usize = 3;

/// Samples of each kind of ID, and microseconds that do not count.
const SAMPLES: usize = 150;
const TOLERANCE: f64 = 5.0;
/// Rounds before the first that counts.
const WARM_UP: usize = 20;

#[derive(Debug, Clone, Copy)]
enum Kind {
    Ed25519,
    Ed448,
    X25519,
}

#[derive(Debug, Clone, Copy)]
enum Asked {
    Sub,
    Ack,
    Send,
    Skey,
    Lkey,
    Lget,
    Nsub,
}

/// Where a queue is when its time is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Place {
    /// The store that has nothing else.
    Memory,
    /// On disk only: nobody has used it since the relay was started.
    Disk,
    /// In memory, as its owner uses it; nobody has tried to guess yet.
    Used,
    /// The same command has been refused before.
    Again,
}

const KINDS: [Kind; 3] = [Kind::Ed25519, Kind::Ed448, Kind::X25519];
const COMMANDS: [Asked; 7] =
    [Asked::Sub, Asked::Ack, Asked::Send, Asked::Skey, Asked::Lkey, Asked::Lget, Asked::Nsub];
/// Names of the IDs that are compared, and which with which.
const IDS: [&str; 3] = ["unknown", "wrong key", "wrong kind of ID"];
const PAIRS: [(usize, usize); 3] = [(0, 1), (0, 2), (1, 2)];

impl Kind {
    fn generate(self) -> PrivateAuthKey {
        let rng = &mut rand::rng();
        match self {
            Self::Ed25519 => Ed25519PrivateKey::generate(rng).into(),
            Self::Ed448 => Ed448PrivateKey::generate(rng).into(),
            Self::X25519 => X25519PrivateKey::generate(rng).into(),
        }
    }
}

impl Asked {
    fn command(self, key: &PrivateAuthKey) -> Command<'static> {
        match self {
            Self::Sub => Command::Subscribe,
            Self::Ack => Command::Acknowledge(MessageId::generate(&mut rand::rng())),
            Self::Send => Command::Send(MessageFlags { notification: false }, b"text".as_slice().into()),
            Self::Skey => Command::SenderSecure(key.public_key().into()),
            Self::Lkey => Command::SecureAndGetLink(key.public_key().into()),
            Self::Lget => Command::GetLink,
            Self::Nsub => Command::SubscribeNotifications,
        }
    }

    /// In the order of [`IDS`]. Two different queues: the second use of one would find it in the processor's cache.
    fn ids(self, queue: &QueueRecord, other: &QueueRecord) -> [EntityId; 3] {
        let right = match self {
            Self::Sub | Self::Ack => EntityId::from(&queue.recipient_id),
            Self::Send | Self::Skey => EntityId::from(&queue.sender_id),
            Self::Lkey | Self::Lget => queue.link.as_ref().map(|link| (&link.id).into()).unwrap(),
            Self::Nsub => queue.notifier.as_ref().map(|notifier| (&notifier.id).into()).unwrap(),
        };
        let wrong = match self {
            Self::Sub | Self::Ack => EntityId::from(&other.sender_id),
            _ => EntityId::from(&other.recipient_id),
        };
        [EntityId::generate(&mut rand::rng()), right, wrong]
    }
}

/// A secured queue with everything that a queue can have.
fn queue(kind: Kind) -> NewQueue {
    let rng = &mut rand::rng();
    let dh = DhSecret::from_bytes([3; 32]);
    let data = LinkData { fixed: vec![1; 100], user: vec![2; 100] };
    let key = kind.generate().public_key();
    let record = QueueRecord {
        recipient_id: RecipientId::generate(rng),
        recipient_keys: vec![key],
        recipient_dh: dh.clone(),
        sender_id: SenderId::generate(rng),
        sender_key: Some(key),
        mode: Some(QueueMode::Messaging),
        link: Some(QueueLink::new(LinkId::generate(rng), &data)),
        notifier: Some(Notifier { id: NotifierId::generate(rng), key, dh, service: None }),
        status: QueueStatus::Active,
        updated: None,
        recipient_service: None,
    };
    NewQueue { record, link_data: Some(data) }
}

async fn create(store: &dyn Store, kind: Kind, count: usize) -> Vec<Arc<QueueRecord>> {
    let creating = (0..count).map(|_| store.create_queue(queue(kind)));
    let created = futures_util::future::join_all(creating).await;
    let mut queues: Vec<_> = created.into_iter().map(Result::unwrap).collect();
    // In the order of their creation the processor would see the next one coming.
    queues.shuffle(&mut rand::rng());
    queues
}

/// Times in nanoseconds, in the order of [`IDS`].
type Times = [Vec<f64>; 3];

/// A relay whose commands are refused.
struct Refusing {
    node: Arc<Node>,
    caller: Caller,
    /// Authorizes everything, and is no queue's.
    key: PrivateAuthKey,
}

impl Refusing {
    fn new(store: Arc<dyn Store>, kind: Kind) -> Self {
        Self { caller: testing::caller(), node: testing::node_on(store), key: kind.generate() }
    }

    async fn time(&self, asked: Asked, id: &EntityId) -> f64 {
        let cx = testing::context(&self.node, &self.caller, id.clone());
        let authorized = [id.as_bytes(), cx.corr_id.as_bytes()].concat();
        let proof = OwnedProof::made_by(&self.key, authorized, &cx);
        let command = asked.command(&self.key);
        let start = Instant::now();
        let outcome = run(&cx, command, &proof).await;
        let time = start.elapsed();
        let refused = matches!(outcome.answer, Content::Message(BrokerMessage::Error(ErrorType::Auth)));
        assert!(refused, "{asked:?} was not refused");
        time.as_secs_f64() * 1e9
    }

    async fn times(&self, asked: Asked, queues: &[Arc<QueueRecord>], place: Place) -> Times {
        let (pairs, _) = queues.as_chunks();
        let rounds: Vec<_> = pairs.iter().map(|[queue, other]| asked.ids(queue, other)).collect();
        if place == Place::Again {
            for id in rounds.iter().flatten() {
                self.time(asked, id).await;
            }
        }
        let mut times: Times = Default::default();
        let mut order = [0, 1, 2];
        for (round, ids) in rounds.iter().enumerate() {
            order.shuffle(&mut rand::rng());
            for which in order {
                let time = self.time(asked, &ids[which]).await;
                if round >= WARM_UP {
                    times[which].push(time);
                }
            }
        }
        times
    }
}

/// The difference of two means, and its standard error.
#[derive(Clone, Copy)]
struct Difference {
    mean: f64,
    error: f64,
}

impl Difference {
    /// Of the times up to this quantile of all.
    fn of(a: &[f64], b: &[f64], crop: f64) -> Self {
        let mut all = [a, b].concat();
        all.sort_by(f64::total_cmp);
        let limit = all[((all.len() - 1) as f64 * crop) as usize];
        let ((mean_a, error_a), (mean_b, error_b)) = (moments(a, limit), moments(b, limit));
        Self { mean: mean_b - mean_a, error: (error_a + error_b).sqrt() }
    }

    /// Welch's t of what is beyond the tolerance.
    fn t(self, tolerance: f64) -> f64 {
        (self.mean.abs() - tolerance).max(0.0) / self.error
    }
}

/// Mean of the times up to a limit, and the square of its standard error.
fn moments(times: &[f64], limit: f64) -> (f64, f64) {
    let times: Vec<f64> = times.iter().copied().filter(|time| *time <= limit).collect();
    let count = times.len() as f64;
    let mean = times.iter().sum::<f64>() / count;
    let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (count - 1.0);
    (mean, variance / count)
}

/// Whether no pair can be told apart, and what is to be said about it.
fn compare(times: &Times, tolerance: f64) -> (bool, String) {
    let (mut equal, mut detectable, mut text) = (true, 0.0_f64, String::new());
    for (a, b) in PAIRS {
        let differences = CROPS.map(|crop| Difference::of(&times[a], &times[b], crop));
        let worst = differences.into_iter().max_by(|x, y| x.t(tolerance).total_cmp(&y.t(tolerance))).unwrap();
        equal &= worst.t(tolerance) <= THRESHOLD;
        // The narrower of the two finds the smaller differences.
        let found = differences.map(|difference| (THRESHOLD + POWER) * difference.error);
        detectable = detectable.max(found.into_iter().fold(f64::INFINITY, f64::min));
        text += &format!("; {} to {} {:+.0} ns, t {:.1}", IDS[a], IDS[b], worst.mean, worst.t(0.0));
    }
    (equal, format!("found with 90 %: {:.0} ns{text}", tolerance + detectable))
}

fn setting<T: std::str::FromStr>(name: &str, default: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// The store with the queues at their place.
async fn store_with(
    directory: &Path,
    place: Place,
    kind: Kind,
    count: usize,
) -> (Arc<dyn Store>, Vec<Arc<QueueRecord>>) {
    if place == Place::Memory {
        let store = MemoryStore::new(4);
        let queues = create(&store, kind, count).await;
        return (Arc::new(store), queues);
    }
    let name = format!("{place:?}-{}.db", rand::random::<u64>());
    let config = SqliteConfig::new(directory.join(name));
    let store = SqliteStore::open(config.clone()).await.unwrap();
    let queues = create(&store, kind, count).await;
    if place != Place::Disk {
        return (Arc::new(store), queues);
    }
    store.close().await.unwrap();
    (Arc::new(SqliteStore::open(config).await.unwrap()), queues)
}

async fn cannot_be_told_apart(place: Place) {
    let samples = setting("SMP_TEST_TIMING_SAMPLES", SAMPLES);
    let tolerance = setting("SMP_TEST_TIMING_TOLERANCE", TOLERANCE) * 1e3;
    let directory = tempfile::tempdir().unwrap();
    let mut different = Vec::new();
    for kind in KINDS {
        for asked in COMMANDS {
            let mut found = Vec::new();
            while found.len() < ATTEMPTS {
                let (store, queues) =
                    store_with(directory.path(), place, kind, 2 * (samples + WARM_UP)).await;
                let relay = Refusing::new(store.clone(), kind);
                let times = relay.times(asked, &queues, place).await;
                store.close().await.unwrap();
                let (equal, text) = compare(&times, tolerance);
                let verdict = if equal { "equal" } else { "DIFFERENT" };
                let text = format!("{place:?} {kind:?} {asked:?}, 3 × {samples} samples: {verdict}; {text}");
                println!("{text}");
                if equal {
                    break;
                }
                found.push(text);
            }
            if found.len() == ATTEMPTS {
                different.extend(found);
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
}

#[tokio::test]
async fn refusals_of_the_memory_store_take_the_same_time() {
    cannot_be_told_apart(Place::Memory).await;
}

#[tokio::test]
async fn refusals_about_queues_on_disk_take_the_same_time() {
    cannot_be_told_apart(Place::Disk).await;
}

#[tokio::test]
async fn refusals_about_queues_in_use_take_the_same_time() {
    cannot_be_told_apart(Place::Used).await;
}

#[tokio::test]
async fn repeated_refusals_take_the_same_time() {
    cannot_be_told_apart(Place::Again).await;
}

#[test]
fn differences_are_found() {
    let times = |moved: f64| -> Vec<f64> {
        let noise = || (0..6).map(|_| rand::random::<f64>()).sum::<f64>();
        let tail = || if rand::random::<f64>() < 0.05 { 1e5 } else { 0.0 };
        (0..2000).map(|_| 1000.0 + 100.0 * noise() + tail() + moved).collect()
    };
    assert!((0..ATTEMPTS).any(|_| compare(&[times(0.0), times(0.0), times(0.0)], 0.0).0));
    let (equal, text) = compare(&[times(0.0), times(0.0), times(30.0)], 0.0);
    assert!(!equal, "{text}");
    assert!(compare(&[times(0.0), times(0.0), times(30.0)], 60.0).0);
}
