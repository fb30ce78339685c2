//! `smp file send`.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, bail};
use serde_json::json;
use smp_files::upload::ToSend;
use smp_files::{FileRelays, Sent, Upload, link};
use smp_protocol::address::XftpAddress;
use smp_protocol::xftp::description::FileDescription;
use smp_transport::durable::{self, Access};

use super::super::bar::Bar;
use super::{LINK_SENDER, LINK_UPLOAD, SENDER, UPLOAD, recipient_file, shown};
use crate::args::FileSendArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::reach::{Reach, explained};

/// Held while a process sends, in the directory of the file that is sent.
const LOCK: &str = ".lock";
const AGAIN: &str = "run the same command again: it goes on where it was";

pub(super) async fn run(args: &FileSendArgs, dir: &DataDir, output: &Output) -> anyhow::Result<Exit> {
    let reach = Reach::of(dir, &args.relays)?;
    if reach.own.is_empty() {
        bail!(
            "There is no file relay to put it on; name one with --relay xftp://FINGERPRINT@HOST, or keep one with: smp relay add xftp://…"
        );
    }
    let name = args.file.file_name().map(OsStr::to_string_lossy);
    let name = name.with_context(|| format!("{} is not a file", args.file.display()))?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.xftp")));
    if out.join(SENDER).exists() {
        bail!(
            "{} has the descriptions of a file that was sent already; choose another directory with --out, or remove it (`smp file delete {}` before deletes what was sent)",
            out.display(),
            out.display()
        );
    }
    durable::make_dir(&out).with_context(|| format!("The directory {} cannot be made", out.display()))?;
    let locked = durable::lock(&out.join(LOCK));
    let Some(lock) = locked.with_context(|| format!("{} cannot be written to", out.display()))? else {
        bail!("Another `smp file send` works in {}; wait for it", out.display());
    };
    let sending = Sending { args, name: &name, out: &out, relays: reach.relays(), to: &reach.own };
    sending.run(output).await?;
    durable::remove(&out.join(LOCK))?;
    drop(lock);
    Ok(Exit::DONE)
}

/// A file on its way to relays.
struct Sending<'a> {
    args: &'a FileSendArgs,
    name: &'a str,
    out: &'a Path,
    relays: FileRelays,
    to: &'a [XftpAddress],
}

impl Sending<'_> {
    async fn run(&self, output: &Output) -> anyhow::Result<()> {
        let upload = self.upload().await?;
        let was_complete = upload.is_complete();
        let bar = Bar::new("Sending", !output.is_json());
        let sent = upload.run(&self.relays, self.to, &|done, total| bar.update(done, total)).await;
        drop(bar);
        let sent = explained(sent, AGAIN)?;
        let first = sent.recipients.first().context("The file has no recipient")?;
        let (linked, link_upload) = self.linked(first, was_complete).await?;
        self.write(&sent, linked.sender.as_ref())?;
        if let Some(upload) = link_upload {
            upload.forget()?;
        }
        let size = upload.size();
        upload.forget()?;
        self.tell(&linked.link, size, output);
        Ok(())
    }

    /// The upload that was interrupted, or a new one if there was none, or if the file has changed since.
    async fn upload(&self) -> anyhow::Result<Upload> {
        let directory = self.out.join(UPLOAD);
        let surroundings = self.relays.surroundings();
        if let Some(begun) = Upload::open(&directory, None, surroundings)? {
            let wanted = self.args.recipients.next_power_of_two();
            if is_newer(&directory.join("encrypted"), &self.args.file) && begun.recipients() == wanted {
                return Ok(begun);
            }
            explained(begun.cancel(&self.relays).await, AGAIN)?;
        }
        let file = ToSend {
            path: &self.args.file,
            name: self.name,
            recipients: self.args.recipients,
            data: &[],
            seal: None,
        };
        Ok(Upload::begin(file, &directory, surroundings).await?)
    }

    /// The link of a description: its own, or that of the description as a file on relays.
    async fn linked(
        &self,
        description: &FileDescription,
        was_complete: bool,
    ) -> anyhow::Result<(Linked, Option<Upload>)> {
        if link::fits(description) {
            return Ok((Linked { link: link::link(description)?, sender: None }, None));
        }
        let directory = self.out.join(LINK_UPLOAD);
        let surroundings = self.relays.surroundings();
        // One that was begun before leads to the same description only if that was complete then.
        let begun = if was_complete { Upload::open(&directory, None, surroundings)? } else { None };
        let upload = match begun {
            Some(upload) => upload,
            None => Upload::of_description(description, &directory, surroundings).await?,
        };
        let sent = explained(upload.run(&self.relays, self.to, &|_, _| {}).await, AGAIN)?;
        let first = sent.recipients.first().context("The description has no recipient")?;
        Ok((Linked { link: link::link(first)?, sender: Some(sent.sender) }, Some(upload)))
    }

    /// Writes the descriptions; that of the sender comes last and says that all are there.
    fn write(&self, sent: &Sent, link_sender: Option<&FileDescription>) -> anyhow::Result<()> {
        let wanted = self.args.recipients;
        for (number, description) in (1..=wanted).zip(&sent.recipients) {
            write(&recipient_file(self.out, number, wanted), description)?;
        }
        if let Some(description) = link_sender {
            write(&self.out.join(LINK_SENDER), description)?;
        }
        write(&self.out.join(SENDER), &sent.sender)
    }

    fn tell(&self, link: &str, size: u64, output: &Output) {
        let recipients = self.args.recipients;
        let files: Vec<String> =
            (1..=recipients).map(|number| shown(&recipient_file(self.out, number, recipients))).collect();
        let out = self.out.display();
        let fields = json!({
            "link": link,
            "recipients": files,
            "sender": shown(&self.out.join(SENDER)),
            "encrypted_size": size,
        });
        output.result("file_sent", fields, link);
        output.hint(&format!(
            "{} is on file relays, encrypted, for as long as they keep it (48 hours if nothing else was set). Whoever has this link can read it: smp file receive 'LINK'",
            self.name
        ));
        if recipients > 1 {
            output.hint(&format!("The link is that of the first of {recipients} recipients; the descriptions of all are in {out}."));
        }
        output.hint(&format!("Delete it: smp file delete {out}"));
    }
}

/// A link, and the description by which to delete what it leads to.
struct Linked {
    link: String,
    sender: Option<FileDescription>,
}

fn write(path: &Path, description: &FileDescription) -> anyhow::Result<()> {
    durable::replace(path, description.to_yaml().as_bytes(), Access::Owner)
        .with_context(|| format!("{} cannot be written", path.display()))
}

/// Whether the first file was written after the other one was changed for the last time.
fn is_newer(encrypted: &Path, source: &Path) -> bool {
    let changed = |path: &Path| -> std::io::Result<SystemTime> { std::fs::metadata(path)?.modified() };
    match (changed(encrypted), changed(source)) {
        (Ok(encrypted), Ok(source)) => encrypted >= source,
        _ => false,
    }
}
