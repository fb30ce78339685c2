//! `smp relay` for file relays: those on which files are put that are sent.

use anyhow::bail;
use serde_json::{Value, json};
use smp_agent::NetworkSettings;
use smp_protocol::address::XftpAddress;
use tokio::time::Instant;

use crate::data_dir::{DataDir, Settings};
use crate::exit::Exit;
use crate::output::Output;
use crate::reach::Reach;
use crate::relays::parse_file_relays;

/// Lists those of an identity.
pub(super) fn list(settings: &Settings, output: &Output) -> anyhow::Result<()> {
    for relay in parse_file_relays(&settings.file_relays)? {
        let name = relay.without_password().to_string();
        let fields = json!({ "relay": name, "password": relay.0.password.is_some(), "for": "files" });
        let password = if relay.0.password.is_some() { ", with a password" } else { "" };
        output.result("relay", fields, &format!("{name}  (for files{password})"));
    }
    Ok(())
}

pub(super) fn add(
    address: &str,
    settings: &Settings,
    dir: &DataDir,
    output: &Output,
) -> anyhow::Result<Exit> {
    let mut relays = parse_file_relays(&settings.file_relays)?;
    for added in parse_file_relays(&[address.to_owned()])? {
        if let Some(known) = relays.iter().find(|known| known.0.fingerprint == added.0.fingerprint) {
            bail!(
                "This relay is among yours already: {}. To give it other hosts or another password, remove it first",
                known.without_password()
            );
        }
        let name = added.without_password().to_string();
        relays.push(added);
        change(&relays, dir)?;
        let fields = json!({ "relay": name, "for": "files" });
        output.result("relay_added", fields, &format!("Files are put on {name}, too."));
    }
    Ok(Exit::DONE)
}

/// Removes the one that is meant; `None` if none is.
pub(super) fn remove(
    meant: &str,
    settings: &Settings,
    dir: &DataDir,
    output: &Output,
) -> anyhow::Result<Option<Exit>> {
    let relays = parse_file_relays(&settings.file_relays)?;
    let is_meant = |relay: &XftpAddress| match meant.trim().parse::<XftpAddress>() {
        Ok(address) => address.0.fingerprint == relay.0.fingerprint,
        Err(_) => relay.0.hosts.iter().any(|host| host.to_string() == meant),
    };
    let (gone, kept): (Vec<_>, Vec<_>) = relays.into_iter().partition(is_meant);
    let [gone] = gone.as_slice() else {
        if gone.is_empty() {
            return Ok(None);
        }
        bail!(
            "Several of your file relays are meant by this; give the whole address, as `smp relay list` shows it"
        );
    };
    change(&kept, dir)?;
    let name = gone.without_password().to_string();
    let fields = json!({ "relay": name, "for": "files" });
    output.result("relay_removed", fields, &format!("No files are put on {name} any more."));
    Ok(Some(Exit::DONE))
}

/// Connects to a file relay, and says whether it answers.
pub(super) async fn test(relay: &XftpAddress, network: &NetworkSettings, output: &Output) -> bool {
    let relays = Reach::to(relay, network).relays();
    let name = relay.without_password().to_string();
    let begun = Instant::now();
    let reached = match relays.client(relay).await {
        Ok(client) => client.ping().await,
        Err(error) => Err(error),
    };
    let (fields, sentence): (Value, String) = match &reached {
        Ok(()) => {
            let millis = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            (
                json!({ "relay": name, "for": "files", "reached": true, "connect_ms": millis }),
                format!("{name}\n  a file relay, reached in {millis} ms"),
            )
        }
        Err(error) => {
            let (reason, advice) = (error.to_string(), error.advice());
            let end = if advice.is_empty() { String::new() } else { format!("; {advice}") };
            let sentence = format!("{name}\n  not reached: {reason}{end}.");
            let fields = json!({
                "relay": name, "for": "files", "reached": false, "reason": reason, "advice": advice,
            });
            (fields, sentence)
        }
    };
    output.result("relay_test", fields, &sentence);
    reached.is_ok()
}

fn change(relays: &[XftpAddress], dir: &DataDir) -> anyhow::Result<()> {
    dir.set_file_relays(&relays.iter().map(ToString::to_string).collect::<Vec<_>>())
}
