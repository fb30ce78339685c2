//! Deleting a file that was sent, by the sender's description.

use futures_util::StreamExt as _;
use futures_util::stream;
use smp_protocol::xftp::description::{DescriptionError, FileDescription, FileParty};
use smp_protocol::xftp::error::XftpError;

use crate::error::{FileError, FileRelayError};
use crate::meter::{Meter, Progress};
use crate::relays::FileRelays;
use crate::retry::retried;

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
    let replicas = description.chunks.as_slice().iter().flat_map(|chunk| {
        let size = u64::from(chunk.size);
        chunk.replicas.iter().enumerate().map(move |(index, replica)| (size, index, replica))
    });
    let deletions = replicas.map(|(size, index, replica)| async move {
        let deleted = retried(async || {
            relays.with(&replica.relay, async |client| client.delete(&replica.id, &replica.key).await).await
        });
        match deleted.await {
            Ok(()) | Err(FileRelayError::Refused(XftpError::Auth)) => {
                meter.add(if index == 0 { size } else { 0 });
                Ok(())
            }
            Err(error) => {
                Err(FileError::Relay { relay: replica.relay.without_password().to_string(), error })
            }
        }
    });
    let outcomes: Vec<Result<(), FileError>> =
        stream::iter(deletions).buffer_unordered(PARALLEL).collect().await;
    outcomes.into_iter().collect()
}
