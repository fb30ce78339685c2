//! A glance at an identity: its contacts as they were left, where nothing has to be gone on with to know them.

use std::collections::HashMap;

use smp_chat::{Book, ListedContact};

use super::identity::{entered_as, followed};
use crate::data_dir::DataDir;
use crate::relays::parse_relays;
use crate::text::unix_millis;

/// Contacts and their connections, of one moment.
pub(crate) struct Glance {
    pub(crate) contacts: Vec<ListedContact>,
    pub(crate) agent: smp_agent::Glance,
}

impl Glance {
    /// None where the identity has to be opened, for whatever reason: then it is that which finds words for it.
    pub(crate) async fn at(dir: &DataDir) -> Option<Self> {
        let settings = dir.settings().ok()?;
        parse_relays(&settings.relays).ok()?;
        settings.network.settings().ok()?;
        // One that is not wanted goes when the book is opened.
        if !settings.history {
            return None;
        }
        let (agent_dir, book) = (dir.agent_dir(), dir.book_file());
        let (agent, contacts) = tokio::join! {
            // The first is asked first: it holds the directory before the second reads.
            biased;
            smp_agent::Glance::at(&agent_dir),
            Book::listing(&book, unix_millis()),
        };
        let glance = Self { contacts: contacts.ok()??, agent: agent.ok()?? };
        (!glance.contacts.is_empty() && glance.is_complete()).then_some(glance)
    }

    /// Whether a kill left nothing that the book does not know yet.
    fn is_complete(&self) -> bool {
        let contacts: HashMap<i64, &ListedContact> =
            self.contacts.iter().map(|contact| (contact.connection, contact)).collect();
        self.agent.connections().iter().all(|connection| match contacts.get(&connection.id.number()) {
            Some(contact) => followed(contact.status, connection.status).is_none(),
            None => entered_as(connection.status).is_none(),
        })
    }
}
