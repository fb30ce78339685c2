//! An identity of `smp` with many contacts: each with a connection of the agent and a queue at the relay, and with messages in the book.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use tempfile::TempDir;

use super::agent_open::{DATABASE, copy_connection};
use super::many::{clean_up, create_queues};
use crate::conversations::{Size, fill};
use crate::driver::{AuthKind, Queue, Target};

pub(super) struct Identity {
    program: PathBuf,
    target: Target,
    queues: Vec<Vec<Queue>>,
    folder: TempDir,
}

impl Identity {
    /// Has the program make one, and fills it.
    pub(super) async fn make(program: &Path, target: &Target, size: Size) -> Result<Self> {
        let mut target = target.clone();
        // As an agent makes its queues.
        target.auth = AuthKind::Ed25519;
        let folder = tempfile::tempdir()?;
        let mut identity = Self { program: program.to_owned(), target, queues: Vec::new(), folder };
        let address = identity.target.address.to_string();
        succeed(identity.smp(&["init", "--name", "bench", "--relay", &address]))?;
        succeed(identity.smp(&["--json", "invite"]))?;
        let others = usize::try_from(size.contacts - 1)?;
        identity.queues = create_queues(&identity.target, others, 8).await?;
        let agent = identity.data_dir().join("agent").join(DATABASE);
        let connection = only_connection(&agent).await?;
        copy_connection(&agent, &identity.queues.concat()).await?;
        std::fs::remove_file(identity.book())?;
        fill(&identity.book(), size, connection).await?;
        Ok(identity)
    }

    /// The program with these arguments.
    pub(super) fn smp(&self, args: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.env_remove("SMP_PASSPHRASE").arg("--data-dir").arg(self.data_dir()).args(args);
        command
    }

    fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The file of its contacts and conversations.
    pub(super) fn book(&self) -> PathBuf {
        self.data_dir().join("chat.db")
    }

    /// Deletes its queues.
    pub(super) async fn clean_up(self) -> Result<()> {
        clean_up(&self.target, &self.queues).await
    }
}

/// Runs a command to its end.
pub(super) fn succeed(mut command: Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{:?} cannot be run", command.get_program()))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}

async fn only_connection(agent: &Path) -> Result<i64> {
    let mut db = SqliteConnectOptions::new().filename(agent).connect().await?;
    let id = sqlx::query_scalar("SELECT max(id) FROM connections").fetch_one(&mut db).await?;
    db.close().await?;
    Ok(id)
}
