//! `Reach`: file relays of ours, and the ways to them and to others.

use std::sync::Arc;

use anyhow::Context as _;
use smp_agent::NetworkSettings;
use smp_files::{FileError, FileNetwork, FileRelayError, FileRelays};
use smp_protocol::address::XftpAddress;
use smp_transport::surroundings::Surroundings;

use crate::data_dir::DataDir;
use crate::network::isolation;
use crate::relays::parse_file_relays;

/// File relays of ours, and how all are reached.
pub(crate) struct Reach {
    /// Those on which files are put.
    pub(crate) own: Vec<XftpAddress>,
    network: NetworkSettings,
}

impl Reach {
    /// By these addresses, or by the settings of the identity if there are none. An identity is not needed.
    pub(crate) fn of(dir: &DataDir, relays: &[String]) -> anyhow::Result<Self> {
        let settings = dir.is_identity().then(|| dir.settings()).transpose()?;
        let network = match &settings {
            Some(settings) => settings.network.settings()?,
            None => dir.network().settings()?,
        };
        let known = settings.map(|settings| settings.file_relays).unwrap_or_default();
        let own = parse_file_relays(if relays.is_empty() { &known } else { relays })?;
        Ok(Self { own, network })
    }

    /// To one relay.
    pub(crate) fn to(relay: &XftpAddress, network: &NetworkSettings) -> Self {
        Self { own: vec![relay.clone()], network: network.clone() }
    }

    /// Connections to file relays, each through a circuit of its own if there is Tor.
    pub(crate) fn relays(&self) -> FileRelays {
        let (network, own) = (self.network.clone(), self.own.clone());
        let way = move |relay: &XftpAddress| {
            let is_own = own.iter().any(|own| own.0.without_password() == relay.0.without_password());
            let hosts = network.hosts(&relay.0)?;
            Some((XftpAddress(hosts), network.dialler(is_own, isolation())))
        };
        FileRelays::new(FileNetwork { surroundings: Surroundings::machine(), way: Arc::new(way) })
    }
}

/// An error with the next step.
pub(crate) fn explained<T>(done: Result<T, FileError>, again: &str) -> anyhow::Result<T> {
    let Err(error) = done else { return Ok(done?) };
    let next = match &error {
        FileError::Relay { error: FileRelayError::Refused(_) | FileRelayError::Damaged, .. } => {
            advice(&error)
        }
        FileError::Relay { .. } | FileError::Local { .. } => match advice(&error) {
            advice if advice.is_empty() => again.to_owned(),
            advice => format!("{advice}; {again}"),
        },
        _ => String::new(),
    };
    if next.is_empty() { Err(error.into()) } else { Err(error).context(next).map_err(turned) }
}

fn advice(error: &FileError) -> String {
    match error {
        FileError::Relay { error, .. } => error.advice(),
        _ => String::new(),
    }
}

/// The cause first, and then the next step.
fn turned(error: anyhow::Error) -> anyhow::Error {
    let causes: Vec<String> = error.chain().skip(1).map(ToString::to_string).collect();
    let mut sentence = String::new();
    for cause in causes {
        // Those that say their causes themselves are not repeated.
        if !sentence.contains(&cause) {
            let separator = if sentence.is_empty() { "" } else { ": " };
            sentence.push_str(separator);
            sentence.push_str(&cause);
        }
    }
    anyhow::anyhow!("{sentence}; {error}")
}
