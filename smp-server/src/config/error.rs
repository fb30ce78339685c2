//! `ConfigError`: settings that cannot be read, or that contradict each other.

use std::{io, path::PathBuf};

use super::template::LAST_LINE;

/// Why there is no configuration to start with; each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file: the relay was not set up there.
    #[error("there is no {0}: run `smp-server init` first, or name the relay's directory with --dir")]
    Missing(PathBuf),
    /// The file says that it has a last line, and has none.
    #[error(
        "{0} was cut off: its last line (`{LAST_LINE}`) is missing, and with it maybe settings such as the password; restore the \
         file from a backup, or check it and write that line at its end"
    )]
    CutOff(PathBuf),
    /// The file does not have what every relay needs.
    #[error(
        "{0} does not say what clients use to reach this relay (server.hosts), which `smp-server init` always writes: it is empty \
         or was cut off; restore it from a backup, or write `hosts = [\"relay.example.org\"]` in [server]"
    )]
    WithoutHosts(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}; {advice}", advice = crate::advice::of_file(.0, .1))]
    Read(PathBuf, #[source] io::Error),
    /// The file is not TOML, or has a setting that does not exist or a value that does not fit.
    #[error("{path}, line {line}: {message}")]
    File {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// Its fault.
        message: String,
    },
    /// An environment variable or flag does not fit.
    #[error("{0}; check the environment variables that begin with SMP_SERVER_")]
    Environment(String),
    /// A value that is well formed but impossible.
    #[error("{0}")]
    Invalid(String),
}
