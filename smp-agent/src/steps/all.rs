//! Looking at many connections at once.

use super::Steps;
use crate::connection::Connection;
use crate::error::AgentError;
use crate::id::ConnectionId;

/// Connections that are read in one query.
const AT_ONCE: usize = 256;

impl Steps {
    /// Looks at connections, without those that were deleted. States that nobody uses are read many at a time, without their keys of
    /// skipped messages, and are not kept in memory.
    pub(crate) async fn look_at_all<T>(
        &self,
        ids: &[ConnectionId],
        look: impl Fn(&Connection) -> T,
    ) -> Result<Vec<T>, AgentError> {
        let mut seen = Vec::with_capacity(ids.len());
        for ids in ids.chunks(AT_ONCE) {
            let mut unused = self.store.connections(&self.unused(ids)).await?.into_iter().peekable();
            for id in ids {
                if let Some(connection) = unused.next_if(|connection| connection.id == *id) {
                    seen.push(look(&connection));
                    continue;
                }
                match self.look(*id, &look).await {
                    Err(AgentError::UnknownConnection(_)) => {}
                    looked => seen.push(looked?),
                }
            }
        }
        Ok(seen)
    }

    /// Those whose steps are all in the database.
    fn unused(&self, ids: &[ConnectionId]) -> Vec<ConnectionId> {
        let slots = self.lock();
        ids.iter().copied().filter(|id| !slots.contains_key(id)).collect()
    }
}
