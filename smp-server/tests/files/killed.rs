//! The relay is killed with SIGKILL at random moments of uploads, downloads and deletions, and started again: whatever was answered must
//! hold, and nothing may be left that nobody knows of.
//!
//! ```text
//! SMP_TEST_KILLS=200 cargo test -p smp-server --test files killed -- --nocapture
//! ```

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use futures_util::future::join_all;
use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use smp_protocol::address::XftpAddress;
use smp_protocol::id::EntityId;
use smp_protocol::xftp::command::XftpCommand;
use smp_protocol::xftp::error::XftpError;
use smp_protocol::xftp::response::XftpResponse;

use super::client::{Chunk, SIZE};
use super::*;

/// Kills in a run without `SMP_TEST_KILLS`.
const KILLS: u32 = 5;
/// People who upload, download and delete at the same time.
const PEOPLE: usize = 4;
/// Chunks that each of them still knows after a kill.
const REMEMBERED: usize = 8;
/// How long the relay lives under load, in milliseconds.
const LIFETIME: std::ops::Range<u64> = 20..300;

/// A chunk, as its owner knows it.
struct Owned {
    chunk: Chunk,
    sender_id: EntityId,
    recipient_ids: Vec<EntityId>,
    uploaded: Known,
    deleted: Known,
}

/// Whether something was done.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    No,
    /// It was asked for, and not answered.
    Perhaps,
    Yes,
}

struct Person {
    rng: StdRng,
    owned: Vec<Owned>,
    answered: usize,
    forgotten: usize,
}

impl Person {
    /// Until the connection breaks.
    async fn work(&mut self, client: &mut Client) -> Option<()> {
        loop {
            let chunk = Chunk::new(self.rng.random_range(0..250));
            let (sender_id, recipient_ids) = create(client, &chunk).await?;
            let of_this = Owned { chunk, sender_id, recipient_ids, uploaded: Known::No, deleted: Known::No };
            self.owned.push(of_this);
            let at = self.rng.random_range(0..self.owned.len());
            for at in [self.owned.len() - 1, at] {
                self.owned[at].upload(client).await?;
                self.answered += 1;
            }
            let at = self.rng.random_range(0..self.owned.len());
            if self.rng.random_bool(0.3) {
                self.owned[at].delete(client).await?;
                self.answered += 1;
            } else {
                self.owned[at].check(client).await?;
            }
        }
    }
}

impl Person {
    /// Deletes the oldest chunks.
    async fn forget(&mut self, client: &mut Client) -> Option<()> {
        while self.owned.len() > REMEMBERED {
            let mut oldest = self.owned.remove(0);
            oldest.delete(client).await?;
            oldest.check(client).await?;
            self.forgotten += 1;
        }
        Some(())
    }
}

async fn create(client: &mut Client, chunk: &Chunk) -> Option<(EntityId, Vec<EntityId>)> {
    let created =
        client.try_send(chunk.command(SIZE), &EntityId::empty(), Some(&chunk.sender), &[]).await.ok()?;
    match created.0 {
        XftpResponse::SenderIds(sender, recipients) => {
            Some((sender.into(), recipients.iter().map(EntityId::from).collect()))
        }
        other => panic!("{other:?}"),
    }
}

impl Owned {
    async fn upload(&mut self, client: &mut Client) -> Option<()> {
        if self.deleted != Known::No {
            return Some(());
        }
        self.uploaded = self.uploaded.max(Known::Perhaps);
        let (first, second) = self.chunk.content.split_at(30_000);
        let (key, body) = (Some(&self.chunk.sender), [first, second]);
        let put = client.try_send(XftpCommand::Put, &self.sender_id, key, &body).await;
        assert_eq!(put.ok()?.0, XftpResponse::Ok);
        self.uploaded = Known::Yes;
        Some(())
    }

    async fn delete(&mut self, client: &mut Client) -> Option<()> {
        if self.deleted != Known::No {
            return Some(());
        }
        self.deleted = Known::Perhaps;
        let deleted = client.try_send(XftpCommand::Delete, &self.sender_id, Some(&self.chunk.sender), &[]);
        assert_eq!(deleted.await.ok()?.0, XftpResponse::Ok);
        self.deleted = Known::Yes;
        Some(())
    }

    /// The relay says of it what was answered; the rest is known then.
    async fn check(&mut self, client: &mut Client) -> Option<()> {
        let got = client.try_get(&self.recipient_ids[0], &self.chunk.recipients[0]).await.ok()?;
        let found = match &got {
            Ok(content) => {
                assert!(*content == self.chunk.content, "another content");
                (Known::Yes, Known::No)
            }
            Err(XftpError::NoFile) => (Known::No, Known::No),
            Err(XftpError::Auth) => (self.uploaded, Known::Yes),
            Err(other) => panic!("{other:?}"),
        };
        let is_as_known = |known, found| known == Known::Perhaps || known == found;
        let is_upload = found.1 == Known::Yes || is_as_known(self.uploaded, found.0);
        assert!(is_upload && is_as_known(self.deleted, found.1), "{got:?}");
        (self.uploaded, self.deleted) = found;
        Some(())
    }
}

impl Known {
    fn max(self, other: Self) -> Self {
        if self == Self::Yes { self } else { other }
    }
}

struct Process {
    child: Child,
    address: XftpAddress,
}

fn start_program(dir: &Path, port: u16) -> Process {
    let listen = format!("127.0.0.1:{port}");
    let mut child = Command::new(env!("CARGO_BIN_EXE_smp-server"))
        .args(["start", "--dir", dir.to_str().unwrap(), "--listen", &listen])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(std::fs::File::create(dir.join("log")).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.by_ref().map(Result::unwrap).find(|line| line.starts_with("xftp://")).unwrap();
    Process { child, address: address.parse().unwrap() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_holds_after_being_killed() {
    let number = |name| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let kills = number("SMP_TEST_KILLS").map_or(KILLS, |kills| u32::try_from(kills).unwrap());
    let seed = number("SMP_SEED").unwrap_or_else(|| rand::rng().random());
    println!("SMP_SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let temporary = tempfile::tempdir().unwrap();
    let dir = temporary.path().join("relay");
    let init = ["init", "--dir", dir.to_str().unwrap(), "--files"];
    assert!(Command::new(env!("CARGO_BIN_EXE_smp-server")).args(init).output().unwrap().status.success());
    let mut relay = start_program(&dir, 0);
    let port = relay.address.port_or_default();
    let fingerprint = relay.address.0.fingerprint;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let person =
        |_| Person { rng: StdRng::seed_from_u64(rng.random()), owned: Vec::new(), answered: 0, forgotten: 0 };
    let mut people: Vec<_> = (0..PEOPLE).map(person).collect();
    for _ in 0..kills {
        // Connected before the time starts, so that it is spent under load.
        let connecting = (0..PEOPLE).map(|_| connect(address, fingerprint, XFTP));
        let mut clients: Vec<_> = join_all(connecting).await.into_iter().map(Option::unwrap).collect();
        let work = people.iter_mut().zip(&mut clients).map(|(person, client)| person.work(client));
        let lifetime = Duration::from_millis(rng.random_range(LIFETIME));
        let killing = async {
            tokio::time::sleep(lifetime).await;
            relay.child.kill().unwrap();
            relay.child.wait().unwrap();
        };
        tokio::join!(join_all(work), killing);
        relay = start_program(&dir, port);
        assert_eq!(files(&dir, "incoming"), [""; 0]);
        let mut client = connect(address, fingerprint, XFTP).await.unwrap();
        for owned in people.iter_mut().flat_map(|person| &mut person.owned) {
            owned.check(&mut client).await.unwrap();
        }
        let known = people.iter().flat_map(|person| &person.owned);
        // An upload whose record was not written left its file, which goes with the record, or is replaced.
        let may_be = known.clone().filter(|owned| owned.deleted != Known::Yes).count();
        let must_be =
            known.filter(|owned| (owned.uploaded, owned.deleted) == (Known::Yes, Known::No)).count();
        let there = files(&dir, "chunks").len();
        assert!((must_be..=may_be).contains(&there), "{must_be} <= {there} <= {may_be}");
        for person in &mut people {
            person.forget(&mut client).await.unwrap();
        }
    }
    let answered: usize = people.iter().map(|person| person.answered).sum();
    let chunks: usize = people.iter().map(|person| person.owned.len() + person.forgotten).sum();
    println!("{kills} kills: {answered} answers about {chunks} chunks held");
    assert!(answered > 0, "the relay was hardly used");
    relay.child.kill().unwrap();
    relay.child.wait().unwrap();
}
