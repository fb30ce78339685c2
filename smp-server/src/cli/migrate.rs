//! `smp-server migrate`

use anyhow::Result;
use clap::Args;
use smp_server::{
    config::{Overrides, load},
    migrate::{self, Target},
};

use super::{Place, backup::runtime};

#[derive(Args)]
pub(super) struct Options {
    #[command(flatten)]
    place: Place,
    /// Where to: postgres://USER@HOST/DATABASE, or sqlite:DIRECTORY
    #[arg(long, value_name = "STORE")]
    to: Target,
}

pub(super) fn run(options: &Options) -> Result<()> {
    let path = options.place.config();
    let config = load(&path, &Overrides::default())?;
    let done = runtime()?.block_on(migrate::migrate(&config, &options.to))?;
    let counts = &done.counts;
    println!("{} queues and {} messages are copied and compared.", counts.queues, counts.messages);
    if done.already_there > 0 {
        println!("{} of the queues had been copied before.", done.already_there);
    }
    println!(
        "\nThe relay starts from the copy only, from now on. In {}, write\n\n[store]\n{}\n\nand start it. What it was copied from is as it was: \
         remove it when you are sure.",
        path.display(),
        options.to.settings()
    );
    Ok(())
}
