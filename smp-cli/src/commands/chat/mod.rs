//! `smp chat`: a conversation, line by line.

mod editor;
mod typed;

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use anyhow::bail;
use smp_agent::MessageId;
use tokio::time::Instant;

use self::editor::Editor;
use self::typed::{HELP, Typed};
use super::history::item_line;
use super::notices::{QUEUED, next_before, told};
use super::stop::Stop;
use super::texts::text_line;
use super::tidy::Tidy;
use super::verify;
use crate::args::ChatArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};
use crate::text::unix_millis;
use smp_chat::{Contact, KeptItem};

/// How long the end waits for messages that are on their way.
const FAREWELL: Duration = Duration::from_secs(5);
/// Messages of before that are shown at the beginning.
const RECALLED: u32 = 10;

/// Before anything else is looked at.
pub(crate) fn refuse_programs(output: &Output) -> anyhow::Result<()> {
    if output.is_json() {
        bail!("`smp chat` is for people; programs use `smp --json listen` and `smp --json send`.");
    }
    Ok(())
}

pub(crate) async fn run(args: &ChatArgs, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&args.contact.name).await?;
    let mut stop = Stop::new()?;
    eprintln!("You talk with {}. /help lists commands, /quit or Ctrl-D ends.", contact.name);
    let editor = Editor::start(format!("{}> ", contact.name)).await?;
    let mut chat = Chat {
        session,
        contact,
        editor,
        others: HashSet::new(),
        unsent: HashSet::new(),
        unreceived: HashMap::new(),
    };
    let outcome = chat.talk(&mut stop).await;
    let Chat { session, contact, editor, unsent, .. } = chat;
    editor.end().await;
    outcome?;
    farewell(session, &contact, unsent, output).await
}

/// A conversation that goes on.
struct Chat<'a> {
    session: &'a mut Session,
    contact: Contact,
    editor: Editor,
    /// Other contacts who wrote, and were named.
    others: HashSet<i64>,
    /// Messages that the contact's relay does not have yet.
    unsent: HashSet<MessageId>,
    /// How the texts begin that the contact's app has not confirmed yet.
    unreceived: HashMap<MessageId, String>,
}

impl Chat<'_> {
    async fn talk(&mut self, stop: &mut Stop) -> anyhow::Result<()> {
        self.recall().await?;
        self.show().await?;
        let mut tidy = Tidy::new();
        loop {
            tokio::select! {
                notice = self.session.next() => self.tell(notice?).await?,
                line = self.editor.line() => match line? {
                    None => return Ok(()),
                    Some(line) => self.take(&line).await?,
                },
                () = stop.wait() => return Ok(()),
                () = tidy.wait() => tidy.run(self.session).await?,
            }
        }
    }

    /// Does what was typed.
    async fn take(&mut self, line: &str) -> anyhow::Result<()> {
        match typed::read(line) {
            // The editor has ended already.
            Typed::Nothing | Typed::Quit => Ok(()),
            Typed::Text(text) => self.send(text, None).await,
            Typed::Reply(number, text) => match self.session.item(&self.contact, number).await {
                Ok(answered) => self.send(text, Some(&answered)).await,
                Err(error) => self.editor.print(&format!("Not sent: {error:#}.")),
            },
            Typed::Edit(number, text) => {
                let sent = self.session.change(&self.contact, number, |item| item.edit(text)).await;
                self.changed(sent)
            }
            Typed::Delete(number) => {
                let sent = self.session.change(&self.contact, number, |item| item.take_back()).await;
                self.changed(sent)
            }
            Typed::React(number, emoji) => {
                let sent = self.session.change(&self.contact, number, |item| item.react(emoji, true)).await;
                self.changed(sent)
            }
            Typed::Code => self.print_code().await,
            Typed::Verify(code) => self.verify(code).await,
            Typed::Help => self.editor.print(HELP),
            Typed::Unknown(word) => {
                self.editor.print(&format!("There is no command /{word}, and nothing was sent. {HELP}"))
            }
        }
    }

    /// Notes a change that is on its way.
    fn changed(&mut self, sent: anyhow::Result<MessageId>) -> anyhow::Result<()> {
        match sent {
            Ok(number) => {
                self.unsent.insert(number);
                Ok(())
            }
            Err(error) => self.editor.print(&format!("Not changed: {error:#}.")),
        }
    }

    async fn send(&mut self, text: &str, answered: Option<&KeptItem>) -> anyhow::Result<()> {
        match self.session.send_text(&self.contact, text, answered).await {
            Ok(numbers) => {
                self.unsent.extend(&numbers);
                self.unreceived.extend(numbers.last().map(|number| (*number, beginning(text))));
                Ok(())
            }
            Err(error) => self.editor.print(&format!("Not sent: {error:#}.")),
        }
    }

    async fn verify(&mut self, typed: &str) -> anyhow::Result<()> {
        let outcome = match self.session.security_code(&self.contact).await {
            Ok(code) => verify::compare(self.session, &self.contact, &code, typed).await,
            Err(error) => Err(error),
        };
        match outcome {
            Ok(sentence) => self.editor.print(&sentence),
            Err(error) => self.editor.print(&format!("{error:#}")),
        }
    }

    async fn tell(&mut self, notice: Notice) -> anyhow::Result<()> {
        match notice {
            Notice::Text => return self.show().await,
            Notice::Sent(ref to, number) | Notice::SendFailed(ref to, number, _)
                if to.id == self.contact.id =>
            {
                self.unsent.remove(&number);
            }
            Notice::Received(ref by, number) if by.id == self.contact.id => {
                if let Some(text) = self.unreceived.remove(&number) {
                    return self.editor.print(&format!("✓✓ {text}"));
                }
            }
            _ => {}
        }
        match told(&notice) {
            Some(told) if !told.sentence.is_empty() => self.editor.print(&told.sentence),
            _ => Ok(()),
        }
    }

    /// Shows the last messages of before, but for those that are new.
    async fn recall(&mut self) -> anyhow::Result<()> {
        let new: HashSet<i64> = self
            .session
            .book()
            .new_lines_of(&self.contact)
            .await?
            .iter()
            .filter_map(|line| line.item)
            .collect();
        for kept in self.session.book().history(&self.contact, None, RECALLED, unix_millis()).await? {
            if !new.contains(&kept.number) {
                self.editor.print(&item_line(&kept, &self.contact.name, false))?;
            }
        }
        Ok(())
    }

    /// Shows texts of this contact, and names each of the others who wrote once: their texts wait.
    async fn show(&mut self) -> anyhow::Result<()> {
        for text in self.session.book().new_lines_of(&self.contact).await? {
            self.editor.print(&text_line(&text))?;
            self.session.book().shown(&text, unix_millis()).await?;
        }
        for text in self.session.book().new_lines().await? {
            if text.contact_id != self.contact.id && self.others.insert(text.contact_id) {
                let sentence = format!("{} wrote too; `smp listen` shows it.", text.contact);
                self.editor.print(&sentence)?;
            }
        }
        if let Some(last) = self.session.book().history(&self.contact, None, 1, unix_millis()).await?.pop() {
            self.session.book().mark_read(&self.contact, last.number).await?;
        }
        self.session.book().clean().await?;
        self.session.expire().await
    }

    async fn print_code(&mut self) -> anyhow::Result<()> {
        match self.session.security_code(&self.contact).await {
            Ok(code) => self.editor.print(&format!("security code: {code}")),
            Err(error) => self.editor.print(&format!("{error}.")),
        }
    }
}

/// How a text begins, in one line.
fn beginning(text: &str) -> String {
    const LENGTH: usize = 40;
    let line = text.lines().next().unwrap_or_default();
    match line.char_indices().nth(LENGTH) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None if line.len() < text.len() => format!("{line}…"),
        None => line.to_owned(),
    }
}

/// Lets go out what was written last.
async fn farewell(
    session: &mut Session,
    contact: &Contact,
    mut unsent: HashSet<MessageId>,
    output: &Output,
) -> anyhow::Result<Exit> {
    let deadline = Instant::now() + FAREWELL;
    while !unsent.is_empty() {
        match next_before(session, deadline, output).await? {
            Some(Notice::Sent(to, number) | Notice::SendFailed(to, number, _)) if to.id == contact.id => {
                unsent.remove(&number);
            }
            Some(_) => {}
            None => {
                eprintln!("{QUEUED}");
                return Ok(Exit::NOT_YET);
            }
        }
    }
    Ok(Exit::DONE)
}
