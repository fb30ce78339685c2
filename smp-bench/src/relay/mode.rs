//! `Mode`: the store of a relay of ours, and its durability.

use std::str::FromStr;

/// Store and durability of a relay that is started for a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Nothing is kept over a restart.
    Memory,
    /// SQLite; `OK` means that the message survives a power cut.
    SqliteFsync,
    /// SQLite; `OK` means that the message survives the death of the process.
    SqliteOs,
}

impl Mode {
    /// All modes.
    pub const ALL: [Self; 3] = [Self::Memory, Self::SqliteFsync, Self::SqliteOs];

    /// The name on the command line and in results.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::SqliteFsync => "sqlite-fsync",
            Self::SqliteOs => "sqlite-os",
        }
    }

    /// Whether messages survive the end of the process.
    #[must_use]
    pub fn keeps(self) -> bool {
        self != Self::Memory
    }

    /// `store.kind` and `store.durability`.
    pub(super) fn settings(self) -> (&'static str, &'static str) {
        match self {
            Self::Memory => ("memory", "os"),
            Self::SqliteFsync => ("sqlite", "fsync"),
            Self::SqliteOs => ("sqlite", "os"),
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|mode| mode.name() == text).ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("`{text}` is neither an address that begins with smp:// nor one of {names}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes_have_names() {
        for mode in Mode::ALL {
            assert_eq!(mode.name().parse(), Ok(mode));
        }
        assert!("sqlite".parse::<Mode>().unwrap_err().contains("sqlite-fsync"));
    }
}
