//! `smp import`: an identity out of an archive.
//!
//! It is made beside its directory and moved there when it is whole: nothing that is there is overwritten, and a kill leaves the
//! identity or nothing in its place.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Context as _;
use serde_json::json;
use smp_agent::{Secret, change_secrets, is_encrypted, restore_archive_with};
use smp_transport::durable;
use time::OffsetDateTime;

use super::passphrase::encrypt;
use crate::args::ImportArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::passphrase::{Passphrase, recovery_phrase};
use crate::text::clock;

pub(crate) async fn run(
    args: ImportArgs,
    dir: &DataDir,
    passphrase: &Passphrase,
    output: &Output,
) -> anyhow::Result<Exit> {
    dir.refuse_used()?;
    let secret = secret(&args)?;
    let parent = dir.path().parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let cannot = || format!("Nothing can be made in {}", parent.display());
    durable::make_dir(parent).with_context(cannot)?;
    let made_in = tempfile::Builder::new().prefix(".smp-import-").tempdir_in(parent).with_context(cannot)?;
    durable::restrict_to_owner(made_in.path()).with_context(cannot)?;
    let made = DataDir::locate(Some(made_in.path()))?;
    let of = restore(&args.file, &secret, &made).await?;
    let settings = made.settings().with_context(|| {
        format!(
            "{} was not made by `smp export`, or by a newer one, so nothing was made",
            args.file.display()
        )
    })?;
    protect(&made, &secret, passphrase).await?;
    // In place of an empty directory, or of none.
    durable::rename(made_in.path(), dir.path())
        .with_context(|| format!("{} cannot be made", dir.path().display()))?;
    let seconds = of.duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let at =
        clock(i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(1000), OffsetDateTime::now_utc());
    let place = dir.path().display();
    let fields = json!({ "name": settings.name, "data_dir": place.to_string(), "made": seconds });
    let sentence = format!("You are {}, in {place}, with all that was there at {at}.", settings.name);
    output.result("imported", fields, &sentence);
    output.hint(
        "The identity that the file was made of must not be used any more.\nNext: smp listen. It agrees new keys with each contact and says what is \
         missing; compare security codes again then: smp verify NAME.",
    );
    Ok(Exit::DONE)
}

fn secret(args: &ImportArgs) -> anyhow::Result<Secret> {
    if args.recovery_phrase || args.recovery_phrase_file.is_some() {
        return recovery_phrase(args.recovery_phrase_file.as_deref());
    }
    Passphrase::of_archive(args.archive_passphrase_file.clone()).get()
}

/// Returns when the archive was made.
async fn restore(archive: &Path, secret: &Secret, dir: &DataDir) -> anyhow::Result<SystemTime> {
    let (archive, secret, dir) = (archive.to_owned(), secret.clone(), dir.clone());
    let work = move || restore_archive_with(&archive, &secret, &dir.agent_dir(), &dir.archived_files());
    Ok(tokio::task::spawn_blocking(work).await??.made)
}

/// Puts it under the passphrase that was given for it. One that was encrypted stays so: a recovery phrase is nothing to be typed each time.
async fn protect(dir: &DataDir, opened_by: &Secret, passphrase: &Passphrase) -> anyhow::Result<()> {
    let agent = dir.agent_dir();
    let chosen = match (is_encrypted(&agent)?, passphrase.known()?, opened_by) {
        (false, None, _) | (true, None, Secret::Passphrase(_)) => return Ok(()),
        (false, Some(chosen), _) => return encrypt(dir, &chosen).await,
        (true, Some(chosen), _) => chosen,
        (true, None, _) => passphrase.ask_new()?,
    };
    Ok(change_secrets(&agent, opened_by, &[chosen]).await?)
}
