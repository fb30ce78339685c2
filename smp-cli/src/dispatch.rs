//! The process in which a command runs: this one, or the one that holds the data directory already.

use std::time::Duration;

use anyhow::bail;
use serde_json::json;
use smp_agent::AgentError;
use tokio::time::Instant;
use tokio_util::task::AbortOnDropHandle;

use crate::args::{BotArgs, BotCommandArgs, ChatArgs, Cli, Command, ContactsArgs, ListenArgs};
use crate::bot;
use crate::commands::export::Export;
use crate::commands::{
    Task, change, chat, contacts, file, import, init, join, listen, papers, passphrase, receive, relay,
    run_task, send, verify, welcome,
};
use crate::daemon;
use crate::data_dir::DataDir;
use crate::demo;
use crate::exit::Exit;
use crate::files::Missing;
use crate::output::Output;
use crate::passphrase::Passphrase;
use crate::qr::Picture;
use crate::session::{Session, send_begun_files};
use crate::shared::{Answer, Holder, Running, Server, ask};
use crate::terminal::Terminal;
use crate::tui;

/// How long a command waits for another one that holds the directory and will soon have ended.
const HELD_TIMEOUT: Duration = Duration::from_secs(20);
/// Pause between two attempts to hold it.
const HELD_PAUSE: Duration = Duration::from_millis(50);

/// Runs what was typed. An error is on the screen when it returns.
pub(crate) async fn run(cli: Cli) -> Exit {
    let json = cli.json;
    let picture = match &cli.command {
        // Before the invitation is made, so that a wrong name of a file costs none.
        Some(Command::Invite(args)) => args.qr.as_deref().map(Picture::create).transpose(),
        Some(Command::Address(args)) => args.qr().map(Picture::create).transpose(),
        Some(Command::Verify(args)) => args.qr.as_deref().map(Picture::create).transpose(),
        _ => Ok(None),
    };
    let (picture, failure) = match picture {
        Ok(picture) => (picture, None),
        Err(error) => (None, Some(error)),
    };
    let output = Output::new(json, Terminal::new(json, picture));
    let result = match failure {
        Some(error) => Err(error),
        None => start(cli, &output).await,
    };
    result.unwrap_or_else(|error| {
        output.error(&error);
        Exit::FAILED
    })
}

/// A command that needs an identity.
enum Work {
    /// One that another process can do.
    Task(Task),
    Listen(ListenArgs),
    Chat(ChatArgs),
    Daemon(BotArgs),
    Tui,
    Bot(BotCommandArgs),
    /// Nothing may be written meanwhile, so no other process does it.
    Export(Export),
}

impl Work {
    /// As people know it, without what they typed behind it.
    fn name(&self) -> &'static str {
        match self {
            Self::Task(Task::Contacts) => "smp contacts",
            Self::Task(Task::Invite(_)) => "smp invite",
            Self::Task(Task::Address(_)) => "smp address",
            Self::Task(Task::Doctor) => "smp doctor",
            Self::Task(Task::Rotate(_)) => "smp rotate",
            Self::Task(Task::Sync(_)) => "smp sync",
            Self::Task(Task::Accept(_)) => "smp accept",
            Self::Task(Task::Refuse(_)) => "smp refuse",
            Self::Task(Task::Join(_)) => "smp join",
            Self::Task(Task::Send(_)) => "smp send",
            Self::Task(Task::Receive(_)) => "smp receive",
            Self::Task(Task::Verify(_)) => "smp verify",
            Self::Task(Task::Remove(_)) => "smp remove",
            Self::Task(Task::Rename(_)) => "smp rename",
            Self::Task(Task::Mute(_)) => "smp mute",
            Self::Task(Task::Disappear(_)) => "smp disappear",
            Self::Task(Task::History(_)) => "smp history",
            Self::Task(Task::Search(_)) => "smp search",
            Self::Task(Task::Change(change)) => change.name(),
            Self::Listen(_) => "smp listen",
            Self::Chat(_) => "smp chat",
            Self::Daemon(_) => "smp daemon",
            Self::Tui => "smp tui",
            Self::Bot(_) => "smp bot",
            Self::Export(_) => "smp export",
        }
    }

    /// Whether it lasts until somebody ends it, so that others are served meanwhile.
    fn is_long(&self) -> bool {
        match self {
            Self::Listen(_) | Self::Chat(_) | Self::Tui | Self::Daemon(_) | Self::Bot(_) => true,
            Self::Task(Task::Invite(args)) => args.wait,
            Self::Task(_) | Self::Export(_) => false,
        }
    }
}

async fn start(cli: Cli, output: &Output) -> anyhow::Result<Exit> {
    let network = cli.network;
    let dir =
        || Ok::<_, anyhow::Error>(DataDir::locate(cli.data_dir.as_deref())?.with_network(network.clone()));
    let mut passphrase = Passphrase::new(cli.passphrase_file);
    let missing = match &cli.command {
        Some(Command::Contacts(ContactsArgs { new_book: true })) => Missing::NewBook,
        _ => Missing::Refuse,
    };
    let Some(command) = cli.command else { return welcome::run(&dir()?, output) };
    let work = match command {
        Command::Completions { shell } => return papers::completions(shell, output),
        Command::Man { dir } => return papers::man(&dir, output),
        Command::Demo(args) => return demo::run(&args, output).await,
        Command::DemoRelay(args) => return demo::run_relay(&args).await,
        Command::Init(args) => return init::run(args, &dir()?, &passphrase, output).await,
        Command::Passphrase(args) => return passphrase::run(args, &dir()?, &mut passphrase, output).await,
        Command::Import(args) => return import::run(args, &dir()?, &passphrase, output).await,
        Command::Export(args) => Work::Export(Export::resolve(args)?),
        Command::Relay(args) => return relay::run(args, &dir()?, output).await,
        Command::File(args) => return file::run(args, &dir()?, output).await,
        Command::Contacts(ContactsArgs { new_book }) => {
            if !new_book
                && matches!(passphrase.known(), Ok(None))
                && let Some(exit) = contacts::at_a_glance(&dir()?, output).await
            {
                return Ok(exit);
            }
            Work::Task(Task::Contacts)
        }
        Command::Invite(args) => Work::Task(Task::Invite(args)),
        Command::Address(args) => Work::Task(Task::Address(args)),
        Command::Doctor => Work::Task(Task::Doctor),
        Command::Rotate(args) => Work::Task(Task::Rotate(args)),
        Command::Sync(args) => Work::Task(Task::Sync(args)),
        Command::Accept(args) => Work::Task(Task::Accept(args)),
        Command::Refuse(args) => Work::Task(Task::Refuse(args)),
        Command::Join(args) => Work::Task(Task::Join(join::resolve(args)?)),
        Command::Send(args) => Work::Task(Task::Send(send::resolve(args)?)),
        Command::Receive(args) => Work::Task(Task::Receive(receive::resolve(args)?)),
        Command::Verify(args) => Work::Task(Task::Verify(verify::resolve(args)?)),
        Command::Remove(args) => Work::Task(Task::Remove(args)),
        Command::Rename(args) => Work::Task(Task::Rename(args)),
        Command::Mute(args) => Work::Task(Task::Mute(args)),
        Command::Disappear(args) => Work::Task(Task::Disappear(args)),
        Command::History(args) => Work::Task(Task::History(args)),
        Command::Search(args) => Work::Task(Task::Search(args)),
        Command::Reply(args) => Work::Task(Task::Send(send::reply(args)?)),
        Command::Edit(args) => Work::Task(Task::Change(change::edit(args)?)),
        Command::Delete(args) => Work::Task(Task::Change(change::delete(args))),
        Command::React(args) => Work::Task(Task::Change(change::react(args))),
        Command::Listen(args) => Work::Listen(args),
        Command::Bot(args) => {
            init::first_start(&args.first, &dir()?, &passphrase, output).await?;
            Work::Bot(args)
        }
        Command::Daemon(args) => {
            init::first_start(&args.first, &dir()?, &passphrase, output).await?;
            Work::Daemon(args.bots)
        }
        Command::Tui => {
            tui::refuse(cli.verbose, output)?;
            Work::Tui
        }
        Command::Chat(args) => {
            chat::refuse_programs(output)?;
            Work::Chat(args)
        }
    };
    work_in(&dir()?, work, missing, passphrase, output).await
}

/// Does the work: here, or in the process that holds the directory.
async fn work_in(
    dir: &DataDir,
    mut work: Work,
    missing: Missing,
    mut passphrase: Passphrase,
    output: &Output,
) -> anyhow::Result<Exit> {
    let deadline = Instant::now() + HELD_TIMEOUT;
    loop {
        match Session::open(dir, missing, &mut passphrase).await {
            Ok(session) => return hold(dir, work, session, output).await,
            Err(error) if is_held(&error) => {}
            Err(error) => return Err(error),
        }
        let running = Running::read(dir);
        if let Some(running) = &running {
            refuse_options(dir, running)?;
            work = match work {
                Work::Task(task) => match ask(running, task, output).await? {
                    Answer::Done(exit) => return Ok(exit),
                    Answer::NotTaken(task) => Work::Task(task),
                },
                _ if running.serves() => bail!(
                    "`{}` (process {}) receives in {} already; stop it first. `smp send`, `contacts` and others work meanwhile",
                    running.command,
                    running.process,
                    dir.path().display()
                ),
                work => work,
            };
        }
        if Instant::now() >= deadline {
            return Err(held(dir, running));
        }
        tokio::time::sleep(HELD_PAUSE).await;
    }
}

/// The process that does it has options of its own.
fn refuse_options(dir: &DataDir, running: &Running) -> anyhow::Result<()> {
    if !dir.network().is_empty() && running.serves() {
        bail!(
            "`{}` (process {}) does this, and reaches relays in its own way; leave out --proxy, --onion and --via, or stop it first",
            running.command,
            running.process
        );
    }
    Ok(())
}

fn is_held(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(AgentError::InUse { .. }))
}

fn held(dir: &DataDir, running: Option<Running>) -> anyhow::Error {
    let directory = dir.path().display();
    match running {
        Some(Running { process, command, .. }) => anyhow::anyhow!(
            "{directory} is in use: `{command}` (process {process}) works in it; try again when it has ended, or stop it"
        ),
        None => anyhow::anyhow!(
            "{directory} is in use by another process; stop that one, or choose another directory"
        ),
    }
}

/// Does the work with a directory that this process holds, and serves others if it takes long.
async fn hold(dir: &DataDir, work: Work, mut session: Session, output: &Output) -> anyhow::Result<Exit> {
    let mut holder = Holder::new(dir, work.name());
    let server = match session.follow().filter(|_| work.is_long()) {
        Some(follow) => match Server::start(dir, &mut holder, follow) {
            Ok(server) => Some(server),
            Err(error) => {
                let sentence = format!("Other commands have to wait until this one ends: {error:#}.");
                output.note("not_shared", json!({ "reason": format!("{error:#}") }), &sentence);
                None
            }
        },
        None => None,
    };
    // Files that an earlier process has begun to send.
    let sending = session.follow().filter(|_| work.is_long());
    let sending =
        sending.map(|follow| AbortOnDropHandle::new(tokio::spawn(send_begun_files(follow.identity()))));
    let result = match work {
        Work::Task(task) => run_task(task, &mut session, output).await,
        Work::Listen(args) => listen::run(&args, &mut session, output).await,
        Work::Bot(args) => bot::run(args, &mut session, output).await,
        Work::Daemon(bots) => daemon::run(bots, &mut session, output).await,
        Work::Chat(args) => chat::run(&args, &mut session, output).await,
        Work::Tui => tui::run(&mut session, output).await,
        Work::Export(export) => export.run(dir, &session, output).await,
    };
    if let Some(server) = server {
        server.stop(&mut holder).await;
    }
    drop(holder);
    drop(sending);
    session.close().await;
    result
}
