//! `ERR` for what the store says: its failures, and queues that accept no command.

use smp_protocol::{encoding::Reader, error::ErrorType};

use crate::store::{QueueStatus, StoreError};

/// The error that a client gets for a failure of the store. Its text says nothing about queues.
impl From<StoreError> for ErrorType {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound | StoreError::Duplicate | StoreError::Refused => Self::Auth,
            StoreError::ServiceRole => Self::Service,
            StoreError::Unavailable(_) => Self::Store("unavailable".to_owned()),
            StoreError::Closed => Self::Internal,
        }
    }
}

impl QueueStatus {
    /// Lets commands pass that work on any queue that the operator has not blocked.
    ///
    /// # Errors
    ///
    /// `BLOCKED` with the operator's reason.
    pub(crate) fn refuse_blocked(&self) -> Result<(), ErrorType> {
        match self {
            Self::Blocked(info) => Err(blocked(info)),
            Self::Active | Self::Suspended => Ok(()),
        }
    }

    /// Lets `SEND` pass.
    ///
    /// # Errors
    ///
    /// `AUTH` if the recipient has suspended the queue, `BLOCKED` if the operator has blocked it.
    pub(super) fn refuse_inactive(&self) -> Result<(), ErrorType> {
        match self {
            Self::Suspended => Err(ErrorType::Auth),
            Self::Active | Self::Blocked(_) => self.refuse_blocked(),
        }
    }
}

/// `BLOCKED`; the store keeps its parameters as they are sent.
fn blocked(info: &[u8]) -> ErrorType {
    let error = [b"BLOCKED ", info].concat();
    ErrorType::decode(&mut Reader::new(&error)).unwrap_or(ErrorType::Auth)
}
