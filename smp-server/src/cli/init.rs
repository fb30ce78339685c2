//! `smp-server init`

use std::path::PathBuf;

use anyhow::Result;
use clap::Args;
use smp_protocol::address::{DEFAULT_PORT, Host};
use smp_server::{
    config::{DatabaseUrl, parse_password},
    init::{self, Created},
};
use smp_transport::surroundings::Surroundings;

#[derive(Args)]
pub(super) struct Options {
    /// Directory of the relay [default: /var/lib/smp-server for root, else ~/.local/share/smp-server]
    #[arg(long, env = "SMP_SERVER_DIR", value_name = "DIRECTORY")]
    dir: Option<PathBuf>,
    /// Name or IP address that clients use to reach this machine; repeat it for more, such as an onion address
    #[arg(long = "host", value_name = "HOST", default_value = "127.0.0.1")]
    hosts: Vec<Host>,
    /// TCP port to listen on
    #[arg(long, default_value_t = DEFAULT_PORT)]
    port: u16,
    /// Password that clients need to create queues here
    #[arg(long, value_parser = password, conflicts_with = "random_password")]
    password: Option<String>,
    /// Make a random password that clients need to create queues here
    #[arg(long)]
    random_password: bool,
    /// Keep queues and messages in this database of PostgreSQL (postgres://USER@HOST/DATABASE) instead of the directory
    #[arg(long, value_name = "URL", value_parser = DatabaseUrl::new)]
    store: Option<DatabaseUrl>,
    /// Keep files for people, too (up to 10 GiB, for 48 hours: see [files] in the settings), with the same password
    #[arg(long)]
    files: bool,
}

/// Checks that it can be a part of the address.
fn password(text: &str) -> Result<String, String> {
    parse_password(text).map(|_| text.to_owned())
}

pub(super) fn run(options: Options) -> Result<()> {
    let surroundings = Surroundings::machine();
    let mut rng = surroundings.randomness.rng();
    let random = options.random_password.then(|| init::generate_password(&mut rng));
    let options = init::Options {
        dir: super::dir(options.dir),
        hosts: options.hosts,
        port: options.port,
        password: options.password.or(random),
        database: options.store,
        files: options.files,
    };
    let local_only = options.hosts.iter().all(is_loopback);
    let created = init::create(&options, surroundings.time.date(), &mut rng)?;
    report(&created, local_only);
    Ok(())
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
        Host::Domain(name) => name.as_str() == "localhost",
        Host::Onion(_) => false,
    }
}

fn report(created: &Created, local_only: bool) {
    let Created { address, config, identity, ca_key } = created;
    println!("The relay is set up. Its address, for clients:\n\n    {address}\n");
    println!("Settings:  {}", config.display());
    println!("Identity:  {}", identity.display());
    println!("\nBack up {} now: without these files the address is lost for ever.", identity.display());
    println!("Then move {} off this machine: whoever has it can pretend to be this relay,", ca_key.display());
    println!("and it is needed only to renew the relay's certificate.");
    if local_only {
        println!(
            "\nOnly programs on this machine can use this address; for others, set up with --host NAME."
        );
    }
    println!("\nStart it with: smp-server start{}", dir_flag(config));
}

/// The flag that is needed to find the relay again.
fn dir_flag(config: &std::path::Path) -> String {
    match config.parent() {
        Some(dir) if dir != super::dir(None) => format!(" --dir {}", dir.display()),
        _ => String::new(),
    }
}
