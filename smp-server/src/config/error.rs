//! `ConfigError`: settings that cannot be read, or that contradict each other.

use std::{io, path::PathBuf};

/// Why there is no configuration to start with; each says what to change.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// There is no file: the relay was not set up there.
    #[error("there is no {0}: run `smp-server init` first, or name the relay's directory with --dir")]
    Missing(PathBuf),
    /// The file cannot be read.
    #[error("cannot read {0}: {1}")]
    Read(PathBuf, #[source] io::Error),
    /// The file is not TOML, or has a setting that does not exist or a value that does not fit.
    #[error("{path}, line {line}: {message}")]
    File {
        /// The file.
        path: String,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        message: String,
    },
    /// An environment variable or flag does not fit.
    #[error("{0}; check the environment variables that begin with SMP_SERVER_")]
    Environment(String),
    /// A value that is well formed but impossible.
    #[error("{0}")]
    Invalid(String),
}
