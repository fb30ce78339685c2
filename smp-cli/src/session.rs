//! An open identity: the agent, the book of contacts and texts, and what every command does with the agent's events.

use anyhow::Context as _;
use smp_agent::{
    Agent, AgentConfig, AgentError, ConnectionId, Delivery, Event, Events, Integrity, MessageId,
};
use smp_protocol::address::RelayAddress;
use smp_protocol::chat::{
    ChatEvent, ChatMessage, MessageContainer, Profile, SharedMessageId, decode_messages,
};

use crate::book::{Book, Contact, NewText, Status, TextOrigin};
use crate::data_dir::{DataDir, Settings};

/// Something that happened, after the book was brought up to date with it.
#[derive(Debug)]
pub(crate) enum Notice {
    /// The other person used our invitation.
    Joined(Contact),
    /// Messages can be exchanged.
    Connected(Contact),
    /// A text was recorded; [`Session::new_texts`] has it.
    Text,
    /// As [`Text`](Self::Text), but the chain of the contact's messages is broken before it, in this way.
    TextAfterGap(Contact, String),
    /// The recipient's relay keeps our message.
    Sent(MessageId),
    /// Our message was given up, with the reason.
    SendFailed(Contact, MessageId, String),
    /// The contact's queue is full: messages wait until they take some.
    Waiting(Contact),
    /// The connection is over, with the reason.
    Ended(Contact, String),
    /// Something was received that could not be read.
    Unreadable(Contact, String),
    /// A relay cannot be reached; the agent goes on trying.
    RelayDown(String, String),
    /// A relay is connected.
    RelayUp(String),
    /// The disk does not take what arrives; the agent goes on trying.
    StorageFailed(String),
    /// Nothing that a person needs to know.
    Nothing,
}

impl Notice {
    /// Whether [`Session::new_texts`] has something new.
    pub(crate) fn has_text(&self) -> bool {
        matches!(self, Self::Text | Self::TextAfterGap(..))
    }
}

/// An open identity.
pub(crate) struct Session {
    agent: Agent,
    events: Events,
    book: Book,
    settings: Settings,
    /// The event that is being applied: kept here so that [`next`](Self::next) may be dropped at any time.
    current: Option<Delivery>,
}

impl Session {
    /// Opens the identity, alone: a second process is refused.
    pub(crate) async fn open(dir: &DataDir) -> anyhow::Result<Self> {
        let settings = dir.settings()?;
        let relays = parse_relays(&settings.relays)?;
        let (agent, events) = Agent::open(AgentConfig::new(dir.path().join("agent"), relays)).await?;
        let book = Book::open(&dir.book_file()).await?;
        Ok(Self { agent, events, book, settings, current: None })
    }

    /// Closes everything. What was in flight goes on at the next start.
    pub(crate) async fn close(self) {
        self.agent.shutdown().await;
        self.book.close().await;
    }

    pub(crate) fn agent(&self) -> &Agent {
        &self.agent
    }

    pub(crate) fn book(&self) -> &Book {
        &self.book
    }

    /// Our profile, as contacts get it while connecting.
    pub(crate) fn own_info(&self) -> Vec<u8> {
        ChatMessage::new(None, ChatEvent::Info(Profile::new(&self.settings.name))).encode()
    }

    /// What a person sees who opens our short link, in the form that SimpleX apps put there.
    pub(crate) fn shown_with_link(&self) -> Vec<u8> {
        let profile = serde_json::json!({ "displayName": self.settings.name, "fullName": "" });
        serde_json::json!({ "profile": profile, "business": false }).to_string().into_bytes()
    }

    /// Hands a text to the agent, which keeps it until the contact's relay has it.
    pub(crate) async fn send_text(&self, contact: &Contact, text: &str) -> anyhow::Result<MessageId> {
        let event = ChatEvent::MessageNew(MessageContainer::text(text));
        let id = SharedMessageId::generate(&mut rand::rng());
        let body = ChatMessage::new(Some(id), event).encode();
        let number = self.agent.send(connection(contact), &body).await?;
        self.book.add_outgoing(contact, number.number(), now_millis(), text).await?;
        Ok(number)
    }

    /// Ends the connection and forgets the contact.
    pub(crate) async fn remove(&self, contact: &Contact) -> anyhow::Result<()> {
        match self.agent.delete(connection(contact)).await {
            // A crash came between the two halves of an earlier removal.
            Ok(()) | Err(AgentError::UnknownConnection(_)) => self.book.remove(contact).await,
            Err(error) => Err(error.into()),
        }
    }

    /// What this side and the contact compare.
    pub(crate) async fn security_code(&self, contact: &Contact) -> anyhow::Result<String> {
        let code = self.agent.security_code(connection(contact)).await?;
        let missing =
            || format!("There is no security code before {} is connected; try again then", contact.name);
        Ok(code.with_context(missing)?.to_string())
    }

    /// Texts that were recorded and not yet shown.
    pub(crate) async fn new_texts(&self) -> anyhow::Result<Vec<NewText>> {
        self.book.new_texts().await
    }

    /// The next thing that happens. May be dropped while it waits; applying an event again changes nothing.
    pub(crate) async fn next(&mut self) -> anyhow::Result<Notice> {
        if self.current.is_none() {
            self.current = self.events.next().await?;
        }
        let delivery = self.current.as_ref().context("The agent has stopped; start the program again")?;
        let notice = self.apply(&delivery.event).await?;
        // Only now: what the book does not have yet comes again after a crash.
        delivery.done().await?;
        self.current = None;
        Ok(notice)
    }

    async fn apply(&self, event: &Event) -> anyhow::Result<Notice> {
        match event {
            Event::RelayUp { relay } => return Ok(Notice::RelayUp(relay.clone())),
            Event::RelayDown { relay, error } => {
                return Ok(Notice::RelayDown(relay.clone(), error.to_string()));
            }
            Event::StorageFailed { reason } => return Ok(Notice::StorageFailed(reason.clone())),
            _ => {}
        }
        let Some(connection) = event.connection() else { return Ok(Notice::Nothing) };
        let contact = self.contact_of(connection).await?;
        match event {
            Event::Confirmation { info, .. } => {
                let contact = self.learn_profile(contact, info).await?;
                self.book.set_status(&contact, Status::Joining).await?;
                self.agent.accept(connection, &self.own_info()).await?;
                Ok(Notice::Joined(contact))
            }
            Event::Info { info, .. } => {
                self.learn_profile(contact, info).await?;
                Ok(Notice::Nothing)
            }
            Event::Connected { .. } => {
                self.book.set_status(&contact, Status::Connected).await?;
                Ok(Notice::Connected(contact))
            }
            Event::Message { id, body, times, integrity, .. } => {
                let notice =
                    self.record(contact.clone(), *id, times.relay.saturating_mul(1000), body).await?;
                Ok(match (notice, gap(*integrity)) {
                    (Notice::Text, Some(gap)) => Notice::TextAfterGap(contact, gap),
                    (notice, _) => notice,
                })
            }
            Event::Sent { id, .. } => {
                self.book.outgoing_done(&contact, id.number(), true).await?;
                Ok(Notice::Sent(*id))
            }
            Event::SendFailed { id, error, .. } => {
                self.book.outgoing_done(&contact, id.number(), false).await?;
                Ok(Notice::SendFailed(contact, *id, error.to_string()))
            }
            Event::QuotaExceeded { .. } => Ok(Notice::Waiting(contact)),
            Event::ReceiveFailed { error, .. } => Ok(Notice::Unreadable(contact, error.to_string())),
            Event::ConnectionFailed { error, .. } => {
                self.book.set_status(&contact, Status::Ended).await?;
                Ok(Notice::Ended(contact, error.to_string()))
            }
            _ => Ok(Notice::Nothing),
        }
    }

    /// The contact of a connection; one that a crash kept out of the book is entered now.
    async fn contact_of(&self, id: ConnectionId) -> anyhow::Result<Contact> {
        match self.book.by_connection(id.number()).await? {
            Some(contact) => Ok(contact),
            None => self.book.add(id.number(), None, Status::Joining, None).await,
        }
    }

    async fn learn_profile(&self, contact: Contact, info: &[u8]) -> anyhow::Result<Contact> {
        for message in decode_messages(info).into_iter().flatten() {
            if let ChatEvent::Info(profile) = message.event {
                return self.book.set_profile(&contact, &profile.display_name).await;
            }
        }
        Ok(contact)
    }

    /// Enters what a message says. Events of other kinds (calls, groups, receipts of newer apps) are passed over.
    async fn record(&self, contact: Contact, id: MessageId, at: i64, body: &[u8]) -> anyhow::Result<Notice> {
        let mut notice = Notice::Nothing;
        for (part, message) in (0..).zip(decode_messages(body)) {
            let origin = TextOrigin { agent_id: id.number(), part };
            let text = match message.map(|message| message.event) {
                Ok(ChatEvent::MessageNew(container)) => container.content.display_text(),
                Ok(ChatEvent::MessageUpdate { content, .. }) => {
                    format!("(edited) {}", content.display_text())
                }
                Ok(ChatEvent::Info(profile)) => {
                    self.book.set_profile(&contact, &profile.display_name).await?;
                    continue;
                }
                Ok(ChatEvent::DirectDelete) => {
                    self.book.set_status(&contact, Status::Ended).await?;
                    return Ok(Notice::Ended(contact, "they deleted this contact".to_owned()));
                }
                Ok(_) => continue,
                Err(error) => return Ok(Notice::Unreadable(contact, error.to_string())),
            };
            self.book.add_incoming(&contact, origin, at, &text).await?;
            notice = Notice::Text;
        }
        Ok(notice)
    }
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

/// Reads relay addresses, with an error that shows which one is wrong.
pub(crate) fn parse_relays(texts: &[String]) -> anyhow::Result<Vec<RelayAddress>> {
    let parse = |text: &String| {
        text.parse::<RelayAddress>().with_context(|| {
            format!("“{text}” is not a relay address; it looks like smp://FINGERPRINT@HOST, as `smp-server init` prints it")
        })
    };
    texts.iter().map(parse).collect()
}

fn now_millis() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(i64::MAX)
}
