//! A relay in a process of its own, so that a test can kill it with SIGKILL.
//!
//! The process is the test program itself, started again: such a test binary has a test called [`CHILD_TEST`] that calls
//! [`serve_if_child`], which does nothing in an ordinary run.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, ensure};
use smp_protocol::address::RelayAddress;
use smp_server::Relay;
use smp_server::config::{DatabaseUrl, StoreKind};
use smp_server::init::local;
use smp_transport::surroundings::Surroundings;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// The test that is the relay when started as a child.
pub const CHILD_TEST: &str = "relay_process";

/// Tells the child where the relay's directory is.
const DIR_VARIABLE: &str = "SMP_TEST_RELAY_DIR";

/// Tells the child which database of PostgreSQL has its queues, if one has.
const DATABASE_VARIABLE: &str = "SMP_TEST_RELAY_DATABASE";

/// Printed by the child once it listens.
const READY: &str = "the relay listens";

/// A relay that keeps its directory, port and identity over restarts.
pub struct RelayProcess {
    dir: PathBuf,
    database: Option<String>,
    address: RelayAddress,
    child: Option<Child>,
    /// Held open: the test program writes to it after a minute, and would end if nobody could read.
    output: Option<Lines<BufReader<ChildStdout>>>,
}

impl RelayProcess {
    /// Sets up a relay with an SQLite store and full durability on a free port, and starts it.
    ///
    /// # Errors
    /// If a file or process cannot be made.
    pub async fn create(dir: &Path) -> anyhow::Result<Self> {
        Self::create_in(dir, None).await
    }

    /// As [`create`](Self::create), with its queues in a database of PostgreSQL, if there is one.
    ///
    /// # Errors
    /// As there.
    pub async fn create_in(dir: &Path, database: Option<String>) -> anyhow::Result<Self> {
        let created = local::standalone(dir, &Surroundings::machine())?;
        let mut relay =
            Self { dir: dir.to_owned(), database, address: created.address, child: None, output: None };
        relay.start().await?;
        Ok(relay)
    }

    /// The address for clients.
    pub fn address(&self) -> &RelayAddress {
        &self.address
    }

    /// Starts the process and waits until it listens.
    ///
    /// # Errors
    /// If it ends before.
    pub async fn start(&mut self) -> anyhow::Result<()> {
        let mut child = Command::new(std::env::current_exe()?)
            .args([CHILD_TEST, "--exact", "--nocapture"])
            .env(DIR_VARIABLE, &self.dir)
            .envs(self.database.iter().map(|database| (DATABASE_VARIABLE, database)))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
        self.child = Some(child);
        let mut ready = false;
        while let Some(line) = lines.next_line().await? {
            ready = line.contains(READY);
            if ready {
                break;
            }
        }
        ensure!(ready, "the relay ended before it listened");
        self.output = Some(lines);
        Ok(())
    }

    /// SIGKILL.
    ///
    /// # Errors
    /// If the system does not let us.
    pub async fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(mut child) = self.child.take() {
            child.kill().await?;
        }
        Ok(())
    }
}

/// Serves until killed or until the parent is gone, if this process is a relay's; otherwise returns at once.
///
/// # Errors
/// If the relay cannot be started.
pub async fn serve_if_child() -> anyhow::Result<()> {
    let Some(dir) = std::env::var_os(DIR_VARIABLE) else { return Ok(()) };
    let mut settings = local::settings(Path::new(&dir))?;
    if let Ok(database) = std::env::var(DATABASE_VARIABLE) {
        settings.store.kind = StoreKind::Postgres;
        settings.store.url = Some(DatabaseUrl::new(&database).map_err(anyhow::Error::msg)?);
    }
    let relay = Relay::start(settings).await?;
    println!("{READY}");
    let mut byte = [0_u8];
    while tokio::io::stdin().read(&mut byte).await.is_ok_and(|length| length > 0) {}
    relay.shutdown().await?;
    Ok(())
}
