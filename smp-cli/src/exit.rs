//! Exit codes: a stable interface for programs, listed in `smp --help` and the README.

use std::process::ExitCode;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Exit(u8);

impl Exit {
    /// Done.
    pub(crate) const DONE: Self = Self(0);
    /// Refused or failed; a sentence says why, and what to do.
    pub(crate) const FAILED: Self = Self(1);
    // 2 is what the parser of arguments ends with.
    /// Not done yet, and nothing is lost: the message waits, the contact is not there yet.
    pub(crate) const NOT_YET: Self = Self(3);

    /// Sent, but something is wrong with the contact, who may not read it.
    pub(crate) const DOUBTFUL: Self = Self(4);

    pub(crate) fn of(code: u8) -> Self {
        Self(code)
    }

    pub(crate) fn code(self) -> u8 {
        self.0
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        exit.0.into()
    }
}
