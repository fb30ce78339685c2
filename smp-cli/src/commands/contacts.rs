//! `smp contacts`: who there is, how far each has come, and what is wrong with them now.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::{Value, json};
use smp_agent::{ConnectionSummary, SeenConnection, SyncState};
use tokio::time::{Instant, timeout_at};

use super::notices::{explain, word};
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Glance, Notice, Session};
use crate::trouble::Trouble;
use smp_chat::{Contact, ListedContact, MAX_UNREAD, Status};

/// How long relays that could not be reached before may take to answer now.
const RELAYS: Duration = Duration::from_secs(3);

/// A contact, and what the agent says of its connection.
struct Entry {
    contact: ListedContact,
    troubles: Vec<Trouble>,
    rotations: Vec<Value>,
    /// Messages that wait to be sent.
    waiting: u32,
    /// None without a connection.
    encryption: Option<SyncState>,
}

impl Entry {
    fn new(contact: ListedContact, connection: Option<&ConnectionSummary>) -> Self {
        let rotations = connection.iter().flat_map(|connection| &connection.rotations);
        let rotations =
            rotations.map(|(side, stage)| json!({ "side": word(side), "stage": word(stage) })).collect();
        Self {
            contact,
            troubles: connection.map(Trouble::all).unwrap_or_default(),
            rotations,
            waiting: connection.map_or(0, |connection| connection.waiting),
            encryption: connection.map(|connection| connection.sync),
        }
    }

    /// One at a glance.
    fn seen(contact: ListedContact, connection: Option<&SeenConnection>) -> Self {
        let is_plain = connection.is_some_and(|connection| connection.summary.is_none());
        let entry = Self::new(contact, connection.and_then(|connection| connection.summary.as_deref()));
        Self { encryption: entry.encryption.or(is_plain.then_some(SyncState::Ok)), ..entry }
    }

    fn fields(&self) -> Value {
        json!({
            "contact": self.contact.name,
            "status": self.contact.status,
            "verified": self.contact.is_verified,
            "muted": self.contact.is_muted,
            "link": self.contact.link,
            "unread": self.contact.unread,
            "troubles": self.troubles,
            "waiting": self.waiting,
            "encryption": self.encryption.map(word),
            "rotations": self.rotations,
        })
    }

    fn sentence(&self, width: usize) -> String {
        format!(
            "{:width$}  {}{}{}{}",
            self.contact.name,
            describe(&self.contact),
            if self.contact.is_muted { ", muted" } else { "" },
            new(self.contact.unread),
            in_words(&self.troubles)
        )
    }
}

pub(super) async fn run(session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let contacts = session.book().contacts().await?;
    if contacts.is_empty() {
        output.hint("There are no contacts yet; begin with `smp invite` or `smp join LINK`.");
    }
    let connections = look_again(session, output).await?;
    if let Some(error) = session.agent().no_space() {
        explain(&Notice::StorageFailed(error.to_string()), output);
    }
    let unread = session.book().unread().await?;
    let connections: HashMap<_, _> = connections.iter().map(|it| (it.id.number(), it)).collect();
    let entry = |contact: &Contact| {
        let listed = ListedContact::of(contact, unread.get(&contact.id).copied().unwrap_or_default());
        Entry::new(listed, connections.get(&contact.connection).copied())
    };
    print(&contacts.iter().map(entry).collect::<Vec<_>>(), output);
    Ok(Exit::DONE)
}

/// The same, without going on with anything, where that shows all there is to tell. A thousand contacts are a matter of milliseconds then.
pub(crate) async fn at_a_glance(dir: &DataDir, output: &Output) -> Option<Exit> {
    let Glance { contacts, agent } = Glance::at(dir).await?;
    let connections: HashMap<_, _> = agent.connections().iter().map(|it| (it.id.number(), it)).collect();
    let entry = |contact: ListedContact| {
        let connection = connections.get(&contact.connection).copied();
        Entry::seen(contact, connection)
    };
    print(&contacts.into_iter().map(entry).collect::<Vec<_>>(), output);
    Some(Exit::DONE)
}

fn print(entries: &[Entry], output: &Output) {
    let width = entries.iter().map(|entry| entry.contact.name.chars().count()).max().unwrap_or_default();
    output.results("contact", entries, Entry::fields, |entry| entry.sentence(width));
}

/// The agent's view of all connections. A relay that could not be reached when the agent ran last gets a moment.
async fn look_again(session: &mut Session, output: &Output) -> anyhow::Result<Vec<ConnectionSummary>> {
    let deadline = Instant::now() + RELAYS;
    let mut answered = HashSet::new();
    loop {
        let connections = session.connections().await?;
        let troubles = connections.iter().flat_map(Trouble::all);
        let unknown = troubles.filter_map(|trouble| trouble.relay).any(|relay| !answered.contains(&relay));
        if !unknown || !session.shows_texts() {
            return Ok(connections);
        }
        match timeout_at(deadline, session.next()).await {
            // The list says it.
            Ok(Ok(Notice::RelayUp(relay) | Notice::RelayDown(relay, _))) => {
                answered.insert(relay);
            }
            // It is said beside the list.
            Ok(Ok(Notice::StorageFailed(_))) => {}
            Ok(notice) => explain(&notice?, output),
            Err(_) => return session.connections().await,
        }
    }
}

fn describe(contact: &ListedContact) -> &'static str {
    match (contact.status, contact.is_verified) {
        (Status::Invited, _) => "invited: has not used the link yet",
        (Status::Requested, _) => "asks to connect: `smp accept` or `smp refuse`",
        (Status::Joining, _) => "connecting: waits for the other side",
        (Status::Connected, true) => "connected, verified",
        (Status::Connected, false) => "connected",
        (Status::Ended, _) => "gone",
    }
}

/// How much is unread, to stand behind the status.
fn new(unread: u32) -> String {
    match unread {
        0 => String::new(),
        MAX_UNREAD => format!(", more than {} new", MAX_UNREAD - 1),
        count => format!(", {count} new"),
    }
}

/// The troubles in words, to stand behind the rest of the line.
fn in_words(troubles: &[Trouble]) -> String {
    troubles.iter().map(|trouble| format!("; {}: {}", trouble.kind.describe(), trouble.reason)).collect()
}
