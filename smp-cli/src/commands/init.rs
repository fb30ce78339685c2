//! `smp init`: a name and relays, nothing else. No account is made anywhere.

use std::io::{self, BufRead as _, IsTerminal as _};

use anyhow::{Context as _, bail};
use serde_json::json;
use smp_agent::{Secret, is_encrypted};

use super::passphrase::encrypt;
use crate::args::{FirstStart, InitArgs};
use crate::data_dir::{DataDir, Settings};
use crate::exit::Exit;
use crate::output::Output;
use crate::passphrase::Passphrase;
use crate::relays::parse_relays;
use smp_chat::{MAX_NAME, is_addressable, printable};

/// How often a question is asked again.
const ATTEMPTS: usize = 5;

pub(crate) async fn run(
    args: InitArgs,
    dir: &DataDir,
    passphrase: &Passphrase,
    output: &Output,
) -> anyhow::Result<Exit> {
    // Nobody shall answer questions for nothing.
    dir.refuse_existing()?;
    let secret = passphrase.known()?;
    dir.network().settings()?;
    let asks = !output.is_json() && io::stdin().is_terminal() && io::stderr().is_terminal();
    if !asks && (args.name.is_none() || args.relays.is_empty()) {
        bail!("Say who you are and where you receive: smp init --name YOU --relay smp://FINGERPRINT@HOST");
    }
    let name = match args.name {
        Some(name) => name,
        None => ask("What shall your contacts call you? ", output, |name| {
            check_name(name).map(|()| name.to_owned())
        })?,
    };
    check_name(&name)?;
    let relays = if args.relays.is_empty() {
        let question =
            "Which relay holds your incoming messages (smp://FINGERPRINT@HOST, from its operator)? ";
        ask(question, output, |relay| parse_relays(&[relay.to_owned()]))?
    } else {
        parse_relays(&args.relays)?
    };
    let settings = Settings {
        name: name.clone(),
        relays: relays.iter().map(ToString::to_string).collect(),
        file_relays: Vec::new(),
        receipts: !args.no_receipts,
        history: !args.no_history,
        network: dir.network().clone(),
    };
    create(&settings, secret, dir).await?;
    let sentence = format!(
        "You are {name}, in {}.\nNext: smp invite, and give the link to somebody; or smp join LINK.",
        dir.path().display()
    );
    let fields = json!({ "name": name, "data_dir": dir.path().display().to_string() });
    output.result("initialised", fields, &sentence);
    Ok(Exit::DONE)
}

/// The identity that a first start without a terminal makes, unless there is one.
pub(crate) async fn first_start(
    args: &FirstStart,
    dir: &DataDir,
    passphrase: &Passphrase,
    output: &Output,
) -> anyhow::Result<()> {
    let Some(name) = args.create_profile.as_ref().filter(|_| !dir.is_identity()) else { return Ok(()) };
    check_name(name)?;
    let relays = parse_relays(&args.relays)?;
    if relays.is_empty() {
        bail!("Say where {name} receives: --relay smp://FINGERPRINT@HOST, or the variable SMP_CREATE_RELAYS");
    }
    let secret = passphrase.known()?;
    dir.network().settings()?;
    let settings = Settings {
        name: name.clone(),
        relays: relays.iter().map(ToString::to_string).collect(),
        file_relays: Vec::new(),
        receipts: true,
        history: true,
        network: dir.network().clone(),
    };
    create(&settings, secret, dir).await?;
    let fields = json!({ "name": name, "data_dir": dir.path().display().to_string() });
    output.note("initialised", fields, &format!("Made {name}, in {}.", dir.path().display()));
    Ok(())
}

async fn create(settings: &Settings, secret: Option<Secret>, dir: &DataDir) -> anyhow::Result<()> {
    dir.create(settings)?;
    if let Some(secret) = secret.filter(|_| !is_encrypted(&dir.agent_dir()).unwrap_or(false)) {
        encrypt(dir, &secret).await?;
    }
    Ok(())
}

pub(crate) fn check_name(name: &str) -> anyhow::Result<()> {
    if name.is_empty() || printable(name) != name {
        bail!("A name is 1 to {MAX_NAME} visible characters, with single spaces; choose another --name.");
    }
    if !is_addressable(name) {
        bail!(
            "People at other apps could not write to “{name}”: a name begins with a letter, a number or a symbol, and has no quotation marks; \
             choose another --name."
        );
    }
    Ok(())
}

/// Asks until the answer is good.
fn ask<T>(question: &str, output: &Output, read: impl Fn(&str) -> anyhow::Result<T>) -> anyhow::Result<T> {
    for _ in 0..ATTEMPTS {
        eprint!("{question}");
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).context("The terminal cannot be read")? == 0 {
            break;
        }
        match read(line.trim()) {
            Ok(answer) => return Ok(answer),
            Err(error) => output.hint(&format!("{error:#}")),
        }
    }
    bail!("There was no answer, so nothing was made; run `smp init` again");
}
