//! Blocks of commands.

use std::collections::HashSet;
use std::fmt;

use super::{BlockContent, DoesNotFit};
use crate::id::EntityId;

/// The content of a block of commands: at most one about each entity, any number about none.
///
/// Relays may run the commands of a block in any order, and verify all of them before they run the first: the reference
/// implementation runs the last one first. Blocks are run one after the other. Reuse it: it keeps its memory.
///
/// Source: section 3.3 (`protocol-spec/3-transmissions.md`).
#[derive(Clone, Default)]
pub struct CommandBlock {
    content: BlockContent,
    entities: HashSet<EntityId>,
}

impl CommandBlock {
    /// An empty block.
    pub fn new() -> Self {
        CommandBlock::default()
    }

    /// Adds a transmission about this entity.
    ///
    /// # Errors
    /// [`DoesNotFit`]; then the content is as before. [`DoesNotFit::Full`] too if there is one about the entity.
    pub fn push(&mut self, entity: &EntityId, transmission: &[u8]) -> Result<(), DoesNotFit> {
        if self.is_about(entity) {
            return Err(DoesNotFit::Full);
        }
        self.content.push(|out| out.extend_from_slice(transmission))?;
        if !entity.is_empty() {
            self.entities.insert(entity.clone());
        }
        Ok(())
    }

    /// Whether there is a transmission about this entity, so that another one has to wait for the next block.
    pub fn is_about(&self, entity: &EntityId) -> bool {
        self.entities.contains(entity)
    }

    /// Empties the block and keeps its memory.
    pub fn clear(&mut self) {
        self.content.clear();
        self.entities.clear();
    }

    /// Gives the memory of an idle block back.
    pub fn shrink(&mut self) {
        self.content.shrink();
        self.entities.shrink_to_fit();
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// The content of the block.
    pub fn as_bytes(&self) -> &[u8] {
        self.content.as_bytes()
    }
}

impl fmt::Debug for CommandBlock {
    /// Prints how much there is: IDs do not belong into logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.content.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_has_one_transmission_about_an_entity_and_any_number_about_none() {
        let mut block = CommandBlock::new();
        let (one, two) = (EntityId::from([1; 24]), EntityId::from([2; 24]));
        for entity in [&one, &EntityId::empty(), &two, &EntityId::empty()] {
            assert_eq!(block.push(entity, b"x"), Ok(()));
        }
        let before = block.as_bytes().to_vec();
        assert_eq!(block.push(&one, b"y"), Err(DoesNotFit::Full));
        assert_eq!(block.push(&EntityId::empty(), &[0; 16_384]), Err(DoesNotFit::TooLarge));
        assert_eq!((block.as_bytes(), before[0]), (&before[..], 4));
        block.clear();
        assert!(block.is_empty() && block.push(&one, b"y").is_ok());
    }
}
