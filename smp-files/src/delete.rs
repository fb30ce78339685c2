//! Deleting a file that was sent, by the sender's description.

use futures_util::stream;
use futures_util::{FutureExt as _, StreamExt as _};
use smp_protocol::xftp::description::{ChunkReplica, DescriptionError, FileDescription, FileParty};
use smp_protocol::xftp::error::XftpError;

use crate::error::{FileError, FileRelayError};
use crate::meter::{Meter, Progress};
use crate::relays::FileRelays;
use crate::retry::Attempts;

/// Commands at the same time.
const PARALLEL: usize = 8;

/// Deletes all chunks of a file. Those that are gone already are as good.
///
/// # Errors
/// [`FileError::Relay`] if one could not be deleted; all others are nevertheless. Nothing is sent for the description of a recipient.
pub async fn delete(
    description: &FileDescription,
    relays: &FileRelays,
    progress: Progress<'_>,
) -> Result<(), FileError> {
    if description.party != FileParty::Sender {
        return Err(DescriptionError::Party(description.party).into());
    }
    let meter = Meter::new(description.size(), progress);
    let meter = &meter;
    let mut deletions = Vec::new();
    for chunk in description.chunks.as_slice() {
        for (index, replica) in chunk.replicas.iter().enumerate() {
            let size = if index == 0 { chunk.size } else { 0 };
            deletions.push(delete_replica(replica, relays, u64::from(size), meter).boxed());
        }
    }
    let outcomes: Vec<Result<(), FileError>> =
        stream::iter(deletions).buffer_unordered(PARALLEL).collect().await;
    outcomes.into_iter().collect()
}

async fn delete_replica(
    replica: &ChunkReplica,
    relays: &FileRelays,
    size: u64,
    meter: &Meter<'_>,
) -> Result<(), FileError> {
    let mut attempts = Attempts::default();
    loop {
        match try_to_delete(replica, relays).await {
            Ok(()) | Err(FileRelayError::Refused(XftpError::Auth)) => {
                meter.add(size);
                return Ok(());
            }
            Err(error) if attempts.again(&error).await => {}
            Err(error) => {
                return Err(FileError::Relay { relay: replica.relay.without_password().to_string(), error });
            }
        }
    }
}

async fn try_to_delete(replica: &ChunkReplica, relays: &FileRelays) -> Result<(), FileRelayError> {
    let client = relays.client(&replica.relay).await?;
    let deleted = client.delete(&replica.id, &replica.key).await;
    relays.checked(&replica.relay, &client, deleted).await
}
