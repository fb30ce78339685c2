//! The stream of events, which a crash on either side of it does not break.

use crate::error::AgentError;
use crate::event::Event;
use crate::network::{Engine, done, messages_done};
use crate::steps::Commit;
use crate::store::StoredEvent;
use futures_util::future::{BoxFuture, FutureExt as _};
use futures_util::stream::{Stream, StreamExt};
use std::collections::{BTreeMap, VecDeque};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;

/// Events that are read from the database at once.
const READ_AHEAD: u32 = 128;

/// The events of an agent, in the order in which they happened: a [`Stream`] that ends when the agent was shut down or dropped. After an
/// error ([`AgentError::Storage`]: the database cannot be read now) it goes on.
///
/// An event is in the database until the application is done with it, and so comes again after a restart of either: at
/// least once, with the same content, and messages with the same [`MessageId`](crate::MessageId). An application that stores
/// that number together with what the message did, in one transaction, and calls [`Delivery::done`] after it, sees each message
/// exactly once: a number it knows is one it only has to acknowledge.
///
/// Events of relays and storage are not stored, and are dropped where the application lags behind; [`Event::Missed`] says how many
/// were. [`Agent::relays`](crate::Agent::relays) has the state of the relays without a gap.
pub struct Events {
    /// Unless it waits.
    reader: Option<Reader>,
    /// Behind a lock that is never taken, so that this can be shared between threads.
    waiting: Option<Mutex<Waiting>>,
}

type Waiting = BoxFuture<'static, (Reader, Option<Result<Delivery, AgentError>>)>;

/// Where the application is among the events.
struct Reader {
    engine: Arc<Engine>,
    /// Marked after every commit that added events.
    changed: watch::Receiver<()>,
    transient: Receiver<Event>,
    ahead: VecDeque<StoredEvent>,
    /// The last event that was read.
    sequence: i64,
}

/// An event, and the way to be done with it.
#[must_use = "an event that is not done comes again after a restart"]
pub struct Delivery {
    /// The error.
    pub event: Event,
    engine: Arc<Engine>,
    /// None for events that are not stored.
    sequence: Option<i64>,
    is_done: AtomicBool,
}

/// Tells when something is on the disk. It gets there whether or not this is waited for.
#[must_use = "a crash before it is durable undoes it"]
pub struct Durable(Option<Commit>);

impl Events {
    pub(crate) fn new(engine: Arc<Engine>) -> Self {
        let (changed, transient) = (engine.steps.events.subscribe(), engine.transient_events());
        let reader = Reader { engine, changed, transient, ahead: VecDeque::new(), sequence: 0 };
        Self { reader: Some(reader), waiting: None }
    }

    /// The next event, as soon as there is one. None after the agent was shut down.
    ///
    /// # Errors
    /// [`AgentError::Storage`] if the database cannot be read; it can be called again.
    ///
    /// # Cancel safety
    /// It may be dropped while it waits: no event gets lost.
    pub async fn next(&mut self) -> Result<Option<Delivery>, AgentError> {
        StreamExt::next(self).await.transpose()
    }

    /// The next events: as soon as there is one, all that are there and in memory, at most `limit`. None after the agent was shut down.
    ///
    /// # Errors
    /// As [`next`](Self::next).
    ///
    /// # Cancel safety
    /// As [`next`](Self::next).
    pub async fn next_many(&mut self, limit: usize) -> Result<Vec<Delivery>, AgentError> {
        let mut deliveries: Vec<Delivery> = self.next().await?.into_iter().collect();
        if let Some(reader) = self.reader.as_mut().filter(|_| !deliveries.is_empty()) {
            while deliveries.len() < limit
                && let Some(delivery) = reader.take_from_memory()
            {
                deliveries.push(delivery);
            }
        }
        Ok(deliveries)
    }
}

impl Stream for Events {
    type Item = Result<Delivery, AgentError>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Some(mut reader) = self.reader.take() {
            if let Some(delivery) = reader.take_ahead() {
                self.reader = Some(reader);
                return Poll::Ready(Some(Ok(delivery)));
            }
            self.waiting = Some(Mutex::new(reader.wait().boxed()));
        }
        let Some(waiting) = &mut self.waiting else { return Poll::Ready(None) };
        let waiting = waiting.get_mut().unwrap_or_else(PoisonError::into_inner);
        let (reader, next) = ready!(waiting.poll_unpin(context));
        self.waiting = None;
        self.reader = Some(reader);
        Poll::Ready(next)
    }
}

impl Reader {
    async fn wait(mut self) -> (Self, Option<Result<Delivery, AgentError>>) {
        let next = self.next().await.transpose();
        (self, next)
    }

    fn take_ahead(&mut self) -> Option<Delivery> {
        let StoredEvent { sequence, event } = self.ahead.pop_front()?;
        let is_done = AtomicBool::new(false);
        Some(Delivery { event, engine: self.engine.clone(), sequence: Some(sequence), is_done })
    }

    /// An event that is stored, if the database need not be asked for it.
    fn take_from_memory(&mut self) -> Option<Delivery> {
        if self.ahead.is_empty() {
            let events = self.engine.steps.events.take(self.sequence)?;
            self.read(events);
        }
        self.take_ahead()
    }

    async fn next(&mut self) -> Result<Option<Delivery>, AgentError> {
        loop {
            if self.ahead.is_empty() {
                // Before the database is read, so that an event stored in between wakes this.
                self.changed.mark_unchanged();
                self.read_ahead().await?;
            }
            if let Some(delivery) = self.take_ahead() {
                return Ok(Some(delivery));
            }
            tokio::select! {
                () = self.engine.stopped() => return Ok(None),
                // The sender lives in the engine.
                _ = self.changed.changed() => {}
                event = self.transient.recv() => match event {
                    Ok(event) => return Ok(Some(self.transient(event))),
                    Err(RecvError::Lagged(count)) => {
                        let event = Event::Missed { count };
                        return Ok(Some(self.transient(event)));
                    }
                    Err(RecvError::Closed) => return Ok(None),
                },
            }
        }
    }

    fn transient(&self, event: Event) -> Delivery {
        let is_done = AtomicBool::new(true);
        Delivery { event, engine: self.engine.clone(), sequence: None, is_done }
    }

    async fn read_ahead(&mut self) -> Result<(), AgentError> {
        let ahead = match self.engine.steps.events.take(self.sequence) {
            Some(events) => events,
            None => {
                let (store, sequence) = (self.engine.steps.store.clone(), self.sequence);
                let read = async move { store.events_after(sequence, READ_AHEAD).await };
                match self.engine.in_task(read).await {
                    Ok(events) => events?.into(),
                    // The caller sees that, too.
                    Err(_) => return Ok(()),
                }
            }
        };
        self.read(ahead);
        Ok(())
    }

    fn read(&mut self, events: VecDeque<StoredEvent>) {
        if let Some(last) = events.back() {
            self.sequence = last.sequence;
        }
        self.ahead = events;
    }
}

impl Delivery {
    /// The application is done with the event: it does not come again. For a message this is the acknowledgement. Calling it again
    /// changes nothing.
    ///
    /// # Errors
    /// [`AgentError::Storage`] or [`AgentError::ShutDown`]; the event then comes again after a restart.
    ///
    /// # Cancel safety
    /// When it is dropped the event may or may not come again after a restart.
    pub async fn done(&self) -> Result<(), AgentError> {
        let durable = self.done_soon().await?;
        durable.wait().await.inspect_err(|_| self.is_done.store(false, Ordering::Relaxed))
    }

    /// The application is done with these events: as [`done`](Self::done) for each, in as few turns of the disk, and with as few
    /// receipts, as possible.
    ///
    /// # Errors
    /// As [`done`](Self::done), of the first one that failed: it can be called again with the same ones.
    ///
    /// # Cancel safety
    /// As [`done`](Self::done).
    pub async fn done_with(deliveries: &[Self]) -> Result<(), AgentError> {
        let mut messages: BTreeMap<_, Vec<&Self>> = BTreeMap::new();
        let (mut failure, mut begun) = (None, Vec::with_capacity(deliveries.len()));
        for delivery in deliveries {
            match &delivery.event {
                Event::Message { connection, .. } => messages.entry(*connection).or_default().push(delivery),
                _ => match delivery.done_soon().await {
                    Ok(durable) => begun.push((vec![delivery], durable)),
                    Err(error) => failure = failure.or(Some(error)),
                },
            }
        }
        for deliveries in messages.into_values() {
            match Self::messages_done(deliveries).await {
                Ok(done) => begun.push(done),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        for (deliveries, durable) in begun {
            if let Err(error) = durable.wait().await {
                deliveries.iter().for_each(|delivery| delivery.is_done.store(false, Ordering::Relaxed));
                failure = failure.or(Some(error));
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// Messages of one connection: one step, and one receipt for all. Returns those that were not done before.
    async fn messages_done(mut deliveries: Vec<&Self>) -> Result<(Vec<&Self>, Durable), AgentError> {
        deliveries.retain(|delivery| !delivery.is_done.swap(true, Ordering::Relaxed));
        let messages = deliveries.iter().filter_map(|delivery| match (&delivery.event, delivery.sequence) {
            (Event::Message { origin, .. }, Some(sequence)) => Some((sequence, *origin)),
            _ => None,
        });
        let messages: Vec<_> = messages.collect();
        let first = deliveries.first().and_then(|first| Some((first, first.event.connection()?)));
        let Some((first, connection)) = first else { return Ok((deliveries, Durable(None))) };
        match messages_done(&first.engine, connection, &messages).await {
            Ok(commit) => Ok((deliveries, Durable(Some(commit)))),
            // Deleted with its connection.
            Err(AgentError::UnknownConnection(_)) => Ok((deliveries, Durable(None))),
            Err(error) => {
                deliveries.iter().for_each(|delivery| delivery.is_done.store(false, Ordering::Relaxed));
                Err(error)
            }
        }
    }

    /// As [`done`](Self::done), without waiting for the disk: for an application that takes many events, and waits for the last one
    /// only, or for none. Events of a connection become done in the order of these calls.
    ///
    /// # Errors
    /// As [`done`](Self::done).
    ///
    /// # Cancel safety
    /// As [`done`](Self::done).
    pub async fn done_soon(&self) -> Result<Durable, AgentError> {
        let (Some(sequence), Some(connection)) = (self.sequence, self.event.connection()) else {
            return Ok(Durable(None));
        };
        if self.is_done.swap(true, Ordering::Relaxed) {
            return Ok(Durable(None));
        }
        match done(&self.engine, connection, sequence, &self.event).await {
            Ok(commit) => Ok(Durable(Some(commit))),
            // Deleted with its connection.
            Err(AgentError::UnknownConnection(_)) => Ok(Durable(None)),
            Err(error) => {
                self.is_done.store(false, Ordering::Relaxed);
                Err(error)
            }
        }
    }
}

impl Durable {
    /// Waits until it is on the disk.
    ///
    /// # Errors
    /// [`AgentError::Storage`] or [`AgentError::ShutDown`]: then it was undone.
    ///
    /// # Cancel safety
    /// When it is dropped it gets to the disk all the same, if it can.
    pub async fn wait(self) -> Result<(), AgentError> {
        match self.0 {
            Some(commit) => commit.durable().await,
            None => Ok(()),
        }
    }
}
