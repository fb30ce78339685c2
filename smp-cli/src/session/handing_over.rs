//! Handing over: messages of ours on their way from the book to the agent, many at a time.
//!
//! A message is written down before the agent gets it, so that none is sent that is not in the history. All that come while others are being handed
//! over go together after those, in their order: in one transaction of the book, and one of the agent. They do so whether or not
//! anybody still waits for them.

use std::sync::{Arc, Mutex, PoisonError};

use smp_agent::{Agent, AgentError, ConnectionId, KeyedMessage, MessageId};
use smp_chat::compose::Outgoing;
use smp_chat::conversation::Delivery;
use smp_chat::{Book, BookError, Contact, KeptItem};
use tokio::sync::{MutexGuard, oneshot};

use crate::text::unix_millis;

/// Messages of one transaction.
const TOGETHER: usize = 256;

/// The way from the book to the agent.
pub(super) struct HandingOver {
    agent: Agent,
    book: Book,
    /// Held from before messages are handed to the agent until the book has their numbers: what the agent says of them comes behind.
    turn: tokio::sync::Mutex<()>,
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    messages: Vec<Leaving>,
    /// Whether there is a task that hands them over.
    are_going: bool,
}

/// A message that waits to be handed over.
struct Leaving {
    contact: Contact,
    message: Outgoing,
    done: oneshot::Sender<Result<HandedOver, NotHandedOver>>,
}

/// A message that the agent has, and that the book has with its number.
#[derive(Debug)]
pub(crate) struct HandedOver {
    /// Its item.
    pub(crate) kept: KeptItem,
    /// The agent's number.
    pub(crate) message: MessageId,
}

/// Why a message was not handed over.
#[derive(Debug, thiserror::Error)]
pub(super) enum NotHandedOver {
    #[error(transparent)]
    Agent(#[from] AgentError),
    #[error(transparent)]
    Book(#[from] BookError),
}

/// The outcome of a message that was left.
pub(super) struct Left(oneshot::Receiver<Result<HandedOver, NotHandedOver>>);

impl Left {
    /// Waits until it is handed over. It goes on if this is dropped.
    pub(super) async fn outcome(self) -> Result<HandedOver, NotHandedOver> {
        self.0.await.unwrap_or_else(|_| Err(AgentError::ShutDown.into()))
    }
}

impl HandingOver {
    pub(super) fn new(agent: Agent, book: Book) -> Arc<Self> {
        Arc::new(Self { agent, book, turn: tokio::sync::Mutex::default(), waiting: Mutex::default() })
    }

    /// As long as this is held, the book has the numbers of all messages that the agent has.
    pub(super) async fn nothing_between(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Leaves a message to be handed over, after those that were left before.
    pub(super) fn leave(self: &Arc<Self>, contact: &Contact, message: Outgoing) -> Left {
        let (done, outcome) = oneshot::channel();
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.messages.push(Leaving { contact: contact.clone(), message, done });
        if !std::mem::replace(&mut waiting.are_going, true) {
            tokio::spawn(self.clone().go());
        }
        Left(outcome)
    }

    /// Hands over until nothing waits.
    async fn go(self: Arc<Self>) {
        while let Some(messages) = self.next() {
            let _turn = self.turn.lock().await;
            self.hand_over(messages).await;
        }
    }

    fn next(&self) -> Option<Vec<Leaving>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let count = waiting.messages.len().min(TOGETHER);
        waiting.are_going = count > 0;
        (count > 0).then(|| waiting.messages.drain(..count).collect())
    }

    async fn hand_over(&self, messages: Vec<Leaving>) {
        if let Ok(kept) = self.write(&messages).await {
            return self.hand_to_agent(messages, kept).await;
        }
        // They cannot be written together: each of them finds out whether it can.
        for message in messages {
            match self.write(std::slice::from_ref(&message)).await {
                Ok(kept) => self.hand_to_agent(vec![message], kept).await,
                Err(error) => message.tell(Err(error.into())),
            }
        }
    }

    async fn write(&self, messages: &[Leaving]) -> Result<Vec<KeptItem>, BookError> {
        let outgoing = || messages.iter().map(|leaving| (leaving.contact.id, &leaving.message));
        match self.book.write_all(outgoing(), unix_millis()).await {
            Err(error) if error.is_no_space() && self.agent.met_full_disk().await => {
                self.book.write_all(outgoing(), unix_millis()).await
            }
            written => written,
        }
    }

    /// The key of a message is its ID: the agent takes it once, whatever died in between.
    async fn hand_to_agent(&self, messages: Vec<Leaving>, kept: Vec<KeptItem>) {
        let keyed: Vec<KeyedMessage<'_>> = messages.iter().map(Leaving::keyed).collect();
        let sent = self.agent.send_each_once(&keyed).await;
        let taken = sent.iter().zip(&kept).filter_map(|(sent, kept)| {
            let sent = sent.as_ref().ok()?;
            Some((kept.number, sent.id().number()))
        });
        let taken: Vec<(i64, i64)> = taken.collect();
        let are_noted = self.book.all_handed_over(&taken).await.is_ok();
        for ((leaving, sent), kept) in messages.into_iter().zip(sent).zip(kept) {
            let outcome = match sent {
                Ok(sent) => self.note(kept, sent.id(), are_noted).await,
                Err(error) => self.book.withdraw(kept.number).await.map_or_else(
                    |withdrawing| Err(withdrawing.into()),
                    |()| Err(NotHandedOver::Agent(error)),
                ),
            };
            leaving.tell(outcome);
        }
    }

    /// Sees to it that the book has the number of a message that the agent has.
    async fn note(
        &self,
        mut kept: KeptItem,
        message: MessageId,
        is_noted: bool,
    ) -> Result<HandedOver, NotHandedOver> {
        if !is_noted {
            self.book.handed_over(kept.number, message.number()).await?;
        }
        kept.item.advance(Delivery::Queued);
        Ok(HandedOver { kept, message })
    }
}

impl Leaving {
    fn keyed(&self) -> KeyedMessage<'_> {
        KeyedMessage {
            connection: ConnectionId::new(self.contact.connection),
            key: self.message.id.as_bytes(),
            body: &self.message.body,
        }
    }

    fn tell(self, outcome: Result<HandedOver, NotHandedOver>) {
        // A waiter that has left does not want to know.
        let _ = self.done.send(outcome);
    }
}
