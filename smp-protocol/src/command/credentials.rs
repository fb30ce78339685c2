//! Credentials of commands: which need or forbid an authorization and an entity ID (chapter `3-transmissions.md`, credentials).

use super::CommandTag;
use crate::error::CommandError;

impl CommandTag {
    /// Checks whether the command may come with these credentials.
    ///
    /// # Errors
    /// [`CommandError::NoAuth`], [`CommandError::HasAuth`] or [`CommandError::NoEntity`], which the relay answers with.
    pub fn check_credentials(self, has_authorization: bool, has_entity: bool) -> Result<(), CommandError> {
        match self {
            CommandTag::New if !has_authorization => Err(CommandError::NoAuth),
            CommandTag::New if has_entity => Err(CommandError::HasAuth),
            CommandTag::New => Ok(()),
            CommandTag::Send | CommandTag::GetLink | CommandTag::ProxyForward if !has_entity => {
                Err(CommandError::NoEntity)
            }
            CommandTag::Send => Ok(()),
            CommandTag::GetLink | CommandTag::ProxyForward if has_authorization => Err(CommandError::HasAuth),
            CommandTag::GetLink | CommandTag::ProxyForward => Ok(()),
            CommandTag::Ping | CommandTag::ProxySession | CommandTag::RelayForward => {
                if has_authorization || has_entity { Err(CommandError::HasAuth) } else { Ok(()) }
            }
            _ if has_authorization && has_entity => Ok(()),
            _ => Err(CommandError::NoAuth),
        }
    }

    /// Whether a service adds its own signature to the command, next to the authorization by the queue's key.
    pub fn takes_service_signature(self) -> bool {
        matches!(self, CommandTag::New | CommandTag::Subscribe | CommandTag::SubscribeNotifications)
    }

    /// Whether the command is authorized by the key of a service instead of that of a queue.
    pub fn is_service_command(self) -> bool {
        matches!(self, CommandTag::SubscribeAll | CommandTag::SubscribeAllNotifications)
    }
}
