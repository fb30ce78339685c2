//! The command line of `smp-server`.

mod address;
mod backup;
mod cert;
mod import;
mod init;
mod log;
#[cfg(feature = "postgres")]
mod migrate;
mod queue;
mod reload;
mod start;
mod status;

use std::{env, path::PathBuf};

use clap::{Args, Parser, Subcommand};
use smp_server::config::{CONFIG_FILE, default_dir};

/// A relay of the SimpleX Messaging Protocol: it keeps sealed messages until their recipients fetch them, and knows nothing
/// about who they are.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Set up a relay: keys, certificates and a configuration file in a directory of their own
    Init(init::Options),
    /// Take over a relay of the reference implementation: its address, settings, queues and messages
    Import(import::Options),
    /// Run the relay
    Start(start::Options),
    /// Show how the running relay is: connections, queues, messages, memory
    Status(status::Options),
    /// Copy the relay, running or not: settings, keys, queues and messages
    Backup(backup::BackupOptions),
    /// Put a copy back; never overwrites anything
    Restore(backup::RestoreOptions),
    /// Copy queues and messages into another database, between SQLite and PostgreSQL, while the relay does not run
    #[cfg(feature = "postgres")]
    Migrate(migrate::Options),
    /// Renew the certificate of the relay
    #[command(subcommand)]
    Cert(cert::Command),
    /// Block a queue, for instance after a complaint: nobody can send to it or receive from it
    Block(queue::BlockOptions),
    /// Undo `block`
    Unblock(queue::Queue),
    /// Delete a queue with its messages, for good
    Delete(queue::DeleteOptions),
    /// Print the address of the relay, for clients
    Address(Place),
}

/// Where the relay is.
#[derive(Args)]
struct Place {
    /// Directory of the relay [default: /var/lib/smp-server for root, else ~/.local/share/smp-server]
    #[arg(long, env = "SMP_SERVER_DIR", value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
    /// Configuration file, if it is not smp-server.toml in that directory
    #[arg(long, env = "SMP_SERVER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Place {
    fn config(&self) -> PathBuf {
        self.config.clone().unwrap_or_else(|| dir(self.dir.clone()).join(CONFIG_FILE))
    }
}

/// The directory that was asked for, or the default one.
fn dir(asked_for: Option<PathBuf>) -> PathBuf {
    asked_for.unwrap_or_else(|| {
        let path = |name| env::var_os(name).map(PathBuf::from);
        default_dir(is_root(), path("XDG_DATA_HOME").as_deref(), path("HOME").as_deref())
    })
}

/// Whether this process belongs to root: to whom its entry in `/proc` belongs.
#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|entry| entry.uid() == 0)
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

/// Does what the command line says.
pub(crate) fn run() -> anyhow::Result<()> {
    match Cli::parse().command {
        Command::Init(options) => init::run(options),
        Command::Import(options) => import::run(options),
        Command::Start(options) => start::run(&options),
        Command::Status(options) => status::run(&options),
        Command::Backup(options) => backup::backup(&options),
        Command::Restore(options) => backup::restore(&options),
        #[cfg(feature = "postgres")]
        Command::Migrate(options) => migrate::run(&options),
        Command::Cert(command) => cert::run(&command),
        Command::Block(options) => queue::block(options),
        Command::Unblock(queue) => queue::unblock(queue),
        Command::Delete(options) => queue::delete(options),
        Command::Address(place) => address::run(&place),
    }
}
