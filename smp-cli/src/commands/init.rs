//! `smp init`: a name and relays, nothing else. No account is made anywhere.

use anyhow::bail;
use serde_json::json;

use crate::args::InitArgs;
use crate::data_dir::{DataDir, Settings};
use crate::exit::Exit;
use crate::names::{MAX_NAME, printable};
use crate::output::Output;
use crate::session::parse_relays;

pub(super) fn run(args: &InitArgs, dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    if args.name.is_empty() || printable(&args.name) != args.name {
        bail!("A name is 1 to {MAX_NAME} visible characters, with single spaces; choose another --name.");
    }
    let relays = parse_relays(&args.relays)?.iter().map(ToString::to_string).collect();
    dir.create(&Settings { name: args.name.clone(), relays })?;
    let sentence = format!(
        "You are {}, in {}.\nNext: smp invite, and give the link to somebody; or smp join LINK.",
        args.name,
        dir.path().display()
    );
    output.result(
        "initialised",
        json!({ "name": args.name, "data_dir": dir.path().display().to_string() }),
        &sentence,
    );
    Ok(Exit::DONE)
}
