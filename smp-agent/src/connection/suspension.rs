//! Suspension of the own queue: its relay takes nothing more for it (`OFF`), and gives out what it has.
//!
//! A relay never opens a queue again, so suspending can be taken back only until its relay may have been asked. That it is about to be asked is
//! stored before.

use super::{Connection, Effects, Phase};
use crate::error::AgentError;
use crate::event::Event;
use crate::stages::SuspensionState;
use serde::{Deserialize, Serialize};

/// How far the suspension of the own queue is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Suspension {
    /// It is not suspended.
    #[default]
    None,
    /// The relay is to be asked.
    Wanted,
    /// The relay may have been asked.
    Asked,
    /// The relay takes nothing more.
    Done,
}

impl Suspension {
    /// For the application.
    pub(crate) fn state(self) -> SuspensionState {
        match self {
            Self::None => SuspensionState::Active,
            Self::Wanted | Self::Asked => SuspensionState::Suspending,
            Self::Done => SuspensionState::Suspended,
        }
    }
}

impl Connection {
    /// Begins to suspend the own queue. Does nothing if that has begun.
    pub(crate) fn suspend(&mut self) -> Result<(), AgentError> {
        if !matches!(self.phase, Phase::Connected | Phase::Listening) {
            return Err(self.not_now(self.phase.status(), "it can be suspended once it is connected"));
        }
        if self.moving.receive.is_some() {
            return Err(self.not_now("moving to another queue", "wait until that is done, or abort it"));
        }
        if self.suspension == Suspension::None {
            self.suspension = Suspension::Wanted;
        }
        Ok(())
    }

    /// Takes a suspension back, if the relay has not been asked for it. Does nothing if there is none.
    pub(crate) fn resume(&mut self) -> Result<(), AgentError> {
        match self.suspension {
            Suspension::None | Suspension::Wanted => {
                self.suspension = Suspension::None;
                Ok(())
            }
            Suspension::Asked | Suspension::Done => {
                Err(self.not_now("suspended at its relay, which is final", "connect again"))
            }
        }
    }

    /// The relay is about to be asked. False if the suspension was taken back.
    pub(crate) fn suspension_asked(&mut self) -> bool {
        if self.suspension == Suspension::Wanted {
            self.suspension = Suspension::Asked;
        }
        self.suspension == Suspension::Asked
    }

    /// The relay takes nothing more, or (`refused`) does not do that.
    pub(crate) fn suspension_answered(&mut self, refused: bool, effects: &mut Effects) {
        if self.suspension == Suspension::Asked {
            self.suspension = if refused { Suspension::None } else { Suspension::Done };
            let state = self.suspension.state();
            effects.events.push(Event::Suspension { connection: self.id, state });
        }
    }

    /// Whether nothing more can come from the other side than what the relay has.
    pub(super) fn is_suspended(&self) -> bool {
        self.suspension != Suspension::None
    }
}
