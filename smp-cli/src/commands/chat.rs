//! `smp chat`: a conversation, line by line.

use std::process::ExitCode;

use anyhow::Context as _;
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::{mpsc, oneshot};

use super::{explain, interrupted, text_line};
use crate::args::ChatArgs;
use crate::book::Contact;
use crate::output::Output;
use crate::session::{Notice, Session};

/// Lines that were typed and not taken yet.
const TYPED_AHEAD: usize = 16;

pub(super) async fn run(args: &ChatArgs, session: &mut Session, output: Output) -> anyhow::Result<ExitCode> {
    let contact = session.book().require(&args.contact).await?;
    eprintln!("You talk with {}. /code shows the security code, /quit or Ctrl-D ends.", contact.name);
    let (mut lines, mut printer) = editor(format!("{}> ", contact.name)).await?;
    show(session, &contact, &mut printer).await?;
    loop {
        tokio::select! {
            notice = session.next() => {
                let notice = notice?;
                explain(&notice, output);
                if matches!(notice, Notice::Text) {
                    show(session, &contact, &mut printer).await?;
                }
            }
            line = lines.recv() => match line.as_deref().map(str::trim) {
                None | Some("/quit") => return Ok(ExitCode::SUCCESS),
                Some("") => {}
                Some("/code") => print_code(session, &contact, &mut printer).await?,
                Some(text) => {
                    if let Err(error) = session.send_text(&contact, text).await {
                        print(&mut printer, &format!("Not sent: {error:#}."))?;
                    }
                }
            },
            () = interrupted() => return Ok(ExitCode::SUCCESS),
        }
    }
}

type Printer = Box<dyn ExternalPrinter + Send>;

/// Runs the line editor in a thread of its own: it blocks. Gives the lines, and a way to print above the one being typed.
async fn editor(prompt: String) -> anyhow::Result<(mpsc::Receiver<String>, Printer)> {
    let (typed, lines) = mpsc::channel(TYPED_AHEAD);
    let (ready, printer) = oneshot::channel::<anyhow::Result<Printer>>();
    std::thread::spawn(move || {
        let mut editor = match DefaultEditor::new() {
            Ok(editor) => editor,
            Err(error) => return drop(ready.send(Err(error.into()))),
        };
        let printer = editor.create_external_printer().map(|printer| Box::new(printer) as Printer);
        if ready.send(printer.map_err(anyhow::Error::from)).is_err() {
            return;
        }
        loop {
            match editor.readline(&prompt) {
                Ok(line) => {
                    // The history is for the arrow keys only; it is never written.
                    let _ = editor.add_history_entry(&line);
                    if typed.blocking_send(line).is_err() {
                        return;
                    }
                }
                Err(ReadlineError::Interrupted | ReadlineError::Eof) => return,
                Err(error) => return eprintln!("smp: the terminal cannot be read: {error}"),
            }
        }
    });
    let printer = printer.await.context("The line editor did not start")?;
    Ok((
        lines,
        printer.context("This terminal cannot be used for chatting; use `smp send` and `smp listen`")?,
    ))
}

/// Shows texts of this contact, and names the others who wrote: their texts wait for `smp listen`.
async fn show(session: &Session, contact: &Contact, printer: &mut Printer) -> anyhow::Result<()> {
    for text in session.new_texts().await? {
        if text.contact_id == contact.id {
            print(printer, &text_line(&text))?;
            session.book().shown(&text).await?;
        }
    }
    session.book().clean().await
}

async fn print_code(session: &Session, contact: &Contact, printer: &mut Printer) -> anyhow::Result<()> {
    match session.security_code(contact).await {
        Ok(code) => print(printer, &format!("security code: {code}")),
        Err(error) => print(printer, &format!("{error}.")),
    }
}

fn print(printer: &mut Printer, line: &str) -> anyhow::Result<()> {
    printer.print(format!("{line}\n")).context("The terminal is gone")
}
