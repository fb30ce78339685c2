//! An identity: its agent, its book of contacts and conversations, and its settings; what every command does with contacts.

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, RwLock};

use anyhow::{Context as _, anyhow};
use smp_agent::{
    Agent, AgentConfig, AgentError, ConnectionId, ConnectionStatus, ConnectionSummary, Events, RelayAddress,
    SecretError, SecurityCode, ShortLinkScheme,
};
use smp_chat::profile::ours;
use smp_chat::{Book, Contact, KeptItem, Status};
use smp_protocol::chat::Profile;
use tokio::sync::Notify;

use super::handing_over::HandingOver;
use crate::book_key;
use crate::data_dir::{DataDir, Settings};
use crate::files::{Files, Missing, advised};
use crate::passphrase::Passphrase;
use crate::relays::parse_relays;
use crate::text::unix_millis;
use crate::trouble::Trouble;

/// The agent, the book, and who we are.
pub(crate) struct Identity {
    agent: Agent,
    book: Book,
    settings: Settings,
    /// As contacts see it.
    pub(super) profile: RwLock<Arc<Profile>>,
    dir: DataDir,
    pub(super) handing_over: Arc<HandingOver>,
    /// Files that somebody in this process is sending, by their directories.
    pub(super) uploads: std::sync::Mutex<HashSet<PathBuf>>,
    /// Told when something here has changed the book, besides events of the agent.
    changed: Notify,
}

impl Identity {
    /// Opens the files, alone: a second process is refused. So is an identity whose files have gone, unless they are to be made anew.
    pub(super) async fn open(
        dir: &DataDir,
        how: Missing,
        passphrase: &mut Passphrase,
    ) -> anyhow::Result<(Self, Events)> {
        let settings = dir.settings()?;
        let relays = parse_relays(&settings.relays)?;
        let files = Files::look(dir).await?;
        let mut config = AgentConfig::new(dir.agent_dir(), relays);
        config.receipts = settings.receipts;
        config.network = settings.network.settings()?;
        let (agent, events) = open_agent(config, passphrase).await?;
        if let Err(error) = files.check(&agent, how).await {
            agent.shutdown().await;
            return Err(error);
        }
        let key = agent.application_key(book_key::PURPOSE);
        if let Some(key) = &key {
            book_key::seal(&dir.book_file(), key).await?;
        }
        let book = Book::open(&dir.book_file(), key, settings.history).await.map_err(advised)?;
        let profile = RwLock::new(Arc::new(ours(&settings.name, book.own_profile().await.map_err(advised)?)));
        let handing_over = HandingOver::new(agent.clone(), book.clone());
        let identity = Self {
            agent,
            book,
            settings,
            profile,
            dir: dir.clone(),
            handing_over,
            uploads: std::sync::Mutex::default(),
            changed: Notify::new(),
        };
        identity.enter_unknown_connections().await?;
        identity.expire().await?;
        identity.hand_over_rest().await?;
        Ok((identity, events))
    }

    /// Closes everything. Messages in flight go on at the next start.
    pub(super) async fn close(&self) {
        self.agent.shutdown().await;
        self.book.close().await;
    }

    /// Enters connections that a kill kept out of the book: nobody could list or remove them.
    async fn enter_unknown_connections(&self) -> anyhow::Result<()> {
        let contacts = self.book.contacts().await?;
        let known: HashMap<i64, &Contact> =
            contacts.iter().map(|contact| (contact.connection, contact)).collect();
        for connection in self.agent.connections().await? {
            let number = connection.id.number();
            if let Some(contact) = known.get(&number) {
                self.follow_request(contact, connection.status).await?;
                continue;
            }
            let Some(status) = entered_as(connection.status) else { continue };
            let short = connection.short_invitation.map(|link| link.to_uri(ShortLinkScheme::Simplex));
            let link = short.or_else(|| connection.invitation.map(|link| link.to_string()));
            self.book.add(number, None, status, link.as_deref()).await?;
        }
        Ok(())
    }

    /// A kill between agent and book may leave a request that was accepted as one that was not, or the other way round.
    async fn follow_request(&self, contact: &Contact, status: ConnectionStatus) -> anyhow::Result<()> {
        match followed(contact.status, status) {
            Some(now) => Ok(self.book.set_status(contact, now).await?),
            None => Ok(()),
        }
    }

    /// Waits until another command of this process may have changed the book. May be dropped while it waits.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// Says that the book may have changed.
    pub(crate) fn note_change(&self) {
        self.changed.notify_one();
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The directory.
    pub(crate) fn dir(&self) -> &DataDir {
        &self.dir
    }

    /// The contact called `name`, or an error that says who there is.
    pub(crate) async fn contact(&self, name: &str) -> anyhow::Result<Contact> {
        self.book.require(name).await.map_err(advised)
    }

    /// Forgets messages whose time is over.
    pub(crate) async fn expire(&self) -> anyhow::Result<()> {
        match self.book.expire(unix_millis()).await {
            // Later, then.
            Err(error) if error.is_no_space() => Ok(()),
            expired => Ok(expired.map(drop)?),
        }
    }

    /// The item of this number in the conversation with the contact.
    pub(crate) async fn item(&self, contact: &Contact, number: i64) -> anyhow::Result<KeptItem> {
        self.book.item(contact, number).await.map_err(advised)
    }

    /// Whether conversations are kept.
    pub(crate) fn keeps_history(&self) -> bool {
        self.settings.history
    }

    /// Ends the connection and forgets the contact.
    pub(crate) async fn remove(&self, contact: &Contact) -> anyhow::Result<()> {
        let deleted = self.agent.connection(connection(contact)).delete().await;
        self.forget(contact, deleted).await
    }

    /// Begins to receive what a contact sends on another relay: on this one, or on one of ours.
    pub(crate) async fn rotate(&self, contact: &Contact, relay: Option<&RelayAddress>) -> anyhow::Result<()> {
        let rotated = self.agent.connection(connection(contact)).rotate(relay).await;
        rotated.map_err(|error| about(contact, error))
    }

    /// Begins to renew the encryption with a contact; with `force` also where nothing seems to be wrong.
    pub(crate) async fn renew_encryption(&self, contact: &Contact, force: bool) -> anyhow::Result<()> {
        let renewed = self.agent.connection(connection(contact)).resynchronize(force).await;
        renewed.map_err(|error| about(contact, error))
    }

    /// Our contact address, if there is one.
    pub(crate) async fn address(&self) -> anyhow::Result<Option<ConnectionSummary>> {
        let connections = self.agent.connections().await?;
        Ok(connections.into_iter().find(|connection| connection.status == ConnectionStatus::Address))
    }

    /// Lets somebody in who asks.
    pub(crate) async fn accept_request(&self, contact: &Contact) -> anyhow::Result<()> {
        let accepted = self.agent.connection(connection(contact)).accept(&self.own_info()).await;
        accepted.map_err(|error| about(contact, error))?;
        Ok(self.book.set_status(contact, Status::Joining).await?)
    }

    /// Forgets somebody who asks. They learn nothing.
    pub(crate) async fn refuse_request(&self, contact: &Contact) -> anyhow::Result<()> {
        let rejected = self.agent.connection(connection(contact)).reject().await;
        self.forget(contact, rejected).await
    }

    /// Forgets the contact of a connection that the agent has ended.
    async fn forget(&self, contact: &Contact, ended: Result<(), AgentError>) -> anyhow::Result<()> {
        match ended {
            // A crash may have come between the two halves of an earlier attempt.
            Ok(()) | Err(AgentError::UnknownConnection(_)) => Ok(self.book.remove(contact).await?),
            Err(error) => Err(about(contact, error)),
        }
    }

    /// The code that this side and the contact compare.
    pub(crate) async fn security_code(&self, contact: &Contact) -> anyhow::Result<SecurityCode> {
        let code = self.agent.connection(connection(contact)).security_code().await;
        let code = code.map_err(|error| about(contact, error))?;
        let missing =
            || format!("There is no security code before {} is connected; try again then", contact.name);
        code.with_context(missing)
    }

    /// The agent's view of all connections.
    pub(crate) async fn connections(&self) -> anyhow::Result<Vec<ConnectionSummary>> {
        Ok(self.agent.connections().await?)
    }

    /// The agent's view of a connection; None if there is none.
    pub(super) async fn summary(&self, id: ConnectionId) -> anyhow::Result<Option<ConnectionSummary>> {
        match self.agent.connection(id).summary().await {
            Err(AgentError::UnknownConnection(_)) => Ok(None),
            summary => Ok(summary?),
        }
    }

    /// The troubles of a contact now.
    pub(crate) async fn troubles(&self, contact: &Contact) -> anyhow::Result<Vec<Trouble>> {
        Ok(self.summary(connection(contact)).await?.as_ref().map(Trouble::all).unwrap_or_default())
    }
}

/// The status of a contact whose connection a kill kept out of the book. None for connections that are nobody's.
pub(super) fn entered_as(status: ConnectionStatus) -> Option<Status> {
    Some(match status {
        ConnectionStatus::Requested => Status::Requested,
        ConnectionStatus::Invited => Status::Invited,
        ConnectionStatus::Confirmed | ConnectionStatus::Connecting => Status::Joining,
        ConnectionStatus::Connected => Status::Connected,
        ConnectionStatus::Failed => Status::Ended,
        // Statuses of connections that this program does not make.
        _ => return None,
    })
}

/// The status of a request of which a kill kept the book behind its connection.
pub(super) fn followed(contact: Status, status: ConnectionStatus) -> Option<Status> {
    match (contact, status) {
        (Status::Joining, ConnectionStatus::Requested) => Some(Status::Requested),
        (Status::Requested, ConnectionStatus::Connecting) => Some(Status::Joining),
        _ => None,
    }
}

/// The agent's name for a contact.
pub(super) fn connection(contact: &Contact) -> ConnectionId {
    ConnectionId::new(contact.connection)
}

/// An error about this contact in words of the user: the agent names it by a number that nobody else sees.
pub(super) fn about(contact: &Contact, error: AgentError) -> anyhow::Error {
    let name = &contact.name;
    match error {
        AgentError::NotNow { status, advice, .. } => {
            anyhow!("the connection with {name} is {status}; {advice}")
        }
        AgentError::UnknownConnection(_) => {
            anyhow!("there is no connection with {name} any more; remove the contact and connect again")
        }
        AgentError::Encryption(_) => anyhow!(
            "the encryption state of the connection with {name} is damaged; remove the contact and connect again"
        ),
        error => error.into(),
    }
}

/// Opens the agent, and asks for the passphrase only when nobody else has the directory and it needs one.
async fn open_agent(mut config: AgentConfig, passphrase: &mut Passphrase) -> anyhow::Result<(Agent, Events)> {
    config.secret = passphrase.known()?;
    match Agent::open(config.clone()).await {
        Err(AgentError::Secret(SecretError::Needed(_))) => {
            config.secret = Some(passphrase.ask()?);
            Ok(Agent::open(config).await?)
        }
        opened => Ok(opened?),
    }
}
