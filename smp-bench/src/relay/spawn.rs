//! `Spawned`: a relay in a process of its own, which can be killed and started again.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, bail};
use smp_protocol::address::RelayAddress;
use smp_server::init::local;
use smp_transport::surroundings::Surroundings;
use tempfile::TempDir;

use super::Mode;

/// Program to start.
#[derive(Debug, Clone)]
pub enum Program {
    /// The relay that is built into this program, or the named one that behaves like it: `PROGRAM relay --dir ...`.
    Built(PathBuf),
    /// A program `smp-server`.
    Server(PathBuf),
}

impl Program {
    /// `self`, or the path of a program `smp-server`.
    ///
    /// # Errors
    /// If this program cannot be found on the disk.
    pub fn named(name: &str) -> Result<Self> {
        match name {
            "self" => Ok(Self::Built(std::env::current_exe()?)),
            path => Ok(Self::Server(PathBuf::from(path))),
        }
    }

    fn start(&self) -> Command {
        let (path, name) = match self {
            Self::Built(path) => (path, "relay"),
            Self::Server(path) => (path, "start"),
        };
        let mut command = Command::new(path);
        command.arg(name);
        command
    }
}

/// Environment variables that are settings of a relay.
pub type Settings = &'static [(&'static str, &'static str)];

/// A relay in a process of its own. It is killed and its files are removed when this is dropped.
#[derive(Debug)]
pub struct Spawned {
    program: Program,
    mode: Mode,
    cpus: Option<String>,
    settings: Settings,
    listen: SocketAddr,
    /// Where it is reached.
    pub address: RelayAddress,
    child: Child,
    /// It may say more later, and would end if nobody could hear it.
    _output: Option<BufReader<ChildStdout>>,
    /// Removed last.
    dir: TempDir,
}

impl Spawned {
    /// Starts a relay on a free loopback port, with these settings besides those of the mode. `cpus`: which cores it may use, as `taskset`
    /// has them.
    ///
    /// # Errors
    /// If it cannot be set up or started.
    pub fn start(program: Program, mode: Mode, cpus: Option<String>, settings: Settings) -> Result<Self> {
        let dir = tempfile::Builder::new().prefix("smp-bench").tempdir()?;
        let relay = dir.path().join("relay");
        let created = local::standalone(&relay, &Surroundings::machine())?;
        let listen = *local::settings(&relay)?.server.listen.first().context("no listener is set up")?;
        let mut child = command(&program, mode, cpus.as_deref(), &relay, listen)?
            .envs(settings.iter().copied())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {program:?}"))?;
        let mut line = String::new();
        let mut output = child.stdout.take().map(BufReader::new);
        if let Some(output) = &mut output {
            output.read_line(&mut line)?;
        }
        if line.is_empty() {
            // it has said why on standard error
            bail!("the relay did not start: {}", child.wait()?);
        }
        Ok(Self {
            program,
            mode,
            cpus,
            settings,
            listen,
            address: created.address,
            child,
            _output: output,
            dir,
        })
    }

    /// Its process ID.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its store.
    #[must_use]
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// Bytes in its database.
    #[must_use]
    pub fn disk_bytes(&self) -> u64 {
        let files = std::fs::read_dir(self.dir.path().join("relay/data")).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
    }

    /// Ends the process as a crash would.
    ///
    /// # Errors
    /// If it cannot be waited for.
    pub fn kill(&mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Starts it again, at the same address with the same files. Does not wait until it listens.
    ///
    /// # Errors
    /// If it cannot be started.
    pub fn restart(&mut self) -> Result<()> {
        let dir = self.dir.path().join("relay");
        self.child = command(&self.program, self.mode, self.cpus.as_deref(), &dir, self.listen)?
            .envs(self.settings.iter().copied())
            .stdout(Stdio::null())
            .spawn()?;
        Ok(())
    }
}

impl Drop for Spawned {
    fn drop(&mut self) {
        // it may have ended by itself
        let _ = self.kill();
    }
}

fn command(
    program: &Program,
    mode: Mode,
    cpus: Option<&str>,
    dir: &Path,
    listen: SocketAddr,
) -> Result<Command> {
    let mut start = program.start();
    start.arg("--dir").arg(dir).arg("--listen").arg(listen.to_string());
    let mut command = match cpus {
        None => start,
        Some(cpus) => {
            let mut pinned = Command::new("taskset");
            pinned.args(["-c", cpus]).arg(start.get_program()).args(start.get_args());
            pinned
        }
    };
    let (kind, durability) = mode.settings();
    command
        .env("SMP_SERVER_STORE__KIND", kind)
        .env("SMP_SERVER_STORE__DURABILITY", durability)
        // otherwise `create` measures the limit
        .env("SMP_SERVER_LIMITS__NEW_QUEUES_PER_MINUTE", "0")
        .env("SMP_SERVER_PROXY__ALLOW_PRIVATE_HOSTS", "true")
        .env("SMP_SERVER_LOG__LEVEL", "error")
        .stdin(Stdio::null());
    Ok(command)
}
