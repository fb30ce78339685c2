//! State of a queue, as far as clients can see it.

use std::collections::VecDeque;

use smp_crypto::{PrivateAuthKey, PublicAuthKey};
use smp_protocol::{
    address::RelayAddress,
    command::Command,
    error::ErrorType,
    id::{EntityId, LinkId, NotifierId},
    message::BrokerMessage,
};
use smp_transport::client::{ClientError, RelayClient};

use crate::{Queue, connect, drain, message};

/// A message that only finds out who may send.
const PROBE: u32 = u32::MAX;

/// State of a queue after some commands.
#[derive(Clone, Debug)]
pub(super) struct State {
    pub(super) deleted: bool,
    pub(super) suspended: bool,
    /// The recipient's.
    pub(super) keys: Vec<PrivateAuthKey>,
    pub(super) sender: Option<PrivateAuthKey>,
    /// With the part of its data that can change.
    pub(super) link: Option<(LinkId, Vec<u8>)>,
    pub(super) notifier: Option<Notifier>,
    pub(super) messages: VecDeque<u32>,
}

#[derive(Clone, Debug)]
pub(super) struct Notifier {
    pub(super) key: PrivateAuthKey,
    /// Not known if `NKEY` had no answer.
    pub(super) id: Option<NotifierId>,
}

/// The part of it that was seen.
#[derive(Debug, PartialEq)]
pub(super) struct Seen {
    /// Those of the recipient's keys that authorize.
    keys: Vec<PublicAuthKey>,
    secured: bool,
    notifications: bool,
    /// Those that can send, with which key or without.
    senders: Vec<Option<PublicAuthKey>>,
    links: Vec<(LinkId, Vec<u8>)>,
    notifiers: Vec<NotifierId>,
    messages: Vec<u32>,
}

fn public(keys: &[PrivateAuthKey]) -> Vec<PublicAuthKey> {
    keys.iter().map(PrivateAuthKey::public_key).collect()
}

impl State {
    pub(super) fn new(key: PrivateAuthKey) -> Self {
        Self {
            deleted: false,
            suspended: false,
            keys: vec![key],
            sender: None,
            link: None,
            notifier: None,
            messages: VecDeque::new(),
        }
    }

    /// The part of it that is to be seen.
    pub(super) fn expected(&self) -> Seen {
        if self.deleted {
            return Seen {
                keys: Vec::new(),
                secured: false,
                notifications: false,
                senders: Vec::new(),
                links: Vec::new(),
                notifiers: Vec::new(),
                messages: Vec::new(),
            };
        }
        let sender = self.sender.as_ref().map(PrivateAuthKey::public_key);
        Seen {
            keys: public(&self.keys),
            secured: self.sender.is_some(),
            notifications: self.notifier.is_some(),
            senders: if self.suspended { Vec::new() } else { vec![sender] },
            links: self.link.iter().cloned().collect(),
            notifiers: self.notifier.iter().filter_map(|notifier| notifier.id.clone()).collect(),
            messages: self.messages.iter().copied().collect(),
        }
    }
}

/// `ERR AUTH` is no; another error fails the test.
fn is_refused(answer: &Result<BrokerMessage<'static>, ClientError>) -> bool {
    match answer {
        Ok(_) => false,
        Err(ClientError::Relay(ErrorType::Auth)) => true,
        Err(error) => panic!("{error}"),
    }
}

/// Adds what is not there yet.
fn note<T: PartialEq>(seen: &mut Vec<T>, new: T) {
    if !seen.contains(&new) {
        seen.push(new);
    }
}

/// Looks at a queue that is in one of these states, with everything that is known of any of them. Takes its messages.
pub(super) async fn look(address: &RelayAddress, queue: &Queue, states: &[&State]) -> Seen {
    let (client, _events) = connect(address).await;
    let mut seen = State { deleted: true, ..State::new(queue.key.clone()) }.expected();
    let mut works = None;
    for key in states.iter().flat_map(|state| &state.keys) {
        let recipient = EntityId::from(&queue.ids.recipient_id);
        let answer = client.send(Some(key), recipient, Command::QueueInfo).await;
        if is_refused(&answer) {
            continue;
        }
        let Ok(BrokerMessage::QueueInfo(info)) = answer else { panic!("{answer:?}") };
        (seen.secured, seen.notifications) = (info.sender_secured, info.notifications);
        note(&mut seen.keys, key.public_key());
        works = Some(key.clone());
    }
    look_as_others(&client, queue, states, &mut seen).await;
    if let Some(key) = works {
        let queue = Queue { key, ids: queue.ids.clone(), box_key: queue.box_key.clone() };
        seen.messages = drain(address, &queue).await;
        seen.messages.retain(|number| *number != PROBE);
    }
    seen
}

/// As senders, notifiers, and those who have the link.
async fn look_as_others(client: &RelayClient, queue: &Queue, states: &[&State], seen: &mut Seen) {
    for key in states.iter().map(|state| &state.sender) {
        let answer = client.send(key.as_ref(), EntityId::from(&queue.ids.sender_id), message(PROBE)).await;
        if !is_refused(&answer) {
            note(&mut seen.senders, key.as_ref().map(PrivateAuthKey::public_key));
        }
    }
    for (id, _) in states.iter().filter_map(|state| state.link.as_ref()) {
        let answer = client.send(None, id.clone(), Command::GetLink).await;
        if !is_refused(&answer) {
            let Ok(BrokerMessage::Link(_, data)) = answer else { panic!("{answer:?}") };
            note(&mut seen.links, (id.clone(), data.user.as_bytes().to_vec()));
        }
    }
    for notifier in states.iter().filter_map(|state| state.notifier.as_ref()) {
        let Some(id) = &notifier.id else { continue };
        let answer = client.send(Some(&notifier.key), id.clone(), Command::SubscribeNotifications).await;
        if !is_refused(&answer) {
            note(&mut seen.notifiers, id.clone());
        }
    }
}
