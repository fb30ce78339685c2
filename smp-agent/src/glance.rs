//! A glance: the connections of a data directory as they were left, for programs that only list them.

use std::path::Path;

use crate::at_rest::is_encrypted;
use crate::data_dir::{DATABASE, DataDir, has_content};
use crate::error::AgentError;
use crate::id::ConnectionId;
use crate::store::{AtAGlance, Store};
use crate::summary::{ConnectionStatus, ConnectionSummary};

/// The connections of a data directory that no agent has open. No agent opens it before this is dropped.
#[derive(Debug)]
pub struct Glance {
    connections: Vec<SeenConnection>,
    /// Held, so that what is read beside it is of the same moment.
    _data_dir: DataDir,
}

/// A connection at a glance.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SeenConnection {
    /// Its number.
    pub id: ConnectionId,
    /// How far it is.
    pub status: ConnectionStatus,
    /// All of it, if there may be more to tell: a trouble, messages that wait, a renewal of the encryption, a move, a suspension.
    pub summary: Option<Box<ConnectionSummary>>,
}

impl Glance {
    /// Reads the connections without going on with anything: no relay is reached, nothing is written, and a thousand of them take a
    /// few milliseconds. None where only an [agent](crate::Agent) can tell how they are: without a database, in one that is
    /// encrypted, restored or of another version, and if a relay could not be reached.
    ///
    /// # Errors
    /// [`AgentError::InUse`], [`AgentError::DataDirectory`], [`AgentError::Storage`].
    ///
    /// # Cancel safety
    /// Nothing is changed.
    pub async fn at(data_dir: &Path) -> Result<Option<Self>, AgentError> {
        let is_there = has_content(&data_dir.join(DATABASE));
        if !is_there || is_encrypted(data_dir)? || DataDir::is_restored(data_dir)? {
            return Ok(None);
        }
        let held = DataDir::open(data_dir)?;
        let seen = Store::glance(&held.database()).await?;
        Ok(seen.map(|seen| Self { connections: connections(seen), _data_dir: held }))
    }

    /// All of them, those of all users, in no particular order.
    #[must_use]
    pub fn connections(&self) -> &[SeenConnection] {
        &self.connections
    }
}

fn connections(seen: AtAGlance) -> Vec<SeenConnection> {
    let plain = seen.plain.into_iter().map(|(id, phase)| {
        let status = ConnectionStatus::of(phase);
        SeenConnection { id, status, summary: None }
    });
    let others = seen.others.iter().filter_map(ConnectionSummary::of).map(|summary| SeenConnection {
        id: summary.id,
        status: summary.status,
        summary: Some(Box::new(summary)),
    });
    plain.chain(others).collect()
}
