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
        // The one holds the directory before the other reads.
        let agent = smp_agent::Glance::at(&dir.agent_dir()).await.ok()??;
        let contacts = Book::listing(&dir.book_file(), unix_millis()).await.ok()??;
        let glance = Self { contacts, agent };
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
