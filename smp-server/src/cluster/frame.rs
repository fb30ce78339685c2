//! Frames: a length (4 bytes), the number of a request (8 bytes), and the request or the answer to it.

use std::io;

use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    sync::mpsc,
};
use zeroize::Zeroizing;

use super::{
    codec::{Input, Output, Wrong},
    message::{Reply, Request},
};

/// The version of these messages: processes of another one are not talked to.
const VERSION: u8 = 1;

/// Largest frame without its length, in bytes: notifications for as many notifiers as are asked for at once.
const MAX_FRAME: usize = 1 << 20;

/// Bytes of length and number.
const HEAD: usize = 12;

/// Room for most messages: a command with its body, and what is signed of it.
const USUAL: usize = 40 << 10;

/// Room for messages without a body.
const SMALL: usize = 512;

/// A whole frame, to be sent.
pub(super) type Frame = Zeroizing<Vec<u8>>;

/// Tells the other side the version, which must be the same there.
pub(super) async fn greet(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<()> {
    stream.write_u8(VERSION).await?;
    stream.flush().await?;
    match stream.read_u8().await? {
        VERSION => Ok(()),
        other => Err(io::Error::other(format!(
            "it speaks version {other} of the messages between processes, and this one {VERSION}: stop all, then start all in one version"
        ))),
    }
}

fn frame(number: u64, capacity: usize, encode: impl FnOnce(&mut Output)) -> Frame {
    let mut out = Output::with_capacity(capacity);
    out.fixed(&[0; 4]);
    out.number(number);
    encode(&mut out);
    let mut frame = out.into_bytes();
    // The other side refuses more than MAX_FRAME.
    let length = u32::try_from(frame.len() - 4).unwrap_or(u32::MAX);
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

pub(super) fn of_request(number: u64, request: &Request) -> Frame {
    let capacity = if matches!(request, Request::Run(_)) { USUAL } else { SMALL };
    frame(number, capacity, |out| request.encode(out))
}

pub(super) fn of_reply(number: u64, reply: &Reply) -> Frame {
    let capacity = if matches!(reply, Reply::Answer(_)) { SMALL + answer_bytes(reply) } else { SMALL };
    frame(number, capacity, |out| reply.encode(out))
}

fn answer_bytes(reply: &Reply) -> usize {
    match reply {
        Reply::Answer(message) => message.len(),
        _ => 0,
    }
}

/// Reads one frame: the number, and what is behind it.
pub(super) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(u64, Frame)> {
    let mut head = [0; HEAD];
    stream.read_exact(&mut head).await?;
    let (length, number) = head.split_at(4);
    let length = length.try_into().map_or(0, u32::from_be_bytes) as usize;
    let number = number.try_into().map_or(0, u64::from_be_bytes);
    let rest =
        length.checked_sub(HEAD - 4).filter(|_| length <= MAX_FRAME).ok_or(io::ErrorKind::InvalidData)?;
    let mut content = Zeroizing::new(vec![0; rest]);
    stream.read_exact(&mut content).await?;
    Ok((number, content))
}

pub(super) fn to_request(content: &[u8]) -> Result<Request, Wrong> {
    let mut input = Input::new(content);
    let request = Request::decode(&mut input)?;
    input.end().map(|()| request)
}

pub(super) fn to_reply(content: &[u8]) -> Result<Reply, Wrong> {
    let mut input = Input::new(content);
    let reply = Reply::decode(&mut input)?;
    input.end().map(|()| reply)
}

/// Writes frames as they come, and hands them to the network when there are no more at the moment.
pub(super) async fn write_all<T>(
    stream: &mut (impl AsyncWrite + Unpin),
    mut first: Option<T>,
    waiting: &mut mpsc::Receiver<T>,
    mut frame: impl FnMut(T) -> Frame,
) -> io::Result<()> {
    loop {
        let next = match first.take() {
            Some(first) => Some(first),
            None => waiting.recv().await,
        };
        let Some(next) = next else { return Ok(()) };
        stream.write_all(&frame(next)).await?;
        while let Ok(next) = waiting.try_recv() {
            stream.write_all(&frame(next)).await?;
        }
        stream.flush().await?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_are_read_as_they_are_written_and_large_ones_are_refused() {
        let frame = of_request(77, &Request::Ended(5));
        let (number, content) = read(&mut &frame[..]).await.unwrap();
        assert_eq!(number, 77);
        assert!(matches!(to_request(&content), Ok(Request::Ended(5))));
        assert!(to_request(&[&content[..], b"x"].concat()).is_err());
        let mut large = [0; HEAD];
        for length in [0, 7, MAX_FRAME + 1, u32::MAX as usize] {
            large[..4].copy_from_slice(&(length as u32).to_be_bytes());
            let error = read(&mut &large[..]).await.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidData, "{length}");
        }
        let reply = of_reply(1, &Reply::Answer(vec![1; 16_000]));
        let (_, content) = read(&mut &reply[..]).await.unwrap();
        assert_eq!(to_reply(&content), Ok(Reply::Answer(vec![1; 16_000])));
    }
}
