//! One client: its commands in order, its answers and events as fast as it reads them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use smp_bot::{Command, Response, answer, event, read_request};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_util::sync::CancellationToken;

use super::desk::Desk;
use super::events;
use super::execute::Sending;
use crate::session::Notice;

/// Commands that wait for those before them; then nothing more is read from the client.
const MAX_COMMANDS: usize = 256;
/// Frames that wait to be written; then nothing more is done for the client.
const MAX_WAITING: usize = 256;
/// Longest frame of a client in bytes: a message is much shorter, a profile with a picture is too.
pub(super) const MAX_FRAME: usize = 1024 * 1024;
/// Bytes of commands that wait, and are being done; then nothing more is read, either.
const MAX_COMMAND_BYTES: usize = 4 * MAX_FRAME;
/// Events that are read from the feed at once.
const PAGE: u32 = 64;
/// Notices that are told in one event.
const NOTICES: usize = 64;
/// How long a client that says nothing is taken to prepare itself for events still: some drop those that come before they have their first
/// answers.
const SETTLING: Duration = Duration::from_secs(1);
/// How long a client may take to read one frame; after that it is cut off.
const STALLED: Duration = Duration::from_secs(60);

/// A frame of the client, and the room that it takes until it is answered.
struct Incoming {
    text: String,
    _room: OwnedSemaphorePermit,
}

/// A frame on its way to the client.
struct Outgoing {
    text: String,
    /// The last event of the feed that the client has with it.
    event: Option<i64>,
}

/// How far a client is with its first commands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beginning {
    /// It says nothing, or not yet.
    Quiet,
    /// Its first command is being done.
    Asked,
    /// It has used the answer to its first command for another one.
    Settled,
}

/// The client as its tasks see it.
struct Client {
    desk: Arc<Desk>,
    number: u64,
    /// Whether it says itself which events it has taken.
    acknowledges: AtomicBool,
    beginning: watch::Sender<Beginning>,
    out: Sender<Outgoing>,
}

/// Serves a client until it goes away, does not read, or `stop` says so.
pub(super) async fn run<S>(
    socket: WebSocketStream<S>,
    desk: Arc<Desk>,
    acknowledges: bool,
    stop: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (sink, stream) = socket.split();
    let (out, outgoing) = mpsc::channel(MAX_WAITING);
    let (number, begin) = desk.takers().enter(acknowledges);
    let beginning = watch::Sender::new(if acknowledges { Beginning::Settled } else { Beginning::Quiet });
    let client = Client { desk: desk.clone(), number, acknowledges: acknowledges.into(), beginning, out };
    let (commands, waiting) = mpsc::channel(MAX_COMMANDS);
    // Each of them ends when the client is gone.
    tokio::select! {
        () = listen(stream, commands, &client) => {}
        () = client.write(sink, outgoing, stop) => {}
        () = client.work(waiting) => {}
        () = client.tell(begin) => {}
    }
    desk.takers().leave(number);
}

/// Takes frames until the client is gone.
async fn listen(
    mut stream: impl Stream<Item = Result<Message, tungstenite::Error>> + Unpin,
    commands: Sender<Incoming>,
    client: &Client,
) {
    let room = Arc::new(Semaphore::new(MAX_COMMAND_BYTES));
    while let Some(message) = stream.next().await {
        match message {
            Ok(Message::Text(text)) => {
                let bytes = u32::try_from(text.len().min(MAX_COMMAND_BYTES)).unwrap_or(u32::MAX);
                let Ok(room) = room.clone().acquire_many_owned(bytes).await else { return };
                let incoming = Incoming { text: text.as_str().to_owned(), _room: room };
                if commands.send(incoming).await.is_err() {
                    return;
                }
            }
            Ok(Message::Binary(_)) => {
                let error = Response::error(smp_bot::types::ChatError::command("text frames are expected"));
                client.send(answer(None, &error), None).await;
            }
            // The library answers them by itself.
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => {}
            Ok(Message::Close(_)) | Err(_) => return,
        }
    }
}

/// The command of a frame, with its correlation ID; or the frame that refuses it.
fn read(frame: &str) -> Result<(String, Command), String> {
    let request = read_request(frame).map_err(|error| answer(None, &Response::error(error)))?;
    match Command::parse(&request.command) {
        Ok(command) => Ok((request.correlation, command)),
        Err(error) => {
            let error = Response::error(smp_bot::types::ChatError::command(error.to_string()));
            Err(answer(Some(&request.correlation), &error))
        }
    }
}

impl Client {
    async fn send(&self, text: String, event: Option<i64>) {
        // The writer ends the client.
        let _ = self.out.send(Outgoing { text, event }).await;
    }

    /// Writes frames as the client reads them.
    async fn write(
        &self,
        mut sink: impl Sink<Message, Error = tungstenite::Error> + Unpin,
        mut outgoing: Receiver<Outgoing>,
        stop: CancellationToken,
    ) {
        let mut frames = Vec::new();
        while let Some(1..) = stop.run_until_cancelled(outgoing.recv_many(&mut frames, MAX_WAITING)).await {
            let mut told = None;
            for Outgoing { text, event } in frames.drain(..) {
                let writing = tokio::time::timeout(STALLED, sink.feed(Message::text(text)));
                let Ok(Ok(())) = writing.await else { return };
                told = event.or(told);
            }
            let Ok(Ok(())) = tokio::time::timeout(STALLED, sink.flush()).await else { return };
            if let Some(event) = told {
                self.desk.takers().written(self.number, event);
            }
        }
        let end = CloseFrame { code: CloseCode::Away, reason: "the daemon ends".into() };
        let _ = tokio::time::timeout(Duration::from_secs(1), sink.send(Message::Close(Some(end)))).await;
    }

    /// Does commands, one after the other; messages that are to be sent one after the other go together.
    async fn work(&self, mut commands: Receiver<Incoming>) {
        if let Some(first) = commands.recv().await {
            self.begins(Beginning::Asked);
            self.answer_all(std::slice::from_ref(&first)).await;
            self.begins(Beginning::Quiet);
        }
        let mut frames = Vec::new();
        while commands.recv_many(&mut frames, MAX_COMMANDS).await > 0 {
            self.begins(Beginning::Settled);
            self.answer_all(&frames).await;
            frames.clear();
        }
    }

    async fn answer_all(&self, frames: &[Incoming]) {
        let mut sendings = Vec::new();
        for Incoming { text, .. } in frames {
            match read(text) {
                Ok((correlation, Command::Send { chat, live, ttl, messages })) => {
                    sendings.push((correlation, Sending { chat, live, ttl, messages }));
                }
                Ok((correlation, command)) => {
                    self.send_all(std::mem::take(&mut sendings)).await;
                    let response = self.run(command).await;
                    self.send(answer(Some(&correlation), &response), None).await;
                }
                Err(refusal) => {
                    self.send_all(std::mem::take(&mut sendings)).await;
                    self.send(refusal, None).await;
                }
            }
        }
        self.send_all(sendings).await;
    }

    async fn send_all(&self, sendings: Vec<(String, Sending)>) {
        let (correlations, sendings): (Vec<String>, Vec<Sending>) = sendings.into_iter().unzip();
        let responses = self.desk.send_all(sendings).await;
        for (correlation, response) in correlations.iter().zip(responses) {
            self.send(answer(Some(correlation), &response), None).await;
        }
    }

    async fn run(&self, command: Command) -> Response {
        match command {
            Command::Acknowledges { on } => self.acknowledges(on),
            Command::Acknowledge { number } => {
                let event = i64::try_from(number).unwrap_or(i64::MAX);
                self.desk.takers().acknowledged(self.number, event);
                Response::CmdOk { user: None }
            }
            command => self.desk.run(command).await,
        }
    }

    fn begins(&self, with: Beginning) {
        self.beginning.send_if_modified(|beginning| {
            let is_new = *beginning != with && *beginning != Beginning::Settled;
            if is_new {
                *beginning = with;
            }
            is_new
        });
    }

    /// Waits until the client is ready for events: until its second command, or until it has been quiet for a while.
    async fn settled(&self) {
        let mut beginning = self.beginning.subscribe();
        loop {
            let now = *beginning.borrow_and_update();
            let changed = match now {
                Beginning::Settled => return,
                Beginning::Asked => beginning.changed().await.is_ok(),
                Beginning::Quiet => {
                    matches!(tokio::time::timeout(SETTLING, beginning.changed()).await, Ok(Ok(())))
                }
            };
            if !changed {
                return;
            }
        }
    }

    fn acknowledges(&self, on: bool) -> Response {
        self.acknowledges.store(on, Ordering::Relaxed);
        self.desk.takers().set_acknowledges(self.number, on);
        Response::CmdOk { user: None }
    }

    /// Tells what has happened behind this event, and what happens.
    async fn tell(&self, begin: i64) {
        self.settled().await;
        let mut told = begin;
        let mut notices = self.desk.notices();
        let mut grows = self.desk.identity().book().feed_grows();
        loop {
            grows.mark_unchanged();
            match self.tell_kept(told).await {
                Ok(last) if last > told => {
                    told = last;
                    continue;
                }
                Ok(_) => {}
                Err(error) => {
                    tracing::warn!("{error:#}");
                    return;
                }
            }
            tokio::select! {
                grown = grows.changed() => if grown.is_err() { return },
                notice = notices.recv() => match notice {
                    Ok(notice) => {
                        let mut together = vec![notice];
                        while together.len() < NOTICES && let Ok(next) = notices.try_recv() {
                            together.push(next);
                        }
                        self.tell_passing(&together).await;
                    }
                    // It can be asked for.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
            }
        }
    }

    /// A page of the feed. Returns the last event that was told.
    async fn tell_kept(&self, told: i64) -> anyhow::Result<i64> {
        let mut last = told;
        for happened in self.desk.identity().book().happenings(told, PAGE).await? {
            last = happened.number;
            let number = self.acknowledges.load(Ordering::Relaxed).then_some(last);
            let number = number.and_then(|number| u64::try_from(number).ok());
            let told = events::kept(&self.desk, &happened).await?;
            let Some((final_event, before)) = told.split_last() else {
                self.desk.takers().written(self.number, last);
                continue;
            };
            for response in before {
                self.send(event(None, response), None).await;
            }
            self.send(event(number, final_event), Some(last)).await;
        }
        Ok(last)
    }

    /// Tells things that are kept nowhere, as they can be asked for.
    async fn tell_passing(&self, notices: &[Notice]) {
        match events::passing(&self.desk, notices).await {
            Ok(Some(response)) => self.send(event(None, &response), None).await,
            Ok(None) => {}
            Err(error) => tracing::warn!("{error:#}"),
        }
    }
}
