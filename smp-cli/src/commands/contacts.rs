//! `smp contacts`: who there is, how far each has come, and what is wrong with them now.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use serde_json::json;
use smp_agent::ConnectionSummary;
use tokio::time::{Instant, timeout_at};

use super::notices::{explain, word};
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Glance, Notice, Session};
use crate::trouble::Trouble;
use smp_chat::{Contact, MAX_UNREAD, Status};

/// How long relays that could not be reached before may take to answer now.
const RELAYS: Duration = Duration::from_secs(3);

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
    print(&contacts, &connections, &unread, output);
    Ok(Exit::DONE)
}

/// The same, without going on with anything, where that shows all there is to tell. A thousand contacts are a matter of milliseconds then.
pub(crate) async fn at_a_glance(dir: &DataDir, output: &Output) -> Option<Exit> {
    let glance = Glance::at(dir).await?;
    print(&glance.contacts, glance.connections(), &glance.unread, output);
    Some(Exit::DONE)
}

fn print(
    contacts: &[Contact],
    connections: &[ConnectionSummary],
    unread: &HashMap<i64, u32>,
    output: &Output,
) {
    let connections: HashMap<_, _> = connections.iter().map(|it| (it.id.number(), it)).collect();
    let width = contacts.iter().map(|contact| contact.name.chars().count()).max().unwrap_or_default();
    for contact in contacts {
        let connection = connections.get(&contact.connection).copied();
        let troubles = connection.map(Trouble::all).unwrap_or_default();
        let rotations: Vec<_> = connection
            .iter()
            .flat_map(|connection| &connection.rotations)
            .map(|(side, stage)| json!({ "side": word(side), "stage": word(stage) }))
            .collect();
        let fields = json!({
            "contact": contact.name,
            "status": contact.status,
            "verified": contact.verified_code.is_some(),
            "muted": contact.is_muted,
            "link": contact.link,
            "unread": unread.get(&contact.id).copied().unwrap_or_default(),
            "troubles": troubles,
            "waiting": connection.map_or(0, |connection| connection.waiting),
            "encryption": connection.map(|connection| word(connection.sync)),
            "rotations": rotations,
        });
        output.result(
            "contact",
            fields,
            &format!(
                "{:width$}  {}{}{}{}",
                contact.name,
                describe(contact),
                if contact.is_muted { ", muted" } else { "" },
                new(unread.get(&contact.id).copied()),
                in_words(&troubles)
            ),
        );
    }
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

fn describe(contact: &Contact) -> &'static str {
    match (contact.status, contact.verified_code.is_some()) {
        (Status::Invited, _) => "invited: has not used the link yet",
        (Status::Requested, _) => "asks to connect: `smp accept` or `smp refuse`",
        (Status::Joining, _) => "connecting: waits for the other side",
        (Status::Connected, true) => "connected, verified",
        (Status::Connected, false) => "connected",
        (Status::Ended, _) => "gone",
    }
}

/// How much is unread, to stand behind the status.
fn new(unread: Option<u32>) -> String {
    match unread {
        None => String::new(),
        Some(MAX_UNREAD) => format!(", more than {} new", MAX_UNREAD - 1),
        Some(count) => format!(", {count} new"),
    }
}

/// The troubles in words, to stand behind the rest of the line.
fn in_words(troubles: &[Trouble]) -> String {
    troubles.iter().map(|trouble| format!("; {}: {}", trouble.kind.describe(), trouble.reason)).collect()
}
