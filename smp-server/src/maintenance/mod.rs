//! Work that no client asks for: messages and notifications expire, queues that nobody uses are deleted, and notifications
//! that wait survive a restart.

mod expiry;
mod idle_queues;
mod restart;
mod sweep;
mod time;

pub(crate) use self::{
    restart::{keep_notifications, restore_notifications},
    sweep::sweep,
    time::{keep_time, restore_time, watch_time},
};
