//! `smp` alone: what this is, and the next step.

use serde_json::json;

use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    let directory = dir.path().display().to_string();
    if !dir.is_identity() {
        let sentence = format!(
            "smp: private messaging without user identifiers, over SimpleX relays.\n\
             There is no identity in {directory} yet. Begin with:\n\n  smp init\n\nAll commands: smp --help. A demonstration on this machine: smp demo"
        );
        output.result("no_identity", json!({ "data_dir": directory }), &sentence);
        return Ok(Exit::DONE);
    }
    let settings = dir.settings()?;
    let sentence = format!(
        "smp: private messaging without user identifiers, over SimpleX relays.\nYou are {}, in {directory}. Next:\n\n  \
           smp invite NAME     a link and a QR code for one person\n  \
           smp address create  a link for everybody, who can ask to connect\n  \
           smp join LINK       the invitation of somebody else\n  \
           smp contacts        who there is\n  \
           smp chat NAME       talk\n  \
           smp history NAME    what was said\n  \
           smp listen          see what comes\n\nAll commands: smp --help",
        settings.name
    );
    output.result("identity", json!({ "name": settings.name, "data_dir": directory }), &sentence);
    Ok(Exit::DONE)
}
