//! A glance: the connections of a data directory as they were left, for programs that only list them.

use std::path::Path;

use crate::at_rest::is_encrypted;
use crate::data_dir::{DATABASE, DataDir, has_content};
use crate::error::AgentError;
use crate::store::Store;
use crate::summary::ConnectionSummary;

/// The connections of a data directory that no agent has open. No agent opens it before this is dropped.
#[derive(Debug)]
pub struct Glance {
    connections: Vec<ConnectionSummary>,
    /// Held, so that what is read beside it is of the same moment.
    _data_dir: DataDir,
}

impl Glance {
    /// Reads the connections without going on with anything: no relay is reached, nothing is written, and a thousand of them take some
    /// milliseconds. None where only an [agent](crate::Agent) can tell how they are: without a database, in one that is
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
        let connections = Store::glance(&held.database()).await?;
        Ok(connections.map(|connections| Self {
            connections: connections.iter().filter_map(ConnectionSummary::of).collect(),
            _data_dir: held,
        }))
    }

    /// All of them, those of all users, in the order in which they were made.
    #[must_use]
    pub fn connections(&self) -> &[ConnectionSummary] {
        &self.connections
    }
}
