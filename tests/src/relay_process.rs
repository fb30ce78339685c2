//! A relay in a process of its own, so that a test can kill it with SIGKILL.
//!
//! The process is the test program itself, started again: such a test binary has a test called [`CHILD_TEST`] that calls
//! [`serve_if_child`], which does nothing in an ordinary run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

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

/// Tells the child that it is one of several processes of the relay: its number, and the port that it listens on.
const PROCESS_VARIABLE: &str = "SMP_TEST_RELAY_PROCESS";

/// How long a process that shares the store has its queues when it is dead, at most.
const LEASE: Duration = Duration::from_secs(2);

/// Printed by the child once it listens.
const READY: &str = "the relay listens";

/// A relay that keeps its directory, port and identity over restarts.
pub struct RelayProcess {
    dir: PathBuf,
    database: Option<String>,
    /// Number and port of a process that shares the store.
    process: Option<(usize, u16)>,
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
        let mut relay = Self {
            dir: dir.to_owned(),
            database,
            process: None,
            address: created.address,
            child: None,
            output: None,
        };
        relay.start().await?;
        Ok(relay)
    }

    /// Sets up and starts so many processes of one relay, which share a database of PostgreSQL.
    ///
    /// # Errors
    /// As there.
    pub async fn create_several(dir: &Path, database: &str, count: usize) -> anyhow::Result<Vec<Self>> {
        let created = local::standalone(dir, &Surroundings::machine())?;
        let mut processes = Vec::new();
        for number in 0..count {
            let free = std::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0))?;
            let port = free.local_addr()?.port();
            drop(free);
            let mut process = Self {
                dir: dir.to_owned(),
                database: Some(database.to_owned()),
                process: Some((number, port)),
                address: RelayAddress { port: Some(port), ..created.address.clone() },
                child: None,
                output: None,
            };
            process.start().await?;
            processes.push(process);
        }
        Ok(processes)
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
            .envs(self.process.map(|(number, port)| (PROCESS_VARIABLE, format!("{number}:{port}"))))
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
    if let Ok(process) = std::env::var(PROCESS_VARIABLE) {
        let (number, port) = process.split_once(':').context("a number and a port")?;
        settings.store.path = Path::new(&dir).join(format!("data-{number}"));
        settings.store.lease = LEASE;
        settings.server.listen = vec![format!("127.0.0.1:{port}").parse()?];
        settings.server.control_socket = None;
        settings.cluster.listen = Some("127.0.0.1:0".parse()?);
    }
    let mut relay = Relay::start(settings.clone()).await?;
    println!("{READY}");
    let mut byte = [0_u8];
    let mut input = tokio::io::stdin();
    loop {
        tokio::select! {
            read = input.read(&mut byte) => {
                if !read.is_ok_and(|length| length > 0) {
                    break;
                }
            }
            // As a service manager does.
            () = relay.died() => {
                relay.kill().await;
                relay = Relay::start(settings.clone()).await?;
            }
        }
    }
    relay.shutdown().await?;
    Ok(())
}
