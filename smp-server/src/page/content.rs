//! `Content`: the sentences and facts on the page.

use std::time::Duration;

use smp_protocol::{
    address::{RelayAddress, XftpAddress},
    body::MAX_BODY,
};

use super::{
    facts::{Section, Value},
    qr,
};
use crate::config::{Config, Durability, Files, Page};

/// Everything that the page shows.
pub(super) struct Content {
    pub(super) title: String,
    /// Without the password, which is for those who were told it.
    pub(super) address: String,
    pub(super) qr: Option<String>,
    /// How to use the address, sentence by sentence.
    pub(super) about: Vec<&'static str>,
    pub(super) sections: Vec<Section>,
}

/// Says what these settings mean for people.
pub(super) fn of(config: &Config, address: &RelayAddress, files_address: Option<&XftpAddress>) -> Content {
    let host = address.hosts.first().to_string();
    let address = address.without_password().to_string();
    Content {
        title: format!("SMP relay {host}"),
        qr: qr::svg(&address, "QR code of the relay's address"),
        address,
        about: about(config),
        sections: [
            limits(config),
            files(&config.files, files_address),
            operator(&config.page),
            software(config),
        ]
        .into_iter()
        .filter(|section| !section.rows.is_empty())
        .collect(),
    }
}

fn about(config: &Config) -> Vec<&'static str> {
    let mut about =
        vec!["Add this address to the SMP servers in your messaging app, or let the app scan the code."];
    if !config.queues.new_queues {
        about.push("This relay takes no new conversations at present. Those that it has go on.");
    } else if config.queues.create_password.is_some() {
        about.push("To use it you need the password as well: ask the operator for the complete address.");
    }
    about
}

fn limits(config: &Config) -> Section {
    let queues = &config.queues;
    let new_queues = match (queues.new_queues, queues.create_password.is_some()) {
        (false, _) => "closed",
        (true, true) => "with the password",
        (true, false) => "open to everybody",
    };
    let expiry = queues.expire_messages.map_or_else(|| "kept until taken".to_owned(), in_words);
    let survives = match config.store.effective_durability() {
        Durability::Memory => "no: they are in memory only",
        Durability::Fsync | Durability::Os => "yes",
    };
    let forwarding = match (config.proxy.enabled, queues.create_password.is_some()) {
        (false, _) => "no",
        (true, true) => "with the password",
        (true, false) => "yes",
    };
    Section::new(
        "Limits",
        [
            ("New queues", Value::text(new_queues)),
            ("Messages in one queue", Value::text(&queues.quota.to_string())),
            ("Messages are deleted after", Value::text(&expiry)),
            ("Notifications are dropped after", Value::text(&in_words(queues.expire_notifications))),
            ("Largest message", Value::text(&format!("{MAX_BODY} bytes"))),
            ("Messages survive a restart", Value::text(survives)),
            ("Forwards to other relays", Value::text(forwarding)),
        ],
    )
}

/// Nothing if the relay keeps none.
fn files(files: &Files, address: Option<&XftpAddress>) -> Section {
    let new_files = match (files.new_files, files.create_password.is_some()) {
        (false, _) => "closed",
        (true, true) => "with the password",
        (true, false) => "open to everybody",
    };
    let address = address.map(|address| address.without_password().to_string());
    let if_kept = |text: &str| address.as_ref().and_then(|_| Value::text(text));
    Section::new(
        "Files",
        [
            ("Address for the XFTP servers in the app", address.as_deref().and_then(Value::text)),
            ("New files", if_kept(new_files)),
            ("Files are deleted after", if_kept(&in_words(files.expire))),
        ],
    )
}

fn operator(page: &Page) -> Section {
    Section::new(
        "Operator",
        [
            ("Operator", Value::text(&with_country(&page.operator, &page.operator_country))),
            ("Website", Value::link(&page.website)),
            ("Mail", Value::mail(&page.contact_email)),
            ("SimpleX address", Value::link(&page.contact_simplex)),
            ("Complaints, by mail", Value::mail(&page.complaints_email)),
            ("Complaints, by SimpleX", Value::link(&page.complaints_simplex)),
            ("Hosting", Value::text(&with_country(&page.hosting, &page.hosting_country))),
            ("Conditions of use", Value::link(&page.conditions)),
        ],
    )
}

fn software(config: &Config) -> Section {
    let versions = format!("{} to {}", config.server.min_version, config.server.max_version);
    Section::new(
        "Software",
        [
            ("Program", Value::text(concat!("smp-server ", env!("CARGO_PKG_VERSION")))),
            ("Versions of the protocol", Value::text(&versions)),
            ("Source code", Value::link(&config.page.source_code)),
        ],
    )
}

fn with_country(name: &str, country: &str) -> String {
    match (name.is_empty(), country.is_empty()) {
        (_, true) => name.to_owned(),
        (true, false) => country.to_owned(),
        (false, false) => format!("{name} ({country})"),
    }
}

/// A duration in the largest unit that fits.
fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")];
    let (length, unit) = units
        .into_iter()
        .find(|(length, _)| seconds.is_multiple_of(*length) && seconds >= *length)
        .unwrap_or((1, "second"));
    let count = seconds / length;
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_in_words() {
        for (seconds, words) in [
            (0, "0 seconds"),
            (1, "1 second"),
            (90, "90 seconds"),
            (3_600, "1 hour"),
            (21 * 86_400, "21 days"),
        ] {
            assert_eq!(in_words(Duration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn countries_stand_behind_names() {
        assert_eq!(with_country("A", "SE"), "A (SE)");
        assert_eq!(with_country("", "SE"), "SE");
        assert_eq!(with_country("A", ""), "A");
    }
}
