//! The relay of the demonstration: a child process, so that killing it is the real thing.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use smp_server::Relay;
use smp_server::config::{CONFIG_FILE, Overrides, load};
use smp_server::init::{Options, create};
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::args::DemoRelayArgs;
use crate::exit::Exit;

/// The parent's side.
pub(super) struct RelayProcess {
    dir: PathBuf,
    address: String,
    child: Option<Child>,
}

impl RelayProcess {
    /// Sets up a relay on a free port of this machine and starts it.
    pub(super) async fn create(dir: &Path, patience: Duration) -> anyhow::Result<Self> {
        let port = free_port().context("No port is free on this machine")?;
        let host = "127.0.0.1".parse().context("An address of this machine is expected")?;
        let options = Options { dir: dir.to_owned(), hosts: vec![host], port, password: None };
        let created = create(&options, OffsetDateTime::now_utc(), &mut rand::rng())?;
        let mut relay = Self { dir: dir.to_owned(), address: created.address.to_string(), child: None };
        relay.start(patience).await?;
        Ok(relay)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Starts the process and waits until it listens.
    pub(super) async fn start(&mut self, patience: Duration) -> anyhow::Result<()> {
        let program = std::env::current_exe().context("This program does not find itself")?;
        let mut child = Command::new(program)
            .arg("demo-relay")
            .arg(&self.dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("The relay's process does not start")?;
        let stdout = child.stdout.take().context("The relay's process has no output")?;
        self.child = Some(child);
        let mut lines = BufReader::new(stdout).lines();
        let line =
            tokio::time::timeout(patience, lines.next_line()).await.context("The relay does not start")??;
        ensure!(line.is_some(), "The relay ended before it listened; its message is above");
        Ok(())
    }

    /// SIGKILL: nothing is flushed, nobody is told.
    pub(super) async fn kill(&mut self) -> anyhow::Result<()> {
        match self.child.take() {
            Some(mut child) => child.kill().await.context("The relay cannot be killed"),
            None => Ok(()),
        }
    }
}

/// A port that nobody listens on now.
fn free_port() -> std::io::Result<u16> {
    Ok(std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The child's side: serves until it is killed, or until its parent is gone.
pub(crate) async fn run(args: &DemoRelayArgs) -> anyhow::Result<Exit> {
    let mut config = load(&args.dir.join(CONFIG_FILE), &Overrides::default())?;
    // Nobody else shall reach it.
    config.server.listen.truncate(1);
    config.server.listen.iter_mut().for_each(|address| address.set_ip(Ipv4Addr::LOCALHOST.into()));
    let relay = Relay::start(config).await?;
    println!("{}", relay.address());
    // The parent holds the other end: it closes when the parent ends, however it does.
    let mut stdin = tokio::io::stdin();
    let mut byte = [0_u8];
    while stdin.read(&mut byte).await.is_ok_and(|length| length > 0) {}
    relay.shutdown().await?;
    Ok(Exit::DONE)
}
