//! `smp-server import`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use smp_server::{
    config::DatabaseUrl,
    import::{self, Report},
};
use smp_transport::surroundings::Surroundings;

#[derive(Args)]
pub(super) struct Options {
    /// Configuration directory of the old relay, usually /etc/opt/simplex
    #[arg(long, value_name = "DIRECTORY")]
    from_config: PathBuf,
    /// Data directory of the old relay, usually /var/opt/simplex
    #[arg(long, value_name = "DIRECTORY")]
    from_data: PathBuf,
    /// Directory of the new relay [default: /var/lib/smp-server for root, else ~/.local/share/smp-server]
    #[arg(long, env = "SMP_SERVER_DIR", value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
    /// Keep queues and messages in this database of PostgreSQL (postgres://USER@HOST/DATABASE), an empty one, instead of the directory
    #[arg(long, value_name = "URL", value_parser = DatabaseUrl::new)]
    store: Option<DatabaseUrl>,
    /// Leave out what is damaged, and count it, instead of importing nothing
    #[arg(long)]
    skip_damaged: bool,
    /// Import also a relay that has no queues at all
    #[arg(long)]
    allow_empty: bool,
    /// Only say what would be imported: do everything beside the new directory and remove it again
    #[arg(long)]
    dry_run: bool,
}

pub(super) fn run(options: Options) -> Result<()> {
    let options = import::Options {
        from_config: options.from_config,
        from_data: options.from_data,
        dir: super::dir(options.dir),
        database: options.store,
        skip_damaged: options.skip_damaged,
        allow_empty: options.allow_empty,
        dry_run: options.dry_run,
    };
    let runtime = tokio::runtime::Runtime::new().context("cannot start threads")?;
    let report = runtime.block_on(import::import(&options, Surroundings::machine().time.date()))?;
    say(&options, &report);
    Ok(())
}

fn say(options: &import::Options, report: &Report) {
    let done = if options.dry_run { "can be imported; nothing was written" } else { "is imported" };
    println!("The relay {done}. Its address, as before:\n\n    {}\n", report.address);
    let (stored, read) = (&report.stored, &report.read);
    let services = stored.messaging_services + stored.notifier_services;
    println!("Queues:    {} ({} with a notifier)", stored.queues, stored.notifiers);
    println!("Messages:  {}", stored.messages);
    println!("Services:  {services}");
    println!("Read:      {} records, {} messages", read.records, read.messages);
    for (count, what) in [
        (read.ignored_records, "records about queues that were deleted, ignored"),
        (read.orphans, "messages or journals of queues that do not exist, ignored"),
        (read.notifications, "notifications that waited"),
        (report.damaged.count(), "damaged places, left out"),
    ] {
        if count > 0 {
            println!("           {count} {what}");
        }
    }
    report.damaged.first().iter().for_each(|damage| println!("  {damage}"));
    if !report.notes.is_empty() {
        println!("\nCheck this:");
        report.notes.iter().for_each(|note| println!("  {note}"));
    }
    if !options.dry_run {
        say_what_is_next(options, report);
    }
}

fn say_what_is_next(options: &import::Options, report: &Report) {
    println!("\nStart it with: smp-server start --dir {}", options.dir.display());
    println!("Never start the old relay again after that: each would have messages that the other has not.");
    if report.has_authority_key {
        println!("Move {} off this machine.", options.dir.join("identity/ca.key").display());
    }
}
