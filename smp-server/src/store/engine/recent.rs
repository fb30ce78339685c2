//! Bodies of messages that are on disk and may be wanted soon: a queue with a reader asks for the next one a moment after
//! it was written.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::store::Message;
use crate::sync::lock;

/// Keeps the messages that were last written or read alive, up to a number of bytes. Entries of queues hold weak
/// references to them.
#[derive(Debug)]
pub(in crate::store) struct Recent {
    ring: Mutex<Ring>,
    capacity: usize,
}

#[derive(Debug, Default)]
struct Ring {
    messages: VecDeque<Arc<Message>>,
    bytes: usize,
}

/// Bytes of a message besides its body.
const MESSAGE_COST: usize = 160;

fn cost(message: &Message) -> usize {
    message.body_len() + MESSAGE_COST
}

impl Recent {
    pub(in crate::store) fn new(capacity: usize) -> Self {
        Recent { ring: Mutex::default(), capacity }
    }

    pub(in crate::store) fn keep(&self, message: Arc<Message>) {
        let mut ring = lock(&self.ring);
        ring.bytes += cost(&message);
        ring.messages.push_back(message);
        while ring.bytes > self.capacity {
            let Some(oldest) = ring.messages.pop_front() else { return };
            ring.bytes -= cost(&oldest);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MessageContent;

    #[test]
    fn the_oldest_go_first() {
        let recent = Recent::new(2 * (100 + MESSAGE_COST));
        let content = MessageContent::Sent { notification: false, body: vec![0; 100] };
        let new = || Arc::new(Message { id: [1; 24].into(), timestamp: 0, content: content.clone() });
        let kept: Vec<_> = (0..3)
            .map(|_| {
                let message = new();
                recent.keep(message.clone());
                Arc::downgrade(&message)
            })
            .collect();
        let alive: Vec<_> = kept.iter().map(|message| message.upgrade().is_some()).collect();
        assert_eq!(alive, [false, true, true]);
    }
}
