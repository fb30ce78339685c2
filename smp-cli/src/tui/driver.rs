//! The driver: waits for keys, for what happens and for work that is done, and draws.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use anyhow::Context as _;
use crossterm::event::Event;
use smp_agent::MessageId;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

use super::app::{App, Input, Request};
use super::screen::Screen;
use super::{view, work};
use crate::commands::notices::{QUEUED, told};
use crate::commands::stop::Stop;
use crate::commands::tidy::Tidy;
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Follow, Notice, Session};
use crate::text::unix_millis;

/// Events of the terminal that are taken before the next drawing: keys that repeat faster than it must not wait for each one.
const EVENTS_AT_ONCE: usize = 256;
/// How soon after something has happened the list shows it: many things at once are looked at once.
const SETTLE: Duration = Duration::from_millis(30);
/// How long the end waits for messages that are on their way.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs until the user, a signal or the end of the terminal ends it.
pub(crate) async fn run(session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
    let follow = session.follow().context("Another process serves this one")?;
    if !session.keeps_history() {
        anyhow::bail!(
            "`smp tui` shows the history, and none is kept (`history = false` in settings.toml); use `smp chat CONTACT`"
        );
    }
    let mut stop = Stop::new()?;
    let mut hangup = signal(SignalKind::hangup()).context("The program cannot wait for signals")?;
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let mut driver = Driver {
        app: App::new(colours),
        follow,
        work: JoinSet::new(),
        ending: CancellationToken::new(),
        refresh: None,
        unsent: HashSet::new(),
        is_over: false,
    };
    // Read before the terminal is taken: an error is told on the screen that was.
    driver.refresh(session).await?;
    let outcome = {
        let mut screen = Screen::take()?;
        driver.follow_until_the_end(&mut screen, session, &mut stop, &mut hangup).await
    };
    driver.ending.cancel();
    driver.work.shutdown().await;
    outcome?;
    driver.farewell(session, output).await
}

struct Driver {
    app: App,
    follow: Follow,
    /// Tasks that take longer than a key may.
    work: JoinSet<Input>,
    ending: CancellationToken,
    /// When the list is to be read again, if something has happened.
    refresh: Option<Instant>,
    /// Messages, with their contacts, that the contacts' relays do not have yet.
    unsent: HashSet<(i64, MessageId)>,
    is_over: bool,
}

impl Driver {
    async fn follow_until_the_end(
        &mut self,
        screen: &mut Screen,
        session: &mut Session,
        stop: &mut Stop,
        hangup: &mut tokio::signal::unix::Signal,
    ) -> anyhow::Result<()> {
        let mut events = keyboard()?;
        let mut tidy = Tidy::new();
        while !self.is_over {
            match screen.terminal.draw(|frame| view::draw(&mut self.app, frame)) {
                Ok(_) => {}
                Err(error) if is_gone(&error) => return Ok(()),
                Err(error) => return Err(error).context("The terminal cannot be drawn in"),
            }
            let refresh = self.refresh;
            tokio::select! {
                biased;
                () = stop.wait() => return Ok(()),
                _ = hangup.recv() => return Ok(()),
                event = events.recv() => match event {
                    Some(event) => self.take_events(event, &mut events, session).await?,
                    // The terminal is gone.
                    None => return Ok(()),
                },
                Some(done) = self.work.join_next() => {
                    if let Ok(input) = done {
                        self.take(input, session).await?;
                    }
                    self.refresh_soon();
                },
                notice = session.next() => {
                    self.tell(&notice?);
                    self.refresh_soon();
                },
                () = self.follow.changed() => self.refresh_soon(),
                () = sleep_until(refresh.unwrap_or_else(Instant::now)), if refresh.is_some() => {
                    self.refresh(session).await?;
                },
                () = tidy.wait() => {
                    tidy.run(session).await?;
                    self.refresh_soon();
                },
            }
        }
        Ok(())
    }

    /// Takes this event, and those that are there already.
    async fn take_events(
        &mut self,
        first: Event,
        events: &mut mpsc::Receiver<Event>,
        session: &mut Session,
    ) -> anyhow::Result<()> {
        let mut next = Some(first);
        for _ in 0..EVENTS_AT_ONCE {
            match next {
                Some(Event::Key(key)) => self.take(Input::Key(key), session).await?,
                Some(Event::Paste(text)) => self.take(Input::Paste(text), session).await?,
                // The next drawing looks at the size.
                Some(_) => {}
                None => break,
            }
            next = events.try_recv().ok();
        }
        Ok(())
    }

    /// Gives an input to the state, and does what it asks for.
    async fn take(&mut self, input: Input, session: &Session) -> anyhow::Result<()> {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for request in self.app.take(input) {
                inputs.extend(self.answer(request, session).await?);
            }
        }
        Ok(())
    }

    /// Does what is asked for: at once what is read from the book or written to it, beside the keys what may take long.
    async fn answer(&mut self, request: Request, session: &Session) -> anyhow::Result<Vec<Input>> {
        match request {
            Request::Quit => self.is_over = true,
            Request::Load { contact, from, count } => {
                if let Some(contact) = work::contact(session, contact).await? {
                    let page = work::page(session, &contact, from, count).await?;
                    let troubles = session.troubles(&contact).await?;
                    let words =
                        troubles.iter().map(|it| format!("{}: {}", it.kind.describe(), it.reason)).collect();
                    return Ok(vec![Input::Troubles(contact.id, words), Input::Page(page)]);
                }
            }
            Request::Read { contact, item } => {
                if let Some(contact) = work::contact(session, contact).await?
                    && session.book().read(&contact, item, unix_millis()).await?
                {
                    self.refresh_soon();
                }
            }
            Request::Send { contact, text, answered } => {
                return self.send(contact, text, answered, session).await;
            }
            request => {
                let session = self.follow.session(self.ending.clone());
                self.work.spawn(work::done(request, session));
            }
        }
        Ok(Vec::new())
    }

    /// Hands a text to the agent, in the order in which they were typed.
    async fn send(
        &mut self,
        id: i64,
        text: String,
        answered: Option<i64>,
        session: &Session,
    ) -> anyhow::Result<Vec<Input>> {
        let sent = async {
            let contact = work::contact(session, id).await?.context("The contact was removed meanwhile")?;
            let answered = match answered {
                Some(number) => Some(session.item(&contact, number).await?),
                None => None,
            };
            session.send_text(&contact, &text, answered.as_ref()).await
        };
        match sent.await {
            Ok(numbers) => {
                self.unsent.extend(numbers.into_iter().map(|number| (id, number)));
                self.refresh_soon();
                Ok(Vec::new())
            }
            Err(error) => Ok(vec![Input::NotSent { contact: id, text, reason: format!("{error:#}") }]),
        }
    }

    /// Says what happened, where it cannot be seen.
    fn tell(&mut self, notice: &Notice) {
        if let Notice::Sent(to, number) | Notice::SendFailed(to, number, _) = notice {
            self.unsent.remove(&(to.id, *number));
        }
        if let Some(told) = told(notice)
            && !told.sentence.is_empty()
        {
            self.app.take(Input::Said(told.sentence));
        }
    }

    fn refresh_soon(&mut self) {
        self.refresh.get_or_insert_with(|| Instant::now() + SETTLE);
    }

    /// Reads the list again, and what is shown of the conversation.
    async fn refresh(&mut self, session: &Session) -> anyhow::Result<()> {
        self.refresh = None;
        let contacts = session.book().overview().await?;
        self.take(Input::Contacts(contacts), session).await
    }

    /// Lets go out what was written last.
    async fn farewell(mut self, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
        let deadline = Instant::now() + FAREWELL;
        while !self.unsent.is_empty() {
            match timeout_at(deadline, session.next()).await {
                Ok(notice) => self.tell(&notice?),
                Err(_) => {
                    output.hint(QUEUED);
                    return Ok(Exit::NOT_YET);
                }
            }
        }
        Ok(Exit::DONE)
    }
}

/// Keys, pasted texts and new sizes, from a thread of its own: it blocks. It ends with the program, or with the terminal.
fn keyboard() -> anyhow::Result<mpsc::Receiver<Event>> {
    let (sender, events) = mpsc::channel(EVENTS_AT_ONCE);
    let read = move || {
        while let Ok(event) = crossterm::event::read() {
            if sender.blocking_send(event).is_err() {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("keyboard".to_owned())
        .spawn(read)
        .context("No thread for the keyboard")?;
    Ok(events)
}

/// Whether an error says that nobody sees the terminal any more.
fn is_gone(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected)
        || error.raw_os_error() == Some(nix::errno::Errno::EIO as i32)
}
