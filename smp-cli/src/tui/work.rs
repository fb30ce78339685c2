//! The work that a key asks for: done with the session, and told to the state as an input.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use smp_chat::{Contact, Status};
use smp_transport::causes::with_causes;

use super::app::{From, Input, Page, Request};
use crate::args::{
    DeleteArgs, InviteArgs, JoinArgs, KnownContact, KnownMessage, MuteArgs, NewContact, ReactArgs,
    RemoveArgs, RenameArgs, RequestArgs, Switch, VerifyArgs,
};
use crate::commands::{Task, change, join, run_task};
use crate::output::{Code, Output, Screen};
use crate::qr::Picture;
use crate::session::Session;
use crate::text::unix_millis;

/// Items that a search shows at most, the last ones.
const FOUND: usize = 200;
/// How long a connection that was begun is waited for before that is said. It goes on.
const JOINING: Duration = Duration::from_secs(10);

/// Lines that a command prints, kept.
#[derive(Clone, Default)]
struct Lines {
    out: Arc<Mutex<Vec<String>>>,
    err: Arc<Mutex<Vec<String>>>,
}

impl Lines {
    /// The last line: a result, or else an explanation.
    fn last(&self) -> String {
        let last = |lines: &Mutex<Vec<String>>| {
            lines
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .iter()
                .rev()
                .find(|it| !it.is_empty())
                .cloned()
        };
        last(&self.out).or_else(|| last(&self.err)).unwrap_or_default()
    }
}

impl Screen for Lines {
    fn out(&self, line: &str) {
        self.out.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    fn err(&self, line: &str) {
        self.err.lock().unwrap_or_else(PoisonError::into_inner).push(line.to_owned());
    }

    /// Drawn by the view.
    fn code(&self, _: &Code) -> anyhow::Result<()> {
        Ok(())
    }
}

/// The contact of this number.
pub(super) async fn contact(session: &Session, id: i64) -> anyhow::Result<Option<Contact>> {
    Ok(session.book().by_number(id).await?)
}

/// A part of a conversation.
pub(super) async fn page(
    session: &Session,
    contact: &Contact,
    from: From,
    count: u32,
) -> anyhow::Result<Page> {
    let (book, now) = (session.book(), unix_millis());
    let is_full = |length: usize, count: u32| length >= count as usize;
    let (items, has_earlier, has_later) = match from {
        From::End => {
            let items = book.history(contact, None, count, now).await?;
            let more = is_full(items.len(), count);
            (items, more, false)
        }
        From::Before(number) => {
            let items = book.history(contact, Some(number), count, now).await?;
            let more = is_full(items.len(), count);
            (items, more, true)
        }
        From::After(number) => {
            let items = book.history_after(contact, number, count, now).await?;
            let more = is_full(items.len(), count);
            (items, true, more)
        }
        From::At(number) => {
            let items = book.history_after(contact, number.saturating_sub(1), count, now).await?;
            let more = is_full(items.len(), count);
            (items, number > 0, more)
        }
        From::Around(number) => {
            let half = count / 2;
            let mut items = book.history(contact, Some(number), half, now).await?;
            let earlier = is_full(items.len(), half);
            let behind = book.history_after(contact, number.saturating_sub(1), half, now).await?;
            let later = is_full(behind.len(), half);
            items.extend(behind);
            (items, earlier, later)
        }
    };
    Ok(Page { contact: contact.id, from, items, has_earlier, has_later })
}

/// Does what may take long, and says what came of it. Nothing but a sentence comes of what fails.
pub(super) async fn done(request: Request, mut session: Session) -> Input {
    let outcome = run(request, &mut session).await;
    outcome.unwrap_or_else(|error| Input::Said(with_causes(error.as_ref())))
}

async fn run(request: Request, session: &mut Session) -> anyhow::Result<Input> {
    let known = |name: &str| KnownContact { name: name.to_owned() };
    let (task, sentence) = match request {
        Request::Invite(name) => return invite(name, session).await,
        Request::ShowCode { contact: id, .. } => {
            let contact = contact(session, id).await?.context("The contact was removed meanwhile")?;
            let code = session.security_code(&contact).await?.to_string();
            return Ok(Input::Code { contact: id, code });
        }
        Request::Find { contact: id, words } => {
            let contact = match id {
                Some(id) => contact(session, id).await?,
                None => None,
            };
            let items = session.book().search(contact.as_ref(), &words, FOUND, unix_millis()).await?;
            return Ok(Input::Found { words, items });
        }
        Request::WriteCode { link, path } => {
            let path = Picture::create(Path::new(&path))?.write(&link)?;
            return Ok(Input::Said(format!("The QR code is in {}.", path.display())));
        }
        Request::Accept(name) => {
            let sentence = format!("{name} is being let in.");
            (Task::Accept(RequestArgs { name }), Some(sentence))
        }
        Request::Refuse(name) => (Task::Refuse(RequestArgs { name }), None),
        Request::Remove(name) => (Task::Remove(RemoveArgs { contact: known(&name), quiet: false }), None),
        Request::Rename { name, new } => {
            (Task::Rename(RenameArgs { contact: known(&name), name: new }), None)
        }
        Request::Mute { name, is_muted } => {
            let switch = if is_muted { Switch::On } else { Switch::Off };
            (Task::Mute(MuteArgs { contact: known(&name), switch }), None)
        }
        Request::Compare { name, code } => {
            (Task::Verify(VerifyArgs { contact: known(&name), code: vec![code], qr: None }), None)
        }
        Request::Edit { name, item, text } => {
            (Task::Change(change::Change::text(name, item, text)), Some(String::new()))
        }
        Request::Delete { name, item, here } => {
            let args = DeleteArgs { message: KnownMessage { contact: known(&name), number: item }, here };
            (Task::Change(change::delete(args)), Some("Deleted.".to_owned()))
        }
        Request::React { name, item, emoji, undo } => {
            let message = KnownMessage { contact: known(&name), number: item };
            let args = ReactArgs { message, emoji: emoji.to_owned(), undo };
            (Task::Change(change::react(args)), Some(String::new()))
        }
        Request::Join(link) => {
            let args =
                JoinArgs { link, contact: NewContact { name: None }, greeting: None, timeout: JOINING };
            // A dash is no link, and nothing can be read from the input of a screen.
            let args = if args.link == "-" { args } else { join::resolve(args)? };
            (Task::Join(args), None)
        }
        Request::Load { .. } | Request::Read { .. } | Request::Send { .. } | Request::Quit => {
            return Ok(Input::Said(String::new()));
        }
    };
    let lines = Lines::default();
    run_task(task, session, &Output::new(false, lines.clone())).await?;
    Ok(Input::Said(sentence.unwrap_or_else(|| lines.last())))
}

async fn invite(name: Option<String>, session: &mut Session) -> anyhow::Result<Input> {
    let lines = Lines::default();
    let args = InviteArgs { contact: NewContact { name }, qr: None, full: false, short: false, wait: false };
    run_task(Task::Invite(args), session, &Output::new(false, lines.clone())).await?;
    let link = lines.out.lock().unwrap_or_else(PoisonError::into_inner).first().cloned();
    let link = link.context("The invitation has no link")?;
    let contacts = session.book().contacts().await?;
    let invited = |contact: &&Contact| {
        contact.status == Status::Invited && contact.link.as_deref() == Some(link.as_str())
    };
    let name = contacts.iter().rev().find(invited).map(|contact| contact.name.clone()).unwrap_or_default();
    Ok(Input::Invited { name, link })
}
