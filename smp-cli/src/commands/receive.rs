//! `smp receive`: the file of a message.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use serde::{Deserialize, Serialize};
use serde_json::json;
use smp_chat::conversation::ReceivedFile;
use smp_files::Download;

use super::bar::Bar;
use super::file::target;
use crate::args::ReceiveArgs;
use crate::exit::Exit;
use crate::output::Output;
use crate::reach::{Reach, explained};
use crate::session::Session;

const AGAIN: &str = "run the same command again: it goes on where it was";

/// A file that is to be received, and where it is to be put.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FileToReceive {
    contact: String,
    number: i64,
    to: PathBuf,
}

/// Takes paths from where this process is: another one may do the work.
pub(crate) fn resolve(args: ReceiveArgs) -> anyhow::Result<FileToReceive> {
    let to =
        std::path::absolute(&args.to).with_context(|| format!("There is no path {}", args.to.display()))?;
    Ok(FileToReceive { contact: args.message.contact.name, number: args.message.number, to })
}

pub(super) async fn run(file: &FileToReceive, session: &Session, output: &Output) -> anyhow::Result<Exit> {
    let contact = session.contact(&file.contact).await?;
    let kept = session.item(&contact, file.number).await?;
    let (name, number) = (&contact.name, file.number);
    let description = match kept.item.received_file() {
        Some(ReceivedFile::Ready(description)) => *description,
        Some(ReceivedFile::Coming) => {
            bail!(
                "{name} still sends the file of #{number}; try again when `smp listen` has been running for a while"
            )
        }
        Some(ReceivedFile::Cancelled) => bail!("{name} does not offer the file of #{number} any more"),
        None => bail!("#{number} is not a message of {name} with a file"),
    };
    let (directory, target) = target(&file.to)?;
    let relays = Reach::of(session.dir(), &[])?.relays();
    let bar = Bar::new("Receiving", session.shows_texts() && !output.is_json());
    let download = Download::new(description, directory)?;
    let received = download.run(&relays, target, &|done, total| bar.update(done, total)).await;
    drop(bar);
    let path = explained(received, AGAIN)?;
    let size = std::fs::metadata(&path)?.len();
    let fields = json!({ "contact": name, "item": number, "file": path.display().to_string(), "size": size });
    output.result("file_received", fields, &format!("{} ({size} bytes)", path.display()));
    Ok(Exit::DONE)
}
