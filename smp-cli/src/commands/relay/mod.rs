//! `smp relay`: the relays on which new contacts are made, and those for files.

mod files;

use anyhow::bail;
use serde_json::json;
use smp_agent::RelayAddress;

use crate::args::RelayArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::probe::Probe;
use crate::relays::{is_for_files, parse_file_relays, parse_relays};

pub(crate) async fn run(args: RelayArgs, dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    let settings = dir.settings()?;
    let relays = parse_relays(&settings.relays)?;
    match args {
        RelayArgs::List => {
            for relay in &relays {
                let name = relay.without_password().to_string();
                let fields = json!({ "relay": name, "password": relay.password.is_some() });
                let password = if relay.password.is_some() { "  (with a password)" } else { "" };
                output.result("relay", fields, &format!("{name}{password}"));
            }
            files::list(&settings, output)?;
            Ok(Exit::DONE)
        }
        RelayArgs::Add { address } if is_for_files(&address) => files::add(&address, &settings, dir, output),
        RelayArgs::Add { address } => {
            let added = parse_relays(&[address])?;
            let known =
                relays.iter().find(|relay| added.iter().any(|new| relay.fingerprint == new.fingerprint));
            if let Some(known) = known {
                bail!(
                    "This relay is among yours already: {}. To give it other hosts or another password, remove it first",
                    known.without_password()
                );
            }
            change(&[&relays[..], &added].concat(), dir)?;
            told("relay_added", &added, "New contacts may be made on", output);
            Ok(Exit::DONE)
        }
        RelayArgs::Remove { relay } => {
            let is_ours = relays.iter().any(|it| is_meant(it, &relay));
            if let Some(exit) =
                (!is_ours).then(|| files::remove(&relay, &settings, dir, output)).transpose()?.flatten()
            {
                return Ok(exit);
            }
            let (gone, kept): (Vec<_>, Vec<_>) = relays.iter().cloned().partition(|it| is_meant(it, &relay));
            match (gone.len(), kept.len()) {
                (0, _) => bail!("This relay is not among yours; `smp relay list` lists them"),
                (1, 0) => bail!(
                    "This is your only relay, and without any nobody can be invited; add another one first"
                ),
                (1, _) => {}
                _ => bail!(
                    "Several of your relays are meant by this; give the whole address, as `smp relay list` shows it"
                ),
            }
            change(&kept, dir)?;
            told("relay_removed", &gone, "No new contacts are made any more on", output);
            output.hint("Contacts that receive there stay there; `smp rotate NAME` moves one.");
            Ok(Exit::DONE)
        }
        RelayArgs::Test { relays: asked } => {
            let network = settings.network.settings()?;
            let known = parse_file_relays(&settings.file_relays)?;
            let (for_files, asked): (Vec<_>, Vec<_>) = asked.into_iter().partition(|it| is_for_files(it));
            let (tested, for_files) = match (asked.as_slice(), for_files.as_slice()) {
                ([], []) => (relays, known),
                (asked, for_files) => (choose(&relays, asked)?, parse_file_relays(for_files)?),
            };
            let mut good = true;
            for relay in &for_files {
                good &= files::test(relay, &network, output).await;
            }
            for relay in &tested {
                let probe = Probe::of(relay, &network).await;
                good &= probe.is_good();
                output.result("relay_test", probe.fields(), &probe.sentence());
            }
            Ok(if good { Exit::DONE } else { Exit::FAILED })
        }
    }
}

/// Those among ours that are meant, and others by their whole addresses.
fn choose(relays: &[RelayAddress], asked: &[String]) -> anyhow::Result<Vec<RelayAddress>> {
    let mut chosen = Vec::new();
    for text in asked {
        let host = relays.iter().find(|relay| relay.hosts.iter().any(|host| host.to_string() == *text));
        if let Some(relay) = host {
            chosen.push(relay.clone());
            continue;
        }
        // As it was given; one of ours with the password that is known.
        for address in parse_relays(std::slice::from_ref(text))? {
            let own = relays.iter().find(|relay| relay.without_password() == address);
            chosen.push(own.cloned().unwrap_or(address));
        }
    }
    Ok(chosen)
}

/// Whether a text names this relay: by its address, or by one of its hosts.
fn is_meant(relay: &RelayAddress, text: &str) -> bool {
    if let Ok([named]) = parse_relays(&[text.to_owned()]).as_deref() {
        return named.fingerprint == relay.fingerprint;
    }
    relay.hosts.iter().any(|host| host.to_string() == text)
}

fn change(relays: &[RelayAddress], dir: &DataDir) -> anyhow::Result<()> {
    dir.set_relays(&relays.iter().map(ToString::to_string).collect::<Vec<_>>())
}

fn told(event: &str, relays: &[RelayAddress], sentence: &str, output: &Output) {
    for relay in relays {
        let name = relay.without_password().to_string();
        output.result(event, json!({ "relay": name }), &format!("{sentence} {name}."));
    }
    output.hint(
        "A program that is running, `smp listen` for instance, goes on as before until it is started again.",
    );
}
