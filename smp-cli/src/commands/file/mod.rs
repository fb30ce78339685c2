//! `smp file`: files to and from file relays, without a contact. No identity is needed.

mod delete;
mod receive;
mod send;

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use smp_protocol::xftp::description::{FileDescription, MAX_DESCRIPTION_BYTES};

pub(super) use self::receive::target;
use crate::args::FileArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;

/// The sender's description, in the directory of a file that was sent.
const SENDER: &str = "sender.xftp";
/// The sender's description of the description that a link leads to.
const LINK_SENDER: &str = "link-sender.xftp";
/// The upload of the file, as long as it is not finished.
const UPLOAD: &str = "upload";
/// The upload of the description that a link leads to, as long as it is not finished.
const LINK_UPLOAD: &str = "link-upload";

pub(crate) async fn run(args: FileArgs, dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    match args {
        FileArgs::Send(args) => send::run(&args, dir, output).await,
        FileArgs::Receive(args) => receive::run(&args, dir, output).await,
        FileArgs::Delete(args) => delete::run(&args, dir, output).await,
    }
}

/// Reads a description from its file.
fn read_description(path: &Path) -> anyhow::Result<FileDescription> {
    let cannot = || format!("{} cannot be read", path.display());
    let size = std::fs::metadata(path).with_context(cannot)?.len();
    if size > MAX_DESCRIPTION_BYTES as u64 {
        anyhow::bail!("{} is too large for the description of a file", path.display());
    }
    let text = std::fs::read(path).with_context(cannot)?;
    let text = String::from_utf8(text).ok();
    let text = text.with_context(|| format!("{} is not the description of a file", path.display()))?;
    FileDescription::from_yaml(&text).with_context(|| format!("{} cannot be used", path.display()))
}

/// As it is shown.
fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// The description of this recipient, of so many.
fn recipient_file(out: &Path, number: usize, recipients: usize) -> PathBuf {
    match recipients {
        1 => out.join("recipient.xftp"),
        _ => out.join(format!("recipient-{number}.xftp")),
    }
}
