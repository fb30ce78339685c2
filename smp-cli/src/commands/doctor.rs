//! `smp doctor`: whether everything is in order; each finding with the next step.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use smp_agent::ConnectionStatus;
use smp_chat::Status;
use smp_transport::durable::{space::space, with_end};
use tokio::task::JoinSet;

use crate::exit::Exit;
use crate::names::argument;
use crate::output::Output;
use crate::probe::Probe;
use crate::relays::parse_relays;
use crate::session::Session;
use crate::trouble::Trouble;

/// Less space than this on the disk is said, in bytes.
const LITTLE_SPACE: u64 = 100 << 20;

/// Something that was looked at.
struct Finding {
    about: &'static str,
    is_good: bool,
    fields: Value,
    sentence: String,
    /// The next step; empty if nothing is wrong.
    next: String,
}

impl Finding {
    fn good(about: &'static str, fields: Value, sentence: String) -> Self {
        Self { about, is_good: true, fields, sentence, next: String::new() }
    }

    fn bad(about: &'static str, fields: Value, sentence: String, next: impl Into<String>) -> Self {
        Self { about, is_good: false, fields, sentence, next: next.into() }
    }

    fn tell(mut self, output: &Output) {
        let mark = if self.is_good { "ok  " } else { "!   " };
        let next = match self.next.as_str() {
            "" => String::new(),
            next => format!("\n      → {next}"),
        };
        let sentence = format!("{mark}{}{next}", self.sentence);
        self.fields["about"] = json!(self.about);
        self.fields["ok"] = json!(self.is_good);
        self.fields["finding"] = json!(self.sentence);
        self.fields["next"] = json!(self.next);
        output.result("finding", self.fields, &sentence);
    }
}

pub(super) async fn run(session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let mut is_good = true;
    let mut tell = |finding: Finding| {
        is_good &= finding.is_good;
        finding.tell(output);
    };
    let probes = probes(session).await?;
    for probe in &probes {
        tell(of_relay(probe));
    }
    tell(of_clock(&probes));
    for finding in of_files(session).await? {
        tell(finding);
    }
    tell(of_space(session));
    for finding in of_contacts(session).await? {
        tell(finding);
    }
    Ok(if is_good { Exit::DONE } else { Exit::FAILED })
}

/// All relays at once: one that does not answer holds up no other.
async fn probes(session: &Session) -> anyhow::Result<Vec<Probe>> {
    let network = session.settings().network.settings()?;
    let mut looking = JoinSet::new();
    for relay in parse_relays(&session.settings().relays)? {
        let network = network.clone();
        looking.spawn(async move { Probe::of(&relay, &network).await });
    }
    let mut probes = looking.join_all().await;
    probes.sort_by(|one, other| one.relay.cmp(&other.relay));
    Ok(probes)
}

fn of_relay(probe: &Probe) -> Finding {
    let sentence = format!("relay {}", probe.sentence().replace("\n  ", "\n      "));
    let next = match probe.is_good() {
        true => "",
        false => {
            "see above; other relays for new contacts: smp relay add. Contacts of this one wait for it, or move: smp rotate NAME"
        }
    };
    let fields = probe.fields();
    Finding { about: "relay", is_good: probe.is_good(), fields, sentence, next: next.to_owned() }
}

/// A session is only made while the certificates of the relay are valid by this clock.
fn of_clock(probes: &[Probe]) -> Finding {
    let count = probes.iter().filter(|probe| probe.outcome.is_ok()).count();
    let sentence = match count {
        0 => "clock: not compared, as no relay answers".to_owned(),
        _ => "clock: agrees with the certificates of the relays".to_owned(),
    };
    Finding::good("clock", json!({ "compared_with": count }), sentence)
}

async fn of_files(session: &Session) -> anyhow::Result<[Finding; 2]> {
    let dir = session.dir();
    let said = session.agent().damage().await?;
    let agent = of_file("connections", &dir.agent_file(), said);
    let book = of_file("conversations", &dir.book_file(), session.book().damage().await?);
    Ok([agent, book])
}

fn of_file(about: &'static str, file: &Path, damage: Option<String>) -> Finding {
    let size = size(file);
    let fields = json!({ "file": file.display().to_string(), "bytes": size, "damage": damage });
    let name = file.display();
    match damage {
        None => Finding::good(about, fields, format!("{about}: {name} is whole, {}", amount(size))),
        Some(damage) => Finding::bad(
            about,
            fields,
            format!("{about}: {name} is damaged: {damage}"),
            "stop all programs, copy the data directory away, and go back to the last file of `smp export` with `smp import`",
        ),
    }
}

/// With what SQLite has not moved into the file yet.
fn size(file: &Path) -> u64 {
    let files: [PathBuf; 2] = [file.to_owned(), with_end(file, "-wal")];
    files.iter().filter_map(|file| std::fs::metadata(file).ok()).map(|file| file.len()).sum()
}

fn of_space(session: &Session) -> Finding {
    let full = session.agent().no_space();
    let Some(found) = space(session.dir().path()) else {
        return Finding::good(
            "space",
            json!({}),
            "space: the system does not say how much there is".to_owned(),
        );
    };
    let fields = json!({ "free_bytes": found.free, "total_bytes": found.total });
    let sentence = format!("space: {} free", amount(found.free));
    if full.is_none() && found.free >= LITTLE_SPACE {
        return Finding::good("space", fields, sentence);
    }
    Finding::bad("space", fields, sentence, "make space on this disk: without it nothing new is sent or kept")
}

async fn of_contacts(session: &Session) -> anyhow::Result<Vec<Finding>> {
    let connections = session.connections().await?;
    let mut findings = Vec::new();
    let (mut waiting, mut asking) = (0_u64, Vec::new());
    for contact in session.book().contacts().await? {
        let Some(connection) = connections.iter().find(|it| it.id.number() == contact.connection) else {
            continue;
        };
        let name = &contact.name;
        waiting += u64::from(connection.waiting);
        if contact.status == Status::Requested {
            asking.push(name.clone());
        }
        for trouble in Trouble::all(connection) {
            let sentence = format!("{name}: {}: {}", trouble.kind.describe(), trouble.reason);
            let next = trouble.kind.next_step(&argument(name));
            let fields = json!({ "contact": name, "trouble": trouble });
            findings.push(Finding::bad("contact", fields, sentence, next));
        }
    }
    let addresses = connections.iter().filter(|connection| connection.status == ConnectionStatus::Address);
    for trouble in addresses.flat_map(Trouble::all) {
        let sentence = format!("your contact address: {}: {}", trouble.kind.describe(), trouble.reason);
        let next = "wait for its relay; if it has lost the address, make another one: smp address delete, smp address create";
        findings.push(Finding::bad("address", json!({ "trouble": trouble }), sentence, next));
    }
    let sentence = match (waiting, asking.len()) {
        (0, 0) => "waiting: nothing".to_owned(),
        (_, 0) => format!("waiting: {waiting} messages to be sent; they go out while `smp listen` runs"),
        (_, people) => format!(
            "waiting: {waiting} messages to be sent, and {people} who ask to connect: smp accept NAME or smp refuse NAME"
        ),
    };
    findings.push(Finding::good("waiting", json!({ "messages": waiting, "requests": asking }), sentence));
    Ok(findings)
}

/// Bytes in words.
fn amount(bytes: u64) -> String {
    match bytes {
        0..=9_999 => format!("{bytes} bytes"),
        10_000..=9_999_999 => format!("{} KB", bytes / 1000),
        _ => format!("{} MB", bytes / 1_000_000),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_file_is_said_with_its_next_step() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("chat.db");
        std::fs::write(&file, [0; 12_000]).unwrap();
        let damaged = of_file("conversations", &file, Some("row 1 missing from index x".to_owned()));
        assert!(!damaged.is_good && damaged.next.contains("smp import"));
        assert!(damaged.sentence.contains("row 1"), "{}", damaged.sentence);
        let whole = of_file("conversations", &file, None);
        assert!(
            whole.is_good && whole.next.is_empty() && whole.sentence.contains("12 KB"),
            "{}",
            whole.sentence
        );
    }
}
