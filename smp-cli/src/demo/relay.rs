//! The relay of the demonstration: a child process, so that killing it is the real thing.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use smp_server::Relay;
use smp_server::init::local;
use smp_transport::surroundings::Surroundings;
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
    pub(super) async fn create(dir: &Path, timeout: Duration) -> anyhow::Result<Self> {
        let created = local::standalone(dir, &Surroundings::machine())?;
        let mut relay = Self { dir: dir.to_owned(), address: created.address.to_string(), child: None };
        relay.start(timeout).await?;
        Ok(relay)
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Starts the process and waits until it listens.
    pub(super) async fn start(&mut self, timeout: Duration) -> anyhow::Result<()> {
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
            tokio::time::timeout(timeout, lines.next_line()).await.context("The relay does not start")??;
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

/// The child's side: serves until it is killed, or until its parent is gone.
pub(crate) async fn run(args: &DemoRelayArgs) -> anyhow::Result<Exit> {
    let relay = Relay::start(local::settings(&args.dir)?).await?;
    println!("{}", relay.address());
    // The parent holds the other end: it closes when the parent ends, however it does.
    let mut stdin = tokio::io::stdin();
    let mut byte = [0_u8];
    while stdin.read(&mut byte).await.is_ok_and(|length| length > 0) {}
    relay.shutdown().await?;
    Ok(Exit::DONE)
}
