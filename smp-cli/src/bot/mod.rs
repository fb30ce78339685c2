//! `smp bot`: a bot that is a command, or a server of this machine. Each message goes to it once, and what comes back is the answer.
//!
//! Messages come from the book's feed, and are taken from it when their commands have ended and their answers are handed over: a message
//! whose command was interrupted by a kill runs it again, and one that was answered is not answered twice.

mod exec;
mod receiver;
mod signature;
mod webhook;

use std::collections::HashMap;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use serde_json::json;
use smp_chat::{Contact, Happened, Happening, KeptItem};
use smp_crypto::hash::sha256;
use smp_protocol::chat::SharedMessageId;

use self::exec::Limits;
use self::receiver::Receiver;
use self::signature::Secret;
use self::webhook::{NotPosted, Webhook};
use crate::args::BotCommandArgs;
use crate::commands::{Stop, Tidy, explain};
use crate::exit::Exit;
use crate::output::Output;
use crate::session::{Identity, Session};
use crate::text::unix_millis;

/// Longest pause before a server that is away is asked again.
const MAX_PAUSE: Duration = Duration::from_secs(60);
/// Messages that are taken from the feed together.
const PAGE: u32 = 64;

/// Answers until it is told to stop.
pub(crate) async fn run(
    args: BotCommandArgs,
    session: &mut Session,
    output: &Output,
) -> anyhow::Result<Exit> {
    let mut stop = Stop::new()?;
    let Some(follow) = session.follow() else { return Ok(Exit::FAILED) };
    let identity = follow.identity();
    let mut grows = identity.book().feed_grows();
    identity.book().feed();
    let (mind, receiver) = match (&args.exec, &args.webhook, &args.webhook_secret_file) {
        (Some(command), ..) => (Mind::Command(command.clone()), None),
        (None, Some(url), Some(file)) => {
            let receiver = match args.webhook_listen {
                Some(address) => {
                    Some(Receiver::open(address, identity.clone(), Secret::of_file(file)?).await?)
                }
                None => None,
            };
            (Mind::Server(Webhook::new(url, Secret::of_file(file)?)?), receiver)
        }
        _ => anyhow::bail!(
            "Say what answers: --exec COMMAND, or --webhook URL with --webhook-secret-file FILE"
        ),
    };
    let listens = receiver.as_ref().map(Receiver::address).transpose()?.map(|address| address.to_string());
    let sentence = "Answering messages; Ctrl-C or SIGTERM ends it.";
    output.note(
        "serving",
        json!({ "exec": args.exec, "webhook": args.webhook, "listens": listens }),
        sentence,
    );
    let listening = async {
        match receiver {
            Some(receiver) => receiver.serve().await,
            None => std::future::pending().await,
        }
    };
    let bot = Bot { args: &args, mind, identity: &identity, output };
    let answering = async {
        let mut told = 0;
        loop {
            grows.mark_unchanged();
            match bot.answer_page(told).await? {
                Some(last) => told = last,
                None => grows.changed().await?,
            }
        }
    };
    let mut tidy = Tidy::new();
    let receiving = async {
        loop {
            tokio::select! {
                notice = session.next() => explain(&notice?, output),
                () = tidy.wait() => tidy.run(session).await?,
            }
        }
    };
    tokio::select! {
        ended = answering => ended,
        ended = receiving => ended,
        () = listening => Ok(Exit::FAILED),
        () = stop.wait() => Ok(Exit::DONE),
    }
}

/// The thing that knows the answers.
enum Mind {
    Command(String),
    Server(Webhook),
}

struct Bot<'a> {
    args: &'a BotCommandArgs,
    mind: Mind,
    identity: &'a Identity,
    output: &'a Output,
}

impl Bot<'_> {
    /// Answers the next messages behind this event. Returns the last one; none if there are none.
    async fn answer_page(&self, told: i64) -> anyhow::Result<Option<i64>> {
        let page = self.identity.book().happenings(told, PAGE).await?;
        let Some(last) = page.last().map(|happened| happened.number) else { return Ok(None) };
        let mut conversations: HashMap<i64, Vec<&Happened>> = HashMap::new();
        for happened in page.iter().filter(|happened| happened.what == Happening::Message) {
            conversations.entry(happened.person.contact.id).or_default().push(happened);
        }
        let mut answering = stream::iter(conversations.into_values())
            .map(|messages| self.answer_all(messages))
            .buffer_unordered(usize::from(self.args.parallel));
        while let Some(answered) = answering.next().await {
            answered?;
        }
        self.identity.book().taken(last, unix_millis()).await?;
        Ok(Some(last))
    }

    /// Answers the messages of one contact, one after the other.
    async fn answer_all(&self, messages: Vec<&Happened>) -> anyhow::Result<()> {
        for message in messages {
            if let Some(kept) = message.item.as_ref().filter(|kept| !kept.item.is_deleted) {
                self.answer(&message.person.contact, kept).await?;
            }
        }
        Ok(())
    }

    /// The answer to a message; empty if there is none.
    async fn think(&self, contact: &Contact, kept: &KeptItem) -> anyhow::Result<String> {
        let text = kept.item.container().and_then(|container| container.content.text.clone());
        let text = text.or_else(|| kept.item.line().map(|line| line.text)).unwrap_or_default();
        match &self.mind {
            Mind::Command(command) => {
                let output = usize::try_from(self.args.max_output).unwrap_or(usize::MAX);
                let limits = Limits { time: self.args.timeout, output };
                exec::run(command, contact, kept, &text, &limits).await
            }
            Mind::Server(webhook) => self.ask(webhook, contact, kept, &text).await,
        }
    }

    /// Posts a message until the server takes it or refuses it.
    async fn ask(
        &self,
        webhook: &Webhook,
        contact: &Contact,
        kept: &KeptItem,
        text: &str,
    ) -> anyhow::Result<String> {
        let mut pause = Duration::from_secs(1);
        loop {
            match webhook.post(contact, kept, text, self.args.timeout).await {
                Ok(reply) => return Ok(reply),
                Err(NotPosted::Refused(status)) => anyhow::bail!("the server answered {status}"),
                Err(NotPosted::Later(error)) => {
                    let seconds = pause.as_secs();
                    let fields = json!({ "contact": contact.name, "item": kept.number, "seconds": seconds });
                    let sentence = format!("The server is asked again in {seconds} s: {error:#}");
                    self.output.note("asked_later", fields, &sentence);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(MAX_PAUSE);
                }
            }
        }
    }

    async fn answer(&self, contact: &Contact, kept: &KeptItem) -> anyhow::Result<()> {
        let id = answer_id(contact, kept);
        if self.identity.book().has_own(contact, &id).await? {
            return Ok(());
        }
        let fields = json!({ "contact": contact.name, "item": kept.number });
        let text = match self.think(contact, kept).await {
            Ok(text) => text,
            Err(error) => {
                let sentence = format!("No answer to message {} of {}: {error:#}", kept.number, contact.name);
                self.output.note("not_answered", fields, &sentence);
                return Ok(());
            }
        };
        if text.is_empty() {
            return Ok(());
        }
        match self.identity.send_answer(contact, id, &text, kept).await {
            // People see it in the history.
            Ok(()) if self.output.is_json() => self.output.note("answered", fields, ""),
            Ok(()) => {}
            Err(error) if crate::full_disk::is_cause(&error) => return Err(error),
            // The contact is gone, for instance.
            Err(error) => {
                let sentence = format!("The answer to {} was not sent: {error:#}", contact.name);
                self.output.note("not_answered", fields, &sentence);
            }
        }
        Ok(())
    }
}

/// The ID of the answer to a message: the same if the command runs again.
fn answer_id(contact: &Contact, kept: &KeptItem) -> SharedMessageId {
    let name = [&b"answer"[..], &contact.connection.to_be_bytes(), &kept.number.to_be_bytes()].concat();
    SharedMessageId::from_bytes(&sha256(&name)[..12])
}
