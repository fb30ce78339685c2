//! A queue in memory.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::{LinkData, Message, MessageKind, QueueRecord, rules};

#[derive(Debug)]
pub(super) struct Queue {
    pub(super) record: Arc<QueueRecord>,
    pub(super) link_data: Option<LinkData>,
    pub(super) messages: VecDeque<Arc<Message>>,
    /// Set when the queue leaves the index, for those who found it there just before.
    pub(super) deleted: bool,
}

impl Queue {
    pub(super) fn new(record: Arc<QueueRecord>, link_data: Option<LinkData>) -> Self {
        Queue { record, link_data, messages: VecDeque::new(), deleted: false }
    }

    pub(super) fn last_kind(&self) -> Option<MessageKind> {
        self.messages.back().map(|message| message.info().kind)
    }

    /// Removes messages that were accepted before this time; returns how many.
    pub(super) fn expire(&mut self, before: u64) -> usize {
        let count = self.messages.len();
        self.messages.retain(|message| !rules::expires(&message.info(), before));
        count - self.messages.len()
    }
}
