//! The side that asks the process which holds the directory.

use tokio::net::UnixStream;

use super::frames::{self, Frame, Request};
use super::place::Running;
use crate::commands::Task;
use crate::exit::Exit;
use crate::output::Output;

/// Outcome of a request.
pub(crate) enum Answer {
    /// It was done, or refused; the reason is on the screen.
    Done(Exit),
    /// Nobody took it: there is nobody to ask, or not any more. It can be given to another process.
    NotTaken(Task),
}

/// Asks the process that holds the directory to run this, and prints what it says.
pub(crate) async fn ask(running: &Running, task: Task, output: &Output) -> anyhow::Result<Answer> {
    let Some(socket) = &running.socket else { return Ok(Answer::NotTaken(task)) };
    let Ok(mut stream) = UnixStream::connect(socket).await else { return Ok(Answer::NotTaken(task)) };
    let request = Request { version: env!("CARGO_PKG_VERSION").to_owned(), json: output.is_json(), task };
    if frames::write(&mut stream, &request).await.is_err() {
        return Ok(Answer::NotTaken(request.task));
    }
    match frames::read(&mut stream).await {
        Ok(Frame::Taken) => {}
        // It ends, or is something else.
        _ => return Ok(Answer::NotTaken(request.task)),
    }
    follow(&mut stream, running, output).await.map(Answer::Done)
}

async fn follow(stream: &mut UnixStream, running: &Running, output: &Output) -> anyhow::Result<Exit> {
    let mut failure = None;
    loop {
        match frames::read(stream).await {
            Ok(Frame::Taken) => {}
            Ok(Frame::Out(line)) => output.out(&line),
            Ok(Frame::Err(line)) => output.err(&line),
            Ok(Frame::Code(code)) => failure = output.code(&code).err(),
            Ok(Frame::Done(code)) => return failure.map_or(Ok(Exit::of(code)), Err),
            Err(_) => anyhow::bail!(
                "`{}` (process {}) ended before it answered; it may have done what was asked, or not: see `smp contacts`",
                running.command,
                running.process
            ),
        }
    }
}
