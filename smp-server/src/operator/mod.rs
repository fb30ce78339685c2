//! Questions and orders of an operator to a running relay, through the control socket or a monitoring system.

mod memory;
mod observer;
mod queues;

pub(crate) use self::{observer::Observer, queues::carry_out};
