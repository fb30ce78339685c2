//! Notifications that wait survive a restart, in a file beside the store. A store in memory keeps nothing, and neither do they.

use std::io;

use crate::{
    broker::{NotificationWriter, take_notification_file},
    config::Durability,
    node::Node,
};

/// Keeps the notifications that wait, for [`restore_notifications`] of the next relay. Returns how many.
pub(crate) fn keep_notifications(node: &Node) -> io::Result<u64> {
    let waiting = node.hub.notifications.waiting();
    if waiting.is_empty() || node.durability == Durability::Memory {
        return Ok(0);
    }
    let mut writer = NotificationWriter::create(&node.config().store.path)?;
    for (notifier, notification) in &waiting {
        writer.push(notifier, notification)?;
    }
    writer.finish()?;
    Ok(waiting.len() as u64)
}

/// Takes up the notifications that waited when the relay was stopped.
pub(crate) fn restore_notifications(node: &Node) -> io::Result<()> {
    if node.durability == Durability::Memory {
        return Ok(());
    }
    let config = node.config();
    let max = config.limits.max_pending_notifications_total;
    take_notification_file(&config.store.path, max, |notifier, notification| {
        node.hub.notifications.push(notifier, notification, None);
    })
}
