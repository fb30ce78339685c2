//! Frames: what is said over the socket, in CBOR, each behind its length in four bytes.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::commands::Task;
use crate::output::{Code, Screen};

/// Longest frame in bytes: a text of a megabyte fits.
const MAX_FRAME: usize = 2 * 1024 * 1024;
/// How many bytes may wait for a client that does not read; then it gets no more.
const MAX_WAITING: usize = 8 * 1024 * 1024;

/// The first frame of a client: its request.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Request {
    /// Both sides must be the same program.
    pub(super) version: String,
    pub(super) json: bool,
    pub(super) task: Task,
}

/// A frame of the answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Frame {
    /// The request was read. Before this nothing was done.
    Taken,
    /// A line of standard output.
    Out(String),
    /// A line of standard error.
    Err(String),
    /// A QR code to be drawn.
    Code(Code),
    /// The end, with the exit code.
    Done(u8),
}

impl Frame {
    fn size(&self) -> usize {
        match self {
            Self::Taken | Self::Done(_) => 0,
            Self::Out(line) | Self::Err(line) => line.len(),
            Self::Code(code) => code.text.len(),
        }
    }
}

/// Writes one frame.
pub(super) async fn write<T: Serialize>(stream: &mut (impl AsyncWrite + Unpin), value: &T) -> io::Result<()> {
    let mut bytes = vec![0; 4];
    ciborium::into_writer(value, &mut bytes).map_err(io::Error::other)?;
    let length = u32::try_from(bytes.len() - 4).map_err(io::Error::other)?;
    bytes[..4].copy_from_slice(&length.to_be_bytes());
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// Reads one frame. Fails at the end of the stream.
pub(super) async fn read<T: DeserializeOwned>(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<T> {
    let length = stream.read_u32().await?;
    let length = usize::try_from(length).ok().filter(|length| *length <= MAX_FRAME);
    let length = length.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "a frame is too long"))?;
    let mut bytes = Vec::new();
    // Memory grows with what arrives, not with what is announced.
    stream.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    ciborium::from_reader(bytes.as_slice()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The screen of a client, as the process that serves it has it. Lines that do not fit are dropped with the client.
#[derive(Clone)]
pub(super) struct ClientScreen {
    frames: UnboundedSender<Frame>,
    waiting: Arc<AtomicUsize>,
}

impl ClientScreen {
    pub(super) fn new() -> (Self, FrameQueue) {
        let (frames, receiver) = unbounded_channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        (Self { frames, waiting: waiting.clone() }, FrameQueue { receiver, waiting })
    }

    pub(super) fn send(&self, frame: Frame) {
        let size = frame.size();
        if self.waiting.fetch_add(size, Ordering::Relaxed) + size > MAX_WAITING {
            // Stays above the limit: the client gets nothing more, and its task no reader.
            return;
        }
        // A client that is gone needs nothing.
        let _ = self.frames.send(frame);
    }
}

impl Screen for ClientScreen {
    fn out(&self, line: &str) {
        self.send(Frame::Out(line.to_owned()));
    }

    fn err(&self, line: &str) {
        self.send(Frame::Err(line.to_owned()));
    }

    fn code(&self, code: &Code) -> anyhow::Result<()> {
        self.send(Frame::Code(code.clone()));
        Ok(())
    }
}

/// Frames that wait for a client.
pub(super) struct FrameQueue {
    receiver: UnboundedReceiver<Frame>,
    waiting: Arc<AtomicUsize>,
}

impl FrameQueue {
    /// Writes them as they come. Ends when there will be no more, or when the client cannot be written to or was dropped.
    pub(super) async fn write_to(&mut self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        while let Some(frame) = self.receiver.recv().await {
            if self.waiting.load(Ordering::Relaxed) > MAX_WAITING {
                return Err(io::Error::other("the client does not read"));
            }
            write(stream, &frame).await?;
            self.waiting.fetch_sub(frame.size(), Ordering::Relaxed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_arrive_as_they_were_sent() {
        let (mut one, mut other) = tokio::io::duplex(64);
        let task = Task::Contacts;
        let sent = Request { version: "1".into(), json: true, task };
        let writing = tokio::spawn(async move { write(&mut one, &sent).await });
        let request: Request = read(&mut other).await.unwrap();
        assert!(request.json && matches!(request.task, Task::Contacts));
        writing.await.unwrap().unwrap();
        // The end of the stream is an error, and so is whatever is no frame.
        assert!(read::<Request>(&mut other).await.is_err());
        for bytes in [&b"\0\0\0\x02\xff\xff"[..], b"\xff\xff\xff\xff", b"\0\0\0\x09abc"] {
            assert!(read::<Request>(&mut &*bytes).await.is_err(), "{bytes:?}");
        }
    }

    #[tokio::test]
    async fn a_client_that_does_not_read_holds_no_more_than_its_share() {
        let (screen, mut queue) = ClientScreen::new();
        let line = "x".repeat(1024 * 1024);
        for _ in 0..100 {
            screen.out(&line);
        }
        assert!(queue.receiver.len() <= MAX_WAITING / line.len());
        let (mut one, _other) = tokio::io::duplex(64);
        assert!(queue.write_to(&mut one).await.is_err());
    }
}
