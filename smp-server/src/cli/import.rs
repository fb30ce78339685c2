//! `smp-server import`

use std::path::PathBuf;

use anyhow::{Context as _, Result};
use clap::Args;
use smp_server::{
    config::DatabaseUrl,
    import::{self, Damaged, FilesReport, Report},
};
use smp_transport::surroundings::Surroundings;

#[derive(Args)]
pub(super) struct Options {
    /// Configuration directory of the old relay, usually /etc/opt/simplex, or /etc/opt/simplex-xftp for one of files
    #[arg(long, value_name = "DIRECTORY")]
    from_config: PathBuf,
    /// Data directory of the old relay, usually /var/opt/simplex, or /var/opt/simplex-xftp
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
    let now = Surroundings::machine().time.date();
    if import::is_of_files(&options.from_config) {
        let report = runtime.block_on(import::import_files(&options, now))?;
        say_of_files(&options, &report);
    } else {
        say(&options, &runtime.block_on(import::import(&options, now))?);
    }
    Ok(())
}

fn say_of_files(options: &import::Options, report: &FilesReport) {
    let done = if options.dry_run { "can be imported; nothing was written" } else { "is imported" };
    println!("The relay of files {done}. Its address, as before:\n\n    {}\n", report.address);
    println!("Chunks:    {}, {:.1} MiB", report.chunks, report.bytes as f64 / 1_048_576.0);
    println!("Read:      {} records", report.records);
    say_what_is_left_out(&[(
        report.ignored_records,
        "records about chunks that are gone or blocked, ignored",
    )]);
    say_what_to_check(&report.damaged, &report.notes);
    if !options.dry_run {
        println!("\nStart it with: smp-server start --dir {}", options.dir.display());
        println!(
            "Stop the old relay before, and never start it again: each would have files that the other has not."
        );
        if report.has_authority_key {
            println!("Move {} off this machine.", options.dir.join("identity/ca.key").display());
        }
    }
}

fn say_what_is_left_out(counts: &[(u64, &str)]) {
    for (count, what) in counts.iter().filter(|(count, _)| *count > 0) {
        println!("           {count} {what}");
    }
}

/// Damaged places, and notes for the operator.
fn say_what_to_check(damaged: &Damaged, notes: &[String]) {
    say_what_is_left_out(&[(damaged.count(), "damaged places, left out")]);
    damaged.first().iter().for_each(|damage| println!("  {damage}"));
    if !notes.is_empty() {
        println!("\nCheck this:");
        notes.iter().for_each(|note| println!("  {note}"));
    }
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
    say_what_is_left_out(&[
        (read.ignored_records, "records about queues that were deleted, ignored"),
        (read.orphans, "messages or journals of queues that do not exist, ignored"),
        (read.notifications, "notifications that waited"),
    ]);
    say_what_to_check(&report.damaged, &report.notes);
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
