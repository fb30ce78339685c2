//! `smp file receive`.

use std::path::Path;

use anyhow::bail;
use serde_json::json;
use smp_files::download::Target;
use smp_files::{Download, link};
use smp_protocol::xftp::description::FileDescription;

use super::super::bar::Bar;
use super::{read_description, shown};
use crate::args::FileReceiveArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::reach::{Reach, explained};

const AGAIN: &str = "run the same command again: it goes on where it was";

pub(super) async fn run(args: &FileReceiveArgs, dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    let description = described(args.from.trim())?;
    let reach = Reach::of(dir, &[])?;
    let (directory, target) = target(&args.to)?;
    let download = Download::new(description, directory)?;
    let bar = Bar::new("Receiving", !output.is_json());
    let received = download.run(&reach.relays(), target, &|done, total| bar.update(done, total)).await;
    drop(bar);
    let path = explained(received, AGAIN)?;
    let size = std::fs::metadata(&path)?.len();
    let fields = json!({ "file": shown(&path), "size": size });
    output.result("file_received", fields, &format!("{} ({size} bytes)", path.display()));
    Ok(Exit::DONE)
}

/// Where a file is put by a path, and the directory of its part.
pub(in crate::commands) fn target(to: &Path) -> anyhow::Result<(&Path, Target<'_>)> {
    let (directory, target) = match to {
        to if to.is_dir() => (to, Target::Directory(to)),
        to if to.exists() => bail!("{} exists already; choose another --to", to.display()),
        to => {
            let parent = to.parent().filter(|parent| !parent.as_os_str().is_empty());
            (parent.unwrap_or(Path::new(".")), Target::File(to))
        }
    };
    if !directory.is_dir() {
        bail!("There is no directory {}; make it, or choose another --to", directory.display());
    }
    Ok((directory, target))
}

/// The description in a link or a file.
fn described(from: &str) -> anyhow::Result<FileDescription> {
    if let Some(description) = link::read(from)? {
        return Ok(description);
    }
    if from.contains("://") || from.starts_with("simplex:") {
        bail!("This is a link, but not one to a file; invitations are joined with: smp join LINK");
    }
    read_description(Path::new(from))
}
