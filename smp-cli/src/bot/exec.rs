//! One run of the command: the text goes in, the answer comes out, within limits.

use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use smp_chat::{Contact, KeptItem};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

/// Limits of one run.
pub(super) struct Limits {
    /// How long it may take.
    pub(super) time: Duration,
    /// Bytes of the answer.
    pub(super) output: usize,
}

/// The answer of the command to a message; empty if it wrote none.
pub(super) async fn run(
    command: &str,
    contact: &Contact,
    kept: &KeptItem,
    text: &str,
    limits: &Limits,
) -> anyhow::Result<String> {
    let mut child = Command::new("sh")
        .args(["-c", command])
        // Secrets of ours are not for it.
        .env_remove("SMP_PASSPHRASE")
        .env_remove("SMP_BOT_TOKEN")
        .env("SMP_CONTACT_ID", contact.id.to_string())
        .env("SMP_CONTACT", contact.name.replace('\0', ""))
        .env("SMP_MESSAGE_ID", kept.number.to_string())
        .env("SMP_MESSAGE_AT", kept.item.at.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .context("the command cannot be started")?;
    let group = Group(child.id().and_then(|id| i32::try_from(id).ok()));
    let answer = tokio::time::timeout(limits.time, converse(&mut child, text, limits.output)).await;
    drop(group);
    match answer {
        Ok(answer) => answer,
        Err(_) => bail!("the command took longer than {} s, and was killed", limits.time.as_secs_f64()),
    }
}

/// The processes of a run: whatever it has started ends with it.
struct Group(Option<i32>);

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
        }
    }
}

async fn converse(child: &mut Child, text: &str, limit: usize) -> anyhow::Result<String> {
    let (mut stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let writing = async {
        if let Some(stdin) = &mut stdin {
            // It need not read.
            let _ = stdin.write_all(text.as_bytes()).await;
            let _ = stdin.shutdown().await;
        }
        drop(stdin.take());
    };
    let mut bytes = Vec::new();
    let reading = async {
        match stdout {
            Some(stdout) => stdout.take(limit as u64 + 1).read_to_end(&mut bytes).await,
            None => Ok(0),
        }
    };
    let ((), read) = tokio::join!(writing, reading);
    read.context("what the command writes cannot be read")?;
    if bytes.len() > limit {
        bytes.truncate(limit);
    } else {
        let status = child.wait().await.context("the command cannot be waited for")?;
        if !status.success() {
            bail!("the command ended with {status}");
        }
    }
    // A character that was cut in two is left out.
    let text = String::from_utf8_lossy(&bytes);
    Ok(text.trim_end_matches('\u{fffd}').trim_end().to_owned())
}
