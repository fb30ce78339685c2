//! A glance at an identity: its contacts as they were left, where nothing has to be gone on with to know them.

use std::collections::HashMap;

use smp_agent::ConnectionSummary;
use smp_chat::{Book, Contact};

use super::identity::{entered_as, followed};
use crate::data_dir::DataDir;
use crate::relays::parse_relays;
use crate::text::unix_millis;

/// Contacts and their connections, of one moment.
pub(crate) struct Glance {
    pub(crate) contacts: Vec<Contact>,
    /// How much of each contact was not read.
    pub(crate) unread: HashMap<i64, u32>,
    agent: smp_agent::Glance,
}

impl Glance {
    /// None where the identity has to be opened, for whatever reason: then it is that which finds words for it.
    pub(crate) async fn at(dir: &DataDir) -> Option<Self> {
        let settings = dir.settings().ok()?;
        parse_relays(&settings.relays).ok()?;
        settings.network.settings().ok()?;
        let agent = smp_agent::Glance::at(&dir.agent_dir()).await.ok()??;
        std::fs::metadata(dir.book_file()).ok().filter(|file| file.len() > 0)?;
        let book = Book::open(&dir.book_file(), None, settings.history).await.ok()?;
        let glance = Self::of(agent, &book).await;
        book.close().await;
        glance.filter(Self::is_complete)
    }

    async fn of(agent: smp_agent::Glance, book: &Book) -> Option<Self> {
        book.expire(unix_millis()).await.ok()?;
        let is_behind = !book.not_handed_over().await.ok()?.is_empty();
        let (contacts, unread) = (book.contacts().await.ok()?, book.unread().await.ok()?);
        (!is_behind && !contacts.is_empty()).then_some(Self { contacts, unread, agent })
    }

    /// Whether a kill left nothing that the book does not know yet.
    fn is_complete(&self) -> bool {
        let contacts: HashMap<i64, &Contact> =
            self.contacts.iter().map(|contact| (contact.connection, contact)).collect();
        self.connections().iter().all(|connection| match contacts.get(&connection.id.number()) {
            Some(contact) => followed(contact, connection.status).is_none(),
            None => entered_as(connection.status).is_none(),
        })
    }

    /// The agent's view of all connections.
    pub(crate) fn connections(&self) -> &[ConnectionSummary] {
        self.agent.connections()
    }
}
