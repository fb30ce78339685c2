//! The line that is being typed, and printing above it.

use std::io::Write as _;
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, raise};
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::typed::{self, Typed};
use smp_chat::visible;

/// Lines that were typed and not taken yet.
const TYPED_AHEAD: usize = 16;
/// How long the editor may take to give the terminal back; it takes some milliseconds.
const END_TIMEOUT: Duration = Duration::from_secs(2);
/// Pause between two attempts to end it.
const END_PAUSE: Duration = Duration::from_millis(10);

/// How long the editor may take to print a line; it takes some milliseconds, and does not tell when it has.
const PRINT_TIMEOUT: Duration = Duration::from_millis(200);

type Printer = Box<dyn ExternalPrinter + Send>;

/// The line editor, in a thread of its own: it blocks, and sets the terminal to raw mode while it does.
pub(super) struct Editor {
    lines: mpsc::Receiver<Result<String, ReadlineError>>,
    printer: Printer,
    thread: JoinHandle<()>,
    /// Lines that the editor got to print and may not have printed yet.
    recent: Vec<(Instant, String)>,
}

impl Editor {
    /// Starts reading lines. Requires that SIGINT is handled: [`end`](Self::end) uses it.
    pub(super) async fn start(prompt: String) -> anyhow::Result<Self> {
        let (typed, lines) = mpsc::channel(TYPED_AHEAD);
        let (ready, printer) = oneshot::channel();
        let thread = std::thread::spawn(move || edit(&prompt, ready, &typed));
        let printer = printer.await.context("The line editor did not start")?;
        let unusable = "This terminal cannot be used for chatting; use `smp send` and `smp listen`";
        Ok(Self { lines, printer: printer.context(unusable)?, thread, recent: Vec::new() })
    }

    /// The next line that was typed. None after the user has ended the conversation. May be dropped while it waits.
    pub(super) async fn line(&mut self) -> anyhow::Result<Option<String>> {
        self.lines.recv().await.transpose().context("The terminal cannot be read")
    }

    /// Prints above the line that is being typed.
    pub(super) fn print(&mut self, line: &str) -> anyhow::Result<()> {
        let line = format!("{}\n", visible(line));
        self.printer.print(line.clone()).context("The terminal is gone")?;
        self.recent.retain(|(at, _)| at.elapsed() < PRINT_TIMEOUT);
        self.recent.push((Instant::now(), line));
        Ok(())
    }

    /// Ends the thread wherever it is: only it knows the mode that the terminal had before. The line that it may have left unprinted
    /// is printed here; better twice than not at all.
    pub(super) async fn end(mut self) {
        self.recent.retain(|(at, _)| at.elapsed() < PRINT_TIMEOUT);
        drop(self.lines);
        let deadline = Instant::now() + END_TIMEOUT;
        while !self.thread.is_finished() && Instant::now() < deadline {
            // While the editor reads it takes this as Ctrl-C. Between two lines it does not learn of it: hence the loop.
            let _ = raise(Signal::SIGINT);
            tokio::time::sleep(END_PAUSE).await;
        }
        for (_, line) in self.recent {
            let _ = std::io::stdout().write_all(line.as_bytes());
        }
    }
}

/// Reads lines until the user or [`Editor::end`] ends it.
fn edit(
    prompt: &str,
    ready: oneshot::Sender<rustyline::Result<Printer>>,
    typed: &mpsc::Sender<Result<String, ReadlineError>>,
) {
    let mut editor = match DefaultEditor::new() {
        Ok(editor) => editor,
        Err(error) => return drop(ready.send(Err(error))),
    };
    let printer = editor.create_external_printer().map(|printer| Box::new(printer) as Printer);
    let usable = printer.is_ok();
    if ready.send(printer).is_err() || !usable {
        return;
    }
    loop {
        let line = match editor.readline(prompt) {
            Err(ReadlineError::Interrupted | ReadlineError::Eof) => return,
            // Here, because the next line must not be asked for any more.
            Ok(line) if typed::read(&line) == Typed::Quit => return,
            line => line,
        };
        if let Ok(line) = &line {
            // The history is for the arrow keys only; it is never written.
            let _ = editor.add_history_entry(line);
        }
        let failed = line.is_err();
        if typed.blocking_send(line).is_err() || failed {
            return;
        }
    }
}
