//! An open identity: the agent, the book of contacts and new texts, and what every command does with the agent's events.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Arc;

use anyhow::{Context as _, anyhow};
use smp_agent::{
    Agent, AgentConfig, AgentError, ConnectionId, ConnectionStatus, ConnectionSummary, Delivery, Event,
    Events, Integrity, MessageId, RotationSide, RotationStage, SecurityCode, ShortLinkScheme, StorageError,
    SyncState,
};
use smp_protocol::address::RelayAddress;
use smp_protocol::chat::{ChatEvent, ChatMessage, SharedMessageId, decode_messages};
use smp_protocol::pasted;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio_util::sync::CancellationToken;

use crate::book::{Book, Contact, Introduction, NewText, Status, TextOrigin};
use crate::conversation::{Incoming, bodies, contact_request, own_profile, read, shown_with_link};
use crate::data_dir::{DataDir, Settings};
use crate::files::{Files, Missing};
use crate::full_disk;
use crate::trouble::Trouble;

/// Something that happened, after the book was brought up to date with it.
#[derive(Debug, Clone)]
pub(crate) enum Notice {
    /// The other person used our invitation.
    Joined(Contact),
    /// Messages can be exchanged.
    Connected(Contact),
    /// The contact calls themselves this now; here they keep their name.
    Renamed(Contact, String),
    /// A text was recorded; the book has it until it is shown.
    Text,
    /// The chain of the contact's messages is broken before the one that came, in this way.
    Gap(Contact, String),
    /// The recipient's relay keeps our message.
    Sent(Contact, MessageId),
    /// The contact's app has our message.
    Received(Contact, MessageId),
    /// Our message was given up, with the reason.
    SendFailed(Contact, MessageId, String),
    /// The contact's queue is full: messages wait until they take some.
    Waiting(Contact),
    /// The contact's relay refuses what it took before: messages wait.
    Refused(Contact),
    /// The connection is over, with the reason.
    Ended(Contact, String),
    /// Nothing comes from the contact for this reason; the agent goes on trying.
    Deaf(Contact, String),
    /// Something was received that could not be read.
    Unreadable(Contact, String),
    /// The encryption of the connection is out of step, is being renewed, or was; and whether the code that was compared does
    /// not count any more.
    Encryption(Contact, SyncState, bool),
    /// A queue of the connection moves to another relay.
    Rotation(Contact, RotationSide, RotationStage),
    /// A relay cannot be reached; the agent goes on trying.
    RelayDown(String, String),
    /// A relay is connected.
    RelayUp(String),
    /// The disk does not take what arrives; the agent goes on trying.
    StorageFailed(String),
    /// The disk has space again.
    StorageRecovered,
}

/// Notices that wait for a command which follows them and is slow; older ones are dropped.
const FOLLOWED_NOTICES: usize = 1024;

/// What a command works with: the agent, the book, and who we are.
pub(crate) struct Identity {
    agent: Agent,
    book: Book,
    settings: Settings,
}

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
    /// The event that is being applied: kept here so that [`Session::next`] may be dropped at any time.
    current: Option<Delivery>,
    /// What the events that were applied mean, and was not told yet.
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
    /// A session that gets no more notices when `ending` says so.
    pub(crate) fn session(&self, ending: CancellationToken) -> Session {
        let source = Source::Follow { notices: self.told.subscribe(), ending };
        Session { identity: self.identity.clone(), source }
    }
}

/// The session that this one follows ends: nothing more is learned here. What was handed over is kept.
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
    /// Opens the identity, alone: a second process is refused. So is one whose files have gone, unless they are to be made anew.
    pub(crate) async fn open(dir: &DataDir, how: Missing) -> anyhow::Result<Self> {
        let settings = dir.settings()?;
        let relays = parse_relays(&settings.relays)?;
        let files = Files::look(dir).await?;
        let mut config = AgentConfig::new(dir.agent_dir(), relays);
        config.receipts = settings.receipts;
        let (agent, events) = Agent::open(config).await?;
        if let Err(error) = files.check(&agent, how).await {
            agent.shutdown().await;
            return Err(error);
        }
        let book = Book::open(&dir.book_file()).await?;
        let identity = Identity { agent, book, settings };
        identity.enter_unknown_connections().await?;
        let told = broadcast::Sender::new(FOLLOWED_NOTICES);
        let source =
            EventSource { events, current: None, notices: VecDeque::new(), told_full_disk: false, told };
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

    /// Closes everything. What was in flight goes on at the next start.
    pub(crate) async fn close(self) {
        self.agent.shutdown().await;
        self.book.close().await;
    }

    /// The next thing that happens. May be dropped while it waits; applying an event again changes nothing.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Notice> {
        match &mut self.source {
            Source::Events(source) => source.next(&self.identity).await,
            Source::Follow { notices, ending } => loop {
                let notice = ending.run_until_cancelled(notices.recv()).await;
                match notice {
                    Some(Ok(notice)) => return Ok(notice),
                    // What was missed is in the book.
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
            if self.current.is_none() {
                self.current = self.events.next().await?;
            }
            let delivery = self.current.as_ref().context("The agent has stopped; start the program again")?;
            match take(identity, delivery).await {
                Ok(notices) => {
                    self.current = None;
                    self.told_full_disk = false;
                    self.notices = notices.into();
                }
                Err(error) if full_disk::is_cause(&error) => self.wait_for_space(identity, &error).await,
                Err(error) => return Err(error),
            }
        }
    }

    /// What came stays with the agent, or with its relay, until this can store it.
    async fn wait_for_space(&mut self, identity: &Identity, error: &anyhow::Error) {
        // The reserve may be enough for it.
        if identity.agent.met_full_disk().await {
            return;
        }
        if std::mem::replace(&mut self.told_full_disk, true) {
            tokio::time::sleep(full_disk::RETRY).await;
        } else {
            let reason =
                identity.agent.no_space().map_or_else(|| error.to_string(), |error| error.to_string());
            self.notices.push_back(Notice::StorageFailed(reason));
        }
    }
}

/// Brings the book up to date with an event, and gives it back to the agent.
async fn take(identity: &Identity, delivery: &Delivery) -> anyhow::Result<Vec<Notice>> {
    let notices = identity.apply(&delivery.event).await?;
    // Only now: what the book does not have yet comes again after a crash.
    delivery.done().await?;
    Ok(notices)
}

impl Identity {
    /// Enters connections that a kill kept out of the book: nobody could list or remove them.
    async fn enter_unknown_connections(&self) -> anyhow::Result<()> {
        for connection in self.agent.connections().await? {
            let number = connection.id.number();
            if self.book.by_connection(number).await?.is_some() {
                continue;
            }
            let status = match connection.status {
                ConnectionStatus::Invited => Status::Invited,
                ConnectionStatus::Confirmed | ConnectionStatus::Connecting => Status::Joining,
                ConnectionStatus::Connected => Status::Connected,
                ConnectionStatus::Failed => Status::Ended,
                // What this program does not make.
                _ => continue,
            };
            let short = connection.short_invitation.map(|link| link.to_uri(ShortLinkScheme::Simplex));
            let link = short.or_else(|| connection.invitation.map(|link| link.to_string()));
            self.book.add(number, None, status, link.as_deref()).await?;
        }
        Ok(())
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// Our profile, as contacts get it while connecting.
    pub(crate) fn own_info(&self) -> Vec<u8> {
        own_profile(&self.settings.name)
    }

    /// What the owner of a contact address gets with our request to connect.
    pub(crate) fn contact_request(&self) -> Vec<u8> {
        contact_request(&self.settings.name, &mut rand::rng())
    }

    /// What a person sees who opens our short link.
    pub(crate) fn shown_with_link(&self) -> Vec<u8> {
        shown_with_link(&self.settings.name)
    }

    /// Hands a text to the agent, which keeps it until the contact's relay has it. A long one becomes several messages.
    pub(crate) async fn send_text(&self, contact: &Contact, text: &str) -> anyhow::Result<Vec<MessageId>> {
        let mut numbers = Vec::new();
        let bodies = bodies(text, &mut rand::rng())?;
        for body in bodies {
            let sent = self.agent.connection(connection(contact)).send(&body).await;
            numbers.push(sent.map_err(|error| about(contact, error))?.id());
        }
        Ok(numbers)
    }

    /// Tells the contact that we delete them. None if they cannot be told.
    pub(crate) async fn send_goodbye(&self, contact: &Contact) -> anyhow::Result<Option<MessageId>> {
        match self.send_event(contact, ChatEvent::DirectDelete).await {
            Ok(number) => Ok(Some(number)),
            Err(AgentError::Storage(StorageError::NoSpace { .. })) => Ok(None),
            Err(AgentError::Storage(error)) => Err(error.into()),
            Err(_) => Ok(None),
        }
    }

    /// Ends the connection and forgets the contact.
    pub(crate) async fn remove(&self, contact: &Contact) -> anyhow::Result<()> {
        match self.agent.connection(connection(contact)).delete().await {
            // A crash came between the two halves of an earlier removal.
            Ok(()) | Err(AgentError::UnknownConnection(_)) => self.book.remove(contact).await,
            Err(error) => Err(about(contact, error)),
        }
    }

    /// What this side and the contact compare.
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
    async fn summary(&self, id: ConnectionId) -> anyhow::Result<Option<ConnectionSummary>> {
        match self.agent.connection(id).summary().await {
            Err(AgentError::UnknownConnection(_)) => Ok(None),
            summary => Ok(summary?),
        }
    }

    /// What is wrong with a contact now.
    pub(crate) async fn troubles(&self, contact: &Contact) -> anyhow::Result<Vec<Trouble>> {
        Ok(self.summary(connection(contact)).await?.as_ref().map(Trouble::all).unwrap_or_default())
    }

    /// Texts that were recorded and not yet shown.
    pub(crate) async fn new_texts(&self) -> anyhow::Result<Vec<NewText>> {
        self.book.new_texts().await
    }

    async fn apply(&self, event: &Event) -> anyhow::Result<Vec<Notice>> {
        let notice = match event {
            Event::RelayUp { relay } => Notice::RelayUp(relay.clone()),
            Event::RelayDown { relay, error } => Notice::RelayDown(relay.clone(), error.to_string()),
            Event::StorageFailed { reason } => Notice::StorageFailed(reason.clone()),
            Event::StorageRecovered => Notice::StorageRecovered,
            _ => match event.connection() {
                Some(connection) => return self.apply_to(connection, event).await,
                None => return Ok(Vec::new()),
            },
        };
        Ok(vec![notice])
    }

    async fn apply_to(&self, connection: ConnectionId, event: &Event) -> anyhow::Result<Vec<Notice>> {
        let Some(contact) = self.contact_of(connection).await? else { return Ok(Vec::new()) };
        let notice = match event {
            Event::Confirmation { info, .. } => {
                let contact = self.learn_profile(&contact, info).await?.contact;
                self.book.set_status(&contact, Status::Joining).await?;
                return self.accept(contact).await;
            }
            Event::Info { info, .. } => {
                let introduction = self.learn_profile(&contact, info).await?;
                return Ok(renamed(introduction).into_iter().collect());
            }
            Event::Connected { .. } => {
                self.book.set_status(&contact, Status::Connected).await?;
                Notice::Connected(contact)
            }
            Event::Message { id, body, times, integrity, .. } => {
                let gap = gap(*integrity).map(|gap| Notice::Gap(contact.clone(), gap));
                let notices = self.record(&contact, *id, times.relay.saturating_mul(1000), body).await?;
                return Ok(gap.into_iter().chain(notices).collect());
            }
            Event::Sent { id, .. } => Notice::Sent(contact, *id),
            Event::Receipt { id, .. } => Notice::Received(contact, *id),
            Event::SendFailed { id, error, .. } => Notice::SendFailed(contact, *id, error.to_string()),
            Event::QuotaExceeded { .. } => Notice::Waiting(contact),
            Event::QueueRefused { .. } => Notice::Refused(contact),
            Event::ReceivingStopped { error, .. } => Notice::Deaf(contact, error.to_string()),
            Event::ReceiveFailed { error, .. } => Notice::Unreadable(contact, error.to_string()),
            Event::RatchetSync { state, .. } => return self.synchronised(contact, *state).await,
            Event::QueueRotation { side, stage, .. } => Notice::Rotation(contact, *side, *stage),
            Event::ConnectionFailed { error, .. } => {
                self.book.set_status(&contact, Status::Ended).await?;
                Notice::Ended(contact, error.to_string())
            }
            _ => return Ok(Vec::new()),
        };
        Ok(vec![notice])
    }

    /// A code that was compared counts for the keys that it was made of, and for no others.
    async fn synchronised(&self, contact: Contact, state: SyncState) -> anyhow::Result<Vec<Notice>> {
        let code = match self.agent.connection(connection(&contact)).security_code().await {
            Ok(code) => code.map(|code| code.to_string()),
            Err(AgentError::UnknownConnection(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let is_other = contact.verified_code.is_some() && contact.verified_code != code;
        if is_other {
            self.book.forget_verified(&contact).await?;
        }
        Ok(vec![Notice::Encryption(contact, state, is_other)])
    }

    /// Lets the contact in. One that cannot be let in is over: the event must not come again before all others for ever.
    async fn accept(&self, contact: Contact) -> anyhow::Result<Vec<Notice>> {
        match self.agent.connection(connection(&contact)).accept(&self.own_info()).await {
            Ok(()) => Ok(vec![Notice::Joined(contact)]),
            Err(error @ (AgentError::Storage(_) | AgentError::ShutDown)) => Err(error.into()),
            Err(error) => {
                self.book.set_status(&contact, Status::Ended).await?;
                let reason = about(&contact, error).to_string();
                Ok(vec![Notice::Ended(contact, reason)])
            }
        }
    }

    /// The contact of a connection; one that a crash kept out of the book is entered now. None if the connection was deleted
    /// after the event.
    async fn contact_of(&self, id: ConnectionId) -> anyhow::Result<Option<Contact>> {
        if let Some(contact) = self.book.by_connection(id.number()).await? {
            return Ok(Some(contact));
        }
        if self.summary(id).await?.is_none() {
            return Ok(None);
        }
        self.book.add(id.number(), None, Status::Joining, None).await.map(Some)
    }

    async fn learn_profile(&self, contact: &Contact, info: &[u8]) -> anyhow::Result<Introduction> {
        for message in decode_messages(info).into_iter().flatten() {
            let profile = match message.event {
                ChatEvent::Info(profile) => profile,
                ChatEvent::Contact(request) => request.profile,
                _ => continue,
            };
            return self.book.set_profile(contact, &profile.display_name).await;
        }
        Ok(Introduction { contact: contact.clone(), renamed: None })
    }

    /// Enters what a message says; one part that cannot be read does not cost the others. The notice about texts is the last one.
    async fn record(
        &self,
        contact: &Contact,
        id: MessageId,
        at: i64,
        body: &[u8],
    ) -> anyhow::Result<Vec<Notice>> {
        let mut unreadable = None;
        let mut new_name = None;
        let mut ended = None;
        let mut has_text = false;
        for (part, message) in (0..).zip(decode_messages(body)) {
            let message = match message {
                Ok(message) => message,
                Err(error) => {
                    unreadable.get_or_insert_with(|| Notice::Unreadable(contact.clone(), error.to_string()));
                    continue;
                }
            };
            let origin = TextOrigin { agent_id: id.number(), part };
            match read(message) {
                Incoming::Silent => {}
                Incoming::Show(shown) => {
                    self.book.add_incoming(contact, origin, at, &shown).await?;
                    has_text = true;
                }
                Incoming::Answer(shown, answer) => {
                    self.book.add_incoming(contact, origin, at, &shown).await?;
                    self.answer(contact, *answer).await?;
                    has_text = true;
                }
                Incoming::Live { message, shown } => {
                    has_text |= self.book.set_live(contact, origin, at, message.as_bytes(), &shown).await?;
                }
                Incoming::Changed { message, complete, edited } => {
                    let both = (&complete, &edited);
                    self.book.change(contact, origin, at, message.as_bytes(), both).await?;
                    has_text = true;
                }
                Incoming::Profile(profile) => {
                    let introduction = self.book.set_profile(contact, &profile.display_name).await?;
                    new_name = renamed(introduction).or(new_name);
                }
                Incoming::Ended => {
                    self.book.set_status(contact, Status::Ended).await?;
                    ended = Some(Notice::Ended(contact.clone(), "they deleted this contact".to_owned()));
                }
            }
        }
        let text = has_text.then_some(Notice::Text);
        Ok([unreadable, new_name, ended, text].into_iter().flatten().collect())
    }

    /// Answers a message by itself. A contact that cannot be answered now is not: the event must not come again for ever.
    async fn answer(&self, contact: &Contact, answer: ChatEvent) -> anyhow::Result<()> {
        match self.send_event(contact, answer).await {
            Ok(_)
            | Err(
                AgentError::NotNow { .. }
                | AgentError::UnknownConnection(_)
                | AgentError::Storage(StorageError::NoSpace { .. }),
            ) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    async fn send_event(&self, contact: &Contact, event: ChatEvent) -> Result<MessageId, AgentError> {
        let id = SharedMessageId::generate(&mut rand::rng());
        let message = ChatMessage::new(Some(id), event).encode();
        Ok(self.agent.connection(connection(contact)).send(&message).await?.id())
    }
}

fn renamed(Introduction { contact, renamed }: Introduction) -> Option<Notice> {
    renamed.map(|name| Notice::Renamed(contact, name))
}

/// What is wrong with the chain of messages, in words.
fn gap(integrity: Integrity) -> Option<String> {
    match integrity {
        Integrity::Ok => None,
        Integrity::Skipped { first, last } if first == last => {
            Some("one message before the next one is missing".to_owned())
        }
        Integrity::Skipped { first, last } => Some(format!(
            "{} messages before the next one are missing",
            last.saturating_sub(first).saturating_add(1)
        )),
        Integrity::BadNumber => Some("the next message is older than the ones before it".to_owned()),
        Integrity::BadHash => Some("a message before the next one was replaced or lost".to_owned()),
    }
}

/// The agent's name for a contact.
fn connection(contact: &Contact) -> ConnectionId {
    ConnectionId::new(contact.connection)
}

/// An error about this contact in words of the user: the agent names it by a number that nobody else sees.
fn about(contact: &Contact, error: AgentError) -> anyhow::Error {
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

/// Reads relay addresses, with an error that says which one is wrong and does not show it: it may have a password.
pub(crate) fn parse_relays(texts: &[String]) -> anyhow::Result<Vec<RelayAddress>> {
    let parse = |(number, text): (usize, &String)| {
        pasted::relay_address(text).with_context(|| {
            let which =
                if texts.len() == 1 { "The relay".to_owned() } else { format!("Relay number {number}") };
            format!("{which} cannot be used; copy its address as `smp-server init` prints it")
        })
    };
    (1..).zip(texts).map(parse).collect()
}

#[cfg(test)]
mod tests;
