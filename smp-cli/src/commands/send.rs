//! `smp send`: hand over texts and wait until the contact's relay keeps them.

use std::collections::HashMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use smp_agent::MessageId;
use tokio::time::Instant;

use super::bar::Bar;
use super::notices::{QUEUED, next_before};
use crate::args::{ReplyArgs, SendArgs};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Notice, Session};
use crate::trouble::Trouble;
use smp_chat::compose::MAX_TEXT;
use smp_chat::{Contact, Status};

/// How much of standard input is taken with `--lines`, in bytes.
const MAX_LINES: u64 = 1024 * 1024;
/// Messages that are handed over before the first of them is sent.
const MAX_AHEAD: usize = 1000;
/// How long a text may take to go out that something is known to keep here; it goes out later.
const HELD: Duration = Duration::from_secs(3);

/// Texts that `smp send` was given, from arguments or input.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct TextToSend {
    contact: String,
    texts: Vec<String>,
    /// Whether each text is answered by itself, with its number.
    lines: bool,
    timeout: Duration,
    receipt: bool,
    /// A file, with the first text beside it.
    file: Option<PathBuf>,
    /// The number of the item that the first text answers.
    answered: Option<i64>,
}

/// Takes the texts from where they are.
pub(crate) fn resolve(args: SendArgs) -> anyhow::Result<TextToSend> {
    Ok(TextToSend {
        texts: match (args.lines, &args.file, args.text.as_slice()) {
            (true, ..) => lines()?,
            (false, Some(_), []) => vec![String::new()],
            (false, _, words) => vec![text(words)?],
        },
        file: args.file.map(std::path::absolute).transpose()?,
        contact: args.contact.name,
        lines: args.lines,
        timeout: args.timeout,
        receipt: args.receipt,
        answered: None,
    })
}

/// Takes an answer from where it is.
pub(crate) fn reply(args: ReplyArgs) -> anyhow::Result<TextToSend> {
    Ok(TextToSend {
        texts: vec![text(&args.text.words)?],
        contact: args.message.contact.name,
        lines: false,
        timeout: args.timeout,
        receipt: false,
        file: None,
        answered: Some(args.message.number),
    })
}

pub(super) async fn run(
    message: &TextToSend,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Exit> {
    let deadline = Instant::now() + message.timeout;
    let Some(contact) = connected(&message.contact, deadline, session, output).await? else {
        bail!(
            "{} is not connected yet, so nothing was sent; keep `smp listen` running until they are, then send again",
            message.contact
        );
    };
    let mut sending = Sending {
        message,
        contact: &contact,
        deadline,
        texts: Vec::new(),
        of: HashMap::new(),
        unsent: 0,
        told: 0,
        end: None,
    };
    if let Some(file) = &message.file {
        let text = message.texts.first().map(String::as_str).unwrap_or_default();
        if !sending.send_file(file, text, session, output).await? {
            return Ok(Exit::NOT_YET);
        }
        return sending.wait(session, output).await;
    }
    for text in &message.texts {
        sending.hand_over(text, session, output).await?;
        if sending.end == Some(End::Failed) {
            break;
        }
    }
    sending.wait(session, output).await
}

/// Texts on their way.
struct Sending<'a> {
    message: &'a TextToSend,
    contact: &'a Contact,
    deadline: Instant,
    /// How many messages of each text are not sent yet, and not received yet.
    texts: Vec<Progress>,
    /// Which text a message belongs to.
    of: HashMap<MessageId, usize>,
    /// Messages of all texts that are not sent yet.
    unsent: usize,
    /// Texts of which everything was told that was waited for.
    told: usize,
    /// Why there is nothing more to wait for.
    end: Option<End>,
}

struct Progress {
    unsent: usize,
    unreceived: usize,
    is_told: bool,
}

/// Why the rest is not waited for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Failed,
    NotNow,
}

impl Sending<'_> {
    /// Leaves a text to the agent, which keeps it until the contact's relay has it.
    async fn hand_over(&mut self, text: &str, session: &mut Session, output: &Output) -> anyhow::Result<()> {
        // A text that does not go out now is handed over all the same: it is kept.
        while self.end.is_none() && self.unsent >= MAX_AHEAD {
            self.step(session, output).await?;
        }
        let index = self.texts.len();
        let answered = match self.message.answered {
            Some(number) => Some(session.item(self.contact, number).await?),
            None => None,
        };
        let numbers = session.send_text(self.contact, text, answered.as_ref()).await;
        let numbers = match index {
            0 => numbers?,
            _ => numbers
                .with_context(|| format!("Lines 1 to {index} are kept or sent, those behind are not"))?,
        };
        self.unsent += numbers.len();
        self.texts.push(Progress { unsent: numbers.len(), unreceived: numbers.len(), is_told: false });
        self.of.extend(numbers.into_iter().map(|number| (number, index)));
        Ok(())
    }

    /// Uploads a file, and tells the contact; false if that was not possible yet. It is kept then.
    async fn send_file(
        &mut self,
        file: &Path,
        text: &str,
        session: &Session,
        output: &Output,
    ) -> anyhow::Result<bool> {
        let begun = session.begin_file(self.contact, file, text).await?;
        let bar = Bar::new("Sending", session.shows_texts() && !output.is_json());
        let sent = session.send_begun(&begun, &|done, total| bar.update(done, total)).await;
        drop(bar);
        let numbers = match sent {
            Ok(numbers) => numbers,
            Err(error) => {
                let sentence = format!(
                    "Not sent yet, and kept: it goes out by itself while `smp listen`, `chat`, `tui` or `daemon` runs. {error:#}."
                );
                output.note(
                    "queued",
                    json!({ "contact": self.contact.name, "reason": format!("{error:#}") }),
                    &sentence,
                );
                return Ok(false);
            }
        };
        self.deadline = Instant::now() + self.message.timeout;
        self.unsent += numbers.len();
        self.texts.push(Progress { unsent: numbers.len(), unreceived: numbers.len(), is_told: false });
        self.of.extend(numbers.into_iter().map(|number| (number, 0)));
        Ok(true)
    }

    async fn wait(mut self, session: &mut Session, output: &Output) -> anyhow::Result<Exit> {
        if self.end.is_none() && keeping(session, self.contact).await?.next().is_some() {
            self.deadline = self.deadline.min(Instant::now() + HELD);
        }
        while self.end.is_none() && !self.is_done() {
            self.step(session, output).await?;
        }
        match self.end {
            Some(End::Failed) => Ok(Exit::FAILED),
            Some(End::NotNow) => self.not_yet(session, output).await,
            None => warn(self.contact, session, output).await,
        }
    }

    fn is_done(&self) -> bool {
        self.told == self.texts.len()
    }

    /// Takes the next thing that happens.
    async fn step(&mut self, session: &mut Session, output: &Output) -> anyhow::Result<()> {
        let contact = self.contact.id;
        match next_before(session, self.deadline, output).await? {
            Some(Notice::Sent(to, number)) if to.id == contact => {
                self.note(number, |it| &mut it.unsent, output)
            }
            Some(Notice::Received(by, number)) if by.id == contact => {
                self.note(number, |it| &mut it.unreceived, output);
            }
            Some(Notice::SendFailed(to, number, _)) if to.id == contact && self.of.contains_key(&number) => {
                self.end = Some(End::Failed);
            }
            Some(Notice::Ended(ended, _)) if ended.id == contact => self.end = Some(End::Failed),
            // It lasts until they read, or come back.
            Some(Notice::Waiting(of) | Notice::Refused(of)) if of.id == contact => {
                self.end = Some(End::NotNow)
            }
            Some(_) => {}
            None => self.end = Some(End::NotNow),
        }
        Ok(())
    }

    /// One of the messages has come so far.
    fn note(&mut self, number: MessageId, count: impl Fn(&mut Progress) -> &mut usize, output: &Output) {
        let Some(index) = self.of.get(&number).copied() else { return };
        let Some(text) = self.texts.get_mut(index) else { return };
        let unsent = text.unsent;
        let left = count(text);
        *left = left.saturating_sub(1);
        self.unsent -= unsent - text.unsent;
        if self.message.lines {
            // As long as they go out they are waited for.
            self.deadline = self.deadline.max(Instant::now() + self.message.timeout);
        }
        if text.is_told || text.unsent > 0 || (self.message.receipt && text.unreceived > 0) {
            return;
        }
        text.is_told = true;
        self.told += 1;
        let fields = self.fields(index);
        match self.message.receipt {
            true => output.result("delivered", fields, "received"),
            false => output.result("sent", fields, "sent"),
        }
    }

    fn fields(&self, index: usize) -> Value {
        let mut fields = json!({ "contact": self.contact.name });
        if self.message.lines {
            fields["line"] = json!(index + 1);
        }
        fields
    }

    /// The rest is kept, and goes out by itself.
    async fn not_yet(&self, session: &Session, output: &Output) -> anyhow::Result<Exit> {
        let troubles: Vec<Trouble> = keeping(session, self.contact).await?.collect();
        let why =
            troubles.iter().map(|it| format!("{}: {}. ", it.kind.describe(), it.reason)).collect::<String>();
        for (index, text) in self.texts.iter().enumerate().filter(|(_, text)| !text.is_told) {
            let mut fields = self.fields(index);
            if text.unsent == 0 {
                output.result("sent", fields, "sent, and not received yet");
                continue;
            }
            fields["troubles"] = json!(troubles);
            let sentence = if why.is_empty() { QUEUED.to_owned() } else { format!("{QUEUED} {why}") };
            output.note("queued", fields, sentence.trim_end());
        }
        Ok(Exit::NOT_YET)
    }
}

/// Troubles that keep texts from going out to the contact now.
async fn keeping(session: &Session, contact: &Contact) -> anyhow::Result<impl Iterator<Item = Trouble>> {
    let troubles = session.troubles(contact).await?;
    Ok(troubles.into_iter().filter(|trouble| trouble.kind.keeps_texts()))
}

/// A text that was taken and may not be read must not look as one that is.
async fn warn(contact: &Contact, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let mut exit = Exit::DONE;
    for trouble in session.troubles(contact).await? {
        if trouble.kind.concerns_sent_texts() {
            let name = &contact.name;
            let sentence = format!(
                "{name} may not read or answer this: {} ({}).",
                trouble.kind.describe(),
                trouble.reason
            );
            output.note("trouble", json!({ "contact": name, "trouble": trouble }), &sentence);
            exit = Exit::DOUBTFUL;
        }
    }
    Ok(exit)
}

/// The contact, once connected; none if that did not happen in time.
async fn connected(
    name: &str,
    deadline: Instant,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Option<Contact>> {
    let mut contact = session.contact(name).await?;
    while contact.status != Status::Connected {
        if contact.status == Status::Requested {
            bail!("{name} asks to connect, and is not let in yet; answer first: smp accept, or smp refuse");
        }
        if contact.status == Status::Ended {
            bail!("{name} is gone, so nothing can be sent; connect again with a new invitation");
        }
        if next_before(session, deadline, output).await?.is_none() {
            return Ok(None);
        }
        let current = session.book().by_connection(contact.connection).await?;
        contact = current.context("The contact was removed meanwhile")?;
    }
    Ok(Some(contact))
}

/// The lines of standard input, without empty ones.
fn lines() -> anyhow::Result<Vec<String>> {
    let mut input = String::new();
    let taken = std::io::stdin().take(MAX_LINES + 1).read_to_string(&mut input);
    taken.context("Standard input is not text in UTF-8")?;
    if input.len() as u64 > MAX_LINES {
        bail!(
            "There is more than {MAX_LINES} bytes on standard input, so nothing was sent; send it in parts."
        );
    }
    let lines: Vec<String> =
        input.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect();
    if lines.is_empty() {
        bail!("There is no text on standard input; say something.");
    }
    Ok(lines)
}

/// The text of an argument, or of standard input.
pub(super) fn text(words: &[String]) -> anyhow::Result<String> {
    let text = match words {
        [dash] if dash == "-" => {
            let mut text = String::new();
            // One byte more than is sent shows that there is more.
            let mut input = std::io::stdin().take(MAX_TEXT as u64 + 1);
            input.read_to_string(&mut text).context("Standard input is not text in UTF-8")?;
            text.trim_end_matches('\n').to_owned()
        }
        words => words.join(" "),
    };
    if text.is_empty() {
        bail!("The text is empty; say something.");
    }
    Ok(text)
}
