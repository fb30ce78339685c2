//! `PING`: is anybody there?

use smp_protocol::message::BrokerMessage;

use crate::session::Answer;

pub(super) fn run() -> Answer {
    BrokerMessage::Pong.into()
}
