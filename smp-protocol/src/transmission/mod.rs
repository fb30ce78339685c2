//! Transmissions: commands and answers with authorization and IDs, and blocks of them (chapter `3-transmissions.md`).
//!
//! Writing: [`prepare`] a transmission, [`authorize`] what is to be authorized, and put both (or do all of it at once with
//! [`write_command`]) into a [`BlockContent`] (as much
//! as fits, in the given order), a [`CommandBlock`] (the same, at most one about each queue) or a [`Batch`] (divided into blocks as the reference implementation does).
//!
//! Reading: [`read_commands`] on the relay, [`read_messages`] on the client. Both borrow from the block, and report what
//! cannot be read with the error and the IDs that the answer must have.
//!
//! ```
//! use smp_protocol::command::Command;
//! use smp_protocol::id::{CorrelationId, EntityId, SessionId};
//! use smp_protocol::session::SessionParameters;
//! use smp_protocol::transmission::{BlockContent, prepare, read_commands};
//! use smp_protocol::version::SmpVersion;
//!
//! let session = SessionParameters { version: SmpVersion(19), id: SessionId::new(&[1; 32])? };
//! let id = CorrelationId::generate(&mut rand::rng());
//! let ping = prepare(&session, &id, &EntityId::empty(), &Command::Ping);
//! let mut block = BlockContent::new();
//! block.push(|out| ping.write(None, &session, out))?;
//!
//! let read: Vec<_> = read_commands(block.as_bytes(), &session).flatten().collect();
//! assert_eq!(read[0].command, Command::Ping);
//! assert_eq!(read[0].correlation_id, id);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod authorization;
mod batch;
mod command_block;
mod prepared;
mod raw;
mod receive;

pub use authorization::{
    AUTHENTICATOR_BYTES, Authorization, AuthorizationRef, CommandKey, SERVICE_SIGNATURE_BYTES, ServiceSigner,
    ServiceVerifier, authorize, authorized_with_service,
};
pub use batch::{Batch, BatchPart, BlockContent, DoesNotFit, MAX_CONTENT, MAX_TRANSMISSIONS};
pub use command_block::CommandBlock;
pub use prepared::{Prepared, prepare, prepare_message, write_command, write_message};
pub use raw::{RawTransmission, Transmissions};
pub use receive::{
    CommandTransmission, MessageTransmission, RefusedTransmission, read_commands, read_messages,
};
