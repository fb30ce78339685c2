//! Somebody who changes a queue in every way that there is, and remembers what was answered.

use std::{collections::BTreeMap, fmt, ops::Add};

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use smp_crypto::{Ed25519PrivateKey, PrivateAuthKey, X25519PrivateKey};
use smp_protocol::{
    address::RelayAddress,
    command::{Command, LinkData, NewQueue, QueueRequest, SubscriptionMode},
    encoding::{LargeString, NonEmpty},
    id::{EntityId, LinkId},
    message::BrokerMessage,
};
use smp_transport::client::{ClientError, RelayClient};

use super::{
    conversation::open,
    state::{Notifier, State, look},
};
use crate::{Queue, connect, message};

/// A queue that somebody owns, with what is known about it.
pub(super) struct Owner {
    rng: StdRng,
    /// Whether its queues are contact queues.
    contact: bool,
    client: Option<RelayClient>,
    queue: Option<Queue>,
    /// Its state, since it was answered.
    certain: State,
    /// Its other possible state: if the command without an answer was done.
    possible: Option<State>,
    /// Queues whose deletion was answered since the last kill.
    deleted: Vec<(Queue, State)>,
    next_message: u32,
    pub(super) counts: Counts,
}

/// Answered commands by name, and unanswered ones that were done or not.
#[derive(Clone, Default)]
pub(super) struct Counts {
    answered: BTreeMap<&'static str, usize>,
    done: usize,
    not_done: usize,
}

impl Counts {
    pub(super) fn answered(&self) -> usize {
        self.answered.values().sum()
    }
}

impl Add<&Counts> for Counts {
    type Output = Self;

    fn add(mut self, other: &Self) -> Self {
        for (name, count) in &other.answered {
            *self.answered.entry(name).or_default() += count;
        }
        Self { done: self.done + other.done, not_done: self.not_done + other.not_done, ..self }
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} answered changes hold (", self.answered())?;
        for (i, (name, count)) in self.answered.iter().enumerate() {
            write!(f, "{}{name} {count}", if i == 0 { "" } else { ", " })?;
        }
        write!(f, "), of those without answer {} were done and {} were not", self.done, self.not_done)
    }
}

/// Whether an answer did not come because the relay was killed.
pub(super) fn is_lost(error: &ClientError) -> bool {
    matches!(error, ClientError::Connection(_) | ClientError::Closed | ClientError::NotResponding)
}

fn ed25519() -> PrivateAuthKey {
    Ed25519PrivateKey::generate(&mut rand::rng()).into()
}

fn data(user: &[u8]) -> LinkData<'static> {
    LinkData {
        fixed: LargeString::new(b"fixed").unwrap().into_owned(),
        user: LargeString::new(user).unwrap().into_owned(),
    }
}

/// A command with what it needs, and what follows from it.
struct Step {
    key: Option<PrivateAuthKey>,
    entity: EntityId,
    command: Command<'static>,
    after: State,
}

impl Owner {
    pub(super) fn new(contact: bool, seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            contact,
            client: None,
            queue: None,
            certain: State::new(ed25519()),
            possible: None,
            deleted: Vec::new(),
            next_message: 0,
            counts: Counts::default(),
        }
    }

    pub(super) async fn connect(&mut self, address: &RelayAddress) {
        self.client = Some(connect(address).await.0);
    }

    pub(super) async fn run_until_killed(&mut self) {
        let client = self.client.take().unwrap();
        loop {
            let done = match self.queue.is_some() {
                true => self.change(&client).await,
                false => self.create(&client).await,
            };
            if let Err(error) = done {
                assert!(is_lost(&error), "{error}");
                return;
            }
        }
    }

    fn count(&mut self, name: &'static str) {
        *self.counts.answered.entry(name).or_default() += 1;
    }

    async fn create(&mut self, client: &RelayClient) -> Result<(), ClientError> {
        let key = ed25519();
        let dh = X25519PrivateKey::generate(&mut rand::rng());
        let new = Command::New(Box::new(NewQueue {
            auth_key: key.public_key().into(),
            dh_key: dh.public_key().into(),
            password: None,
            subscription: SubscriptionMode::OnlyCreate,
            request: Some(match self.contact {
                true => QueueRequest::Contact(None),
                false => QueueRequest::Messaging(None),
            }),
            notifier: None,
        }));
        let answer = client.send(Some(&key), EntityId::empty(), new).await?;
        let BrokerMessage::QueueIds(ids) = answer else { panic!("{answer:?}") };
        self.certain = State::new(key.clone());
        self.queue = Some(Queue { box_key: dh.agree(&ids.dh_key.0).box_key(), key, ids: *ids });
        self.count("NEW");
        Ok(())
    }

    /// Sends one command; the model follows when it is answered.
    async fn change(&mut self, client: &RelayClient) -> Result<(), ClientError> {
        if !self.certain.messages.is_empty() && self.rng.random_bool(0.3) {
            return self.receive(client).await;
        }
        let Step { key, entity, command, after } = self.choose();
        self.possible = Some(after.clone());
        let name = command.tag().name();
        let answer = client.send(key.as_ref(), entity, command).await?;
        self.certain = after;
        self.possible = None;
        if let (BrokerMessage::NotifierId(id, _), Some(notifier)) = (&answer, &mut self.certain.notifier) {
            notifier.id = Some(id.clone());
        } else {
            assert_eq!(answer, BrokerMessage::Ok, "{name}");
        }
        if self.certain.deleted {
            let state = self.certain.clone();
            self.deleted.extend(self.queue.take().map(|queue| (queue, state)));
        }
        self.count(name);
        Ok(())
    }

    /// Takes the first message.
    async fn receive(&mut self, client: &RelayClient) -> Result<(), ClientError> {
        let Some(queue) = &self.queue else { return Ok(()) };
        let (key, recipient) = (&self.certain.keys[0], EntityId::from(&queue.ids.recipient_id));
        let message = client.send(Some(key), recipient.clone(), Command::Get).await?;
        let (id, number) = open(queue, message);
        assert_eq!(number, self.certain.messages.front().copied());
        let mut after = self.certain.clone();
        after.messages.pop_front();
        self.possible = Some(after.clone());
        let answer = client.send(Some(key), recipient, Command::Acknowledge(id)).await?;
        // A queue that is read by GET gets no further message.
        assert_eq!(answer, BrokerMessage::Ok);
        self.certain = after;
        self.possible = None;
        self.count("ACK");
        Ok(())
    }

    /// A command that the relay must accept now.
    fn choose(&mut self) -> Step {
        let Some(queue) = &self.queue else { panic!("no queue") };
        let recipient = EntityId::from(&queue.ids.recipient_id);
        let sender = EntityId::from(&queue.ids.sender_id);
        let mut after = self.certain.clone();
        let owner = self.certain.keys.first().cloned();
        let choice = self.rng.random_range(0..100);
        let (key, entity, command) = match choice {
            0..4 => {
                after.deleted = true;
                (owner, recipient, Command::Delete)
            }
            4..7 => {
                after.suspended = true;
                (owner, recipient, Command::Suspend)
            }
            7..20 => {
                let (key, dh) = (ed25519(), X25519PrivateKey::generate(&mut rand::rng()));
                let command = Command::SetNotifier(key.public_key().into(), dh.public_key().into());
                after.notifier = Some(Notifier { key, id: None });
                (owner, recipient, command)
            }
            20..26 => {
                after.notifier = None;
                (owner, recipient, Command::DeleteNotifier)
            }
            26..36 if self.contact => {
                after.keys = (0..self.rng.random_range(1..3)).map(|_| ed25519()).collect();
                let keys = after.keys.iter().map(|key| key.public_key().into()).collect();
                (owner, recipient, Command::SetRecipientKeys(NonEmpty::new(keys).unwrap()))
            }
            36..56 if self.contact => {
                let user = self.rng.random::<[u8; 8]>();
                let id = after.link.map_or_else(|| LinkId::generate(&mut rand::rng()), |(id, _)| id);
                after.link = Some((id.clone(), user.to_vec()));
                (owner, recipient, Command::SetLink(id, data(&user)))
            }
            56..62 if self.contact => {
                after.link = None;
                (owner, recipient, Command::DeleteLink)
            }
            26..62 if after.sender.is_none() => {
                let key = ed25519();
                after.sender = Some(key.clone());
                let public = key.public_key().into();
                match choice % 2 {
                    0 => (Some(key), sender, Command::SenderSecure(public)),
                    _ => (owner, recipient, Command::Secure(public)),
                }
            }
            _ if after.suspended => {
                after.deleted = true;
                (owner, recipient, Command::Delete)
            }
            _ => {
                after.messages.push_back(self.next_message);
                self.next_message += 1;
                (after.sender.clone(), sender, message(self.next_message - 1))
            }
        };
        Step { key, entity, command, after }
    }

    /// An answered command must have had its effect; another may have.
    pub(super) async fn check(&mut self, address: &RelayAddress) {
        for (queue, state) in std::mem::take(&mut self.deleted) {
            let seen = look(address, &queue, &[&state]).await;
            assert_eq!(seen, state.expected(), "deleted, and yet there");
        }
        let possible = self.possible.take();
        let Some(queue) = &self.queue else { return };
        let states: Vec<&State> = [&self.certain].into_iter().chain(&possible).collect();
        let seen = look(address, queue, &states).await;
        if seen == self.certain.expected() {
            self.counts.not_done += usize::from(possible.is_some());
        } else {
            self.certain = possible
                .filter(|possible| seen == possible.expected())
                .unwrap_or_else(|| panic!("seen {seen:?}, not {:?}", self.certain.expected()));
            self.counts.done += 1;
        }
        self.certain.messages.clear();
        if self.certain.deleted {
            self.queue = None;
        }
    }
}
