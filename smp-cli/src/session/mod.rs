//! A session: an open identity together with what happens to it, in the process that holds it or in one that follows.

mod arrivals;
mod events;
mod glance;
mod handing_over;
mod identity;
mod notice;
mod outgoing;
mod profile;
mod uploads;

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use smp_agent::{Delivery, Event, Events};
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

pub(crate) use self::glance::Glance;
pub(crate) use self::identity::Identity;
pub(crate) use self::notice::Notice;
pub(crate) use self::outgoing::{LeftContent, SendOptions};
pub(crate) use self::uploads::{has_begun_files, send_begun_files};
use crate::data_dir::DataDir;
use crate::files::Missing;
use crate::full_disk;
use crate::passphrase::Passphrase;

/// Notices that wait for a command which follows them and is slow; older ones are dropped.
const FOLLOWED_NOTICES: usize = 1024;

/// Events that are applied together.
const TOGETHER: usize = 256;

/// An open identity, with what happens to it.
pub(crate) struct Session {
    identity: Arc<Identity>,
    source: Source,
}

/// Where notices come from.
enum Source {
    /// This session applies the agent's events.
    Events(Box<EventSource>),
    /// Another session of this process does.
    Follow { notices: broadcast::Receiver<Notice>, ending: CancellationToken },
}

struct EventSource {
    events: Events,
    /// Events that are not done: kept here so that [`Session::next`] may be dropped at any time.
    current: Vec<Delivery>,
    /// How many of them were applied, and the notices of these.
    applied: (usize, Vec<Notice>),
    /// Whether space is short: then one event is applied after the other.
    is_tight: bool,
    /// Notices of the events that were applied, not told yet.
    notices: VecDeque<Notice>,
    /// Whether it was told that there is no space to apply it.
    told_full_disk: bool,
    /// For the sessions that follow.
    told: broadcast::Sender<Notice>,
}

/// Makes sessions that follow another one of this process: they do everything but apply events and show texts.
#[derive(Clone)]
pub(crate) struct Follow {
    identity: Arc<Identity>,
    told: broadcast::Sender<Notice>,
}

impl Follow {
    /// The identity.
    pub(crate) fn identity(&self) -> Arc<Identity> {
        self.identity.clone()
    }

    /// The notices from now on. A slow reader misses some.
    pub(crate) fn notices(&self) -> broadcast::Receiver<Notice> {
        self.told.subscribe()
    }

    /// Waits until a command of this process may have changed the book. May be dropped while it waits.
    pub(crate) async fn changed(&self) {
        self.identity.changed().await;
    }

    /// A session that gets no more notices when `ending` says so.
    pub(crate) fn session(&self, ending: CancellationToken) -> Session {
        let source = Source::Follow { notices: self.told.subscribe(), ending };
        Session { identity: self.identity.clone(), source }
    }
}

/// The session that this one follows ends: nothing more is learned here. Texts that were handed over are kept.
#[derive(Debug, thiserror::Error)]
#[error("the program that serves this one ends")]
pub(crate) struct Ending;

impl Deref for Session {
    type Target = Identity;

    fn deref(&self) -> &Identity {
        &self.identity
    }
}

impl Session {
    /// Opens the identity and receives its events, alone: see [`Identity::open`].
    pub(crate) async fn open(
        dir: &DataDir,
        how: Missing,
        passphrase: &mut Passphrase,
    ) -> anyhow::Result<Self> {
        let (identity, events) = Identity::open(dir, how, passphrase).await?;
        let told = broadcast::Sender::new(FOLLOWED_NOTICES);
        let source = EventSource {
            events,
            current: Vec::new(),
            applied: (0, Vec::new()),
            is_tight: false,
            notices: VecDeque::new(),
            told_full_disk: false,
            told,
        };
        Ok(Self { identity: Arc::new(identity), source: Source::Events(Box::new(source)) })
    }

    /// For other commands that are to run in this process. None if this session follows another one.
    pub(crate) fn follow(&self) -> Option<Follow> {
        match &self.source {
            Source::Events(source) => {
                Some(Follow { identity: self.identity.clone(), told: source.told.clone() })
            }
            Source::Follow { .. } => None,
        }
    }

    /// Whether texts that arrive are shown here.
    pub(crate) fn shows_texts(&self) -> bool {
        matches!(self.source, Source::Events(_))
    }

    /// Closes everything. Messages in flight go on at the next start.
    pub(crate) async fn close(self) {
        self.identity.close().await;
    }

    /// The next thing that happens. May be dropped while it waits; applying an event again changes nothing.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Notice> {
        match &mut self.source {
            Source::Events(source) => source.next(&self.identity).await,
            Source::Follow { notices, ending } => loop {
                let notice = ending.run_until_cancelled(notices.recv()).await;
                match notice {
                    Some(Ok(notice)) => return Ok(notice),
                    // Their effects are in the book.
                    Some(Err(RecvError::Lagged(_))) => {}
                    None | Some(Err(RecvError::Closed)) => return Err(Ending.into()),
                }
            },
        }
    }
}

impl EventSource {
    async fn next(&mut self, identity: &Identity) -> anyhow::Result<Notice> {
        loop {
            if let Some(notice) = self.notices.pop_front() {
                // Nobody may follow.
                let _ = self.told.send(notice.clone());
                return Ok(notice);
            }
            if self.current.is_empty() {
                self.current = self.events.next_many(TOGETHER).await?;
                if self.current.is_empty() {
                    anyhow::bail!("The agent has stopped; start the program again");
                }
            }
            match self.take(identity).await {
                Ok(()) => {
                    self.told_full_disk = false;
                    self.is_tight = self.is_tight && identity.agent().no_space().is_some();
                }
                Err(error) if full_disk::is_cause(&error) => {
                    self.is_tight = true;
                    self.wait_for_space(identity, &error).await;
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// Brings the book up to date with events, as many as go together, and gives them back to the agent.
    async fn take(&mut self, identity: &Identity) -> anyhow::Result<()> {
        if self.applied.0 == 0 {
            let limit = if self.is_tight { 1 } else { TOGETHER };
            let events: Vec<&Event> =
                self.current.iter().take(limit).map(|delivery| &delivery.event).collect();
            self.applied = identity.apply(&events).await?;
        }
        let (done, _) = self.current.split_at(self.applied.0.min(self.current.len()));
        // Only now: what the book does not have yet comes again after a crash. And before the next ones are applied: the book knows those again
        // that came last.
        Delivery::done_with(done).await?;
        let (count, notices) = std::mem::take(&mut self.applied);
        self.current.drain(..count.min(self.current.len()));
        self.notices = notices.into();
        Ok(())
    }

    /// The event stays with the agent, or with its relay, until this can store it.
    async fn wait_for_space(&mut self, identity: &Identity, error: &anyhow::Error) {
        // The reserve may be enough for it.
        if identity.agent().met_full_disk().await {
            return;
        }
        if std::mem::replace(&mut self.told_full_disk, true) {
            tokio::time::sleep(full_disk::RETRY).await;
        } else {
            let reason =
                identity.agent().no_space().map_or_else(|| error.to_string(), |error| error.to_string());
            self.notices.push_back(Notice::StorageFailed(reason));
        }
    }
}

#[cfg(test)]
mod tests;
