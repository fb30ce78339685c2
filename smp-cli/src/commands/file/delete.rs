//! `smp file delete`.

use std::path::Path;

use anyhow::bail;
use serde_json::json;
use smp_files::{FileRelays, Upload, delete};

use super::super::bar::Bar;
use super::{LINK_SENDER, LINK_UPLOAD, SENDER, UPLOAD, read_description, shown};
use crate::args::FileDeleteArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::reach::{Reach, explained};

const AGAIN: &str = "run the same command again: it deletes the rest";

pub(super) async fn run(args: &FileDeleteArgs, dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    let relays = Reach::of(dir, &[])?.relays();
    for sent in &args.sent {
        if sent.is_dir() {
            directory(sent, &relays, output).await?;
        } else {
            description(sent, &relays, output).await?;
        }
        let fields = json!({ "sent": shown(sent) });
        output.result("file_deleted", fields, &format!("Deleted on its relays: {}", sent.display()));
    }
    Ok(Exit::DONE)
}

/// All that was sent from a directory, whether it was sent to its end or not.
async fn directory(sent: &Path, relays: &FileRelays, output: &Output) -> anyhow::Result<()> {
    let mut is_any = false;
    for name in [LINK_SENDER, SENDER] {
        let file = sent.join(name);
        if file.exists() {
            description(&file, relays, output).await?;
            is_any = true;
        }
    }
    for name in [LINK_UPLOAD, UPLOAD] {
        if let Some(upload) = Upload::open(&sent.join(name), None, relays.surroundings())? {
            explained(upload.cancel(relays).await, AGAIN)?;
            is_any = true;
        }
    }
    if is_any {
        return Ok(());
    }
    bail!("{} is no directory of a file that was sent: there is no {SENDER} in it", sent.display())
}

async fn description(path: &Path, relays: &FileRelays, output: &Output) -> anyhow::Result<()> {
    let description = read_description(path)?;
    let bar = Bar::new("Deleting", !output.is_json());
    let deleted = delete::delete(&description, relays, &|done, total| bar.update(done, total)).await;
    drop(bar);
    explained(deleted, AGAIN)
}
