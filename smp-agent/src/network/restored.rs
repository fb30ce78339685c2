//! After an archive was restored: its keys may have been used since it was made, so each connection gets new ones before anything is sent.

use super::engine::Engine;
use crate::data_dir::DataDir;
use crate::error::AgentError;

/// Proposes new keys on all connections, if that has not been done since the archive was restored. A crash in between repeats it.
pub(super) async fn renew_all(engine: &Engine) -> Result<(), AgentError> {
    let path = &engine.config.data_dir;
    if !DataDir::is_restored(path)? {
        return Ok(());
    }
    let mut commits = Vec::new();
    for id in engine.steps.store.connection_ids().await? {
        match engine.resynchronize(id, true).await {
            Ok(commit) => commits.push(commit),
            // It is being made, or the other side is too old for that.
            Err(AgentError::NotNow { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    for commit in commits {
        commit.durable().await?;
    }
    DataDir::note_renewed(path)
}
