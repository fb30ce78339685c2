//! `smp passphrase`: encryption of what is kept here, on, off, and under another passphrase.

use serde_json::json;
use smp_agent::{Secret, change_secrets, decrypt_data_dir, encrypt_data_dir, is_encrypted};

use crate::args::PassphraseArgs;
use crate::book_key;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::passphrase::Passphrase;
use crate::session::has_begun_files;

pub(crate) async fn run(
    args: PassphraseArgs,
    dir: &DataDir,
    passphrase: &mut Passphrase,
    output: &Output,
) -> anyhow::Result<Exit> {
    dir.settings()?;
    if !matches!(args, PassphraseArgs::Change { .. }) && has_begun_files(&dir.files_dir()) {
        anyhow::bail!(
            "A file is still being sent, under the encryption that is there; let `smp listen` finish it first"
        );
    }
    let agent = dir.agent_dir();
    let (event, sentence) = match args {
        PassphraseArgs::Set => {
            if is_encrypted(&agent)? {
                anyhow::bail!(
                    "What is kept here is encrypted already; another passphrase: smp passphrase change"
                );
            }
            encrypt(dir, &passphrase.choose()?).await?;
            (
                "passphrase_set",
                "Contacts, keys and texts are encrypted. Without the passphrase nobody can read them, and nobody can restore it.",
            )
        }
        PassphraseArgs::Change { new_passphrase_file } => {
            let old = passphrase.get()?;
            let new = match new_passphrase_file {
                None => passphrase.ask_new()?,
                file => Passphrase::new(file).choose()?,
            };
            change_secrets(&agent, &old, &[new]).await?;
            (
                "passphrase_changed",
                "From now on only the new passphrase is right. Copies that were made before still have the old one.",
            )
        }
        PassphraseArgs::Remove => {
            let secret = passphrase.get()?;
            let key = smp_agent::application_key(&agent, &secret, book_key::PURPOSE).await?;
            // First: without the agent's key it could not be read any more.
            book_key::unseal(&dir.book_file(), key).await?;
            decrypt_data_dir(&agent, &secret).await?;
            (
                "passphrase_removed",
                "Contacts, keys and texts are not encrypted any more: whoever can read the files can read them.",
            )
        }
    };
    output.result(event, json!({ "data_dir": dir.path().display().to_string() }), sentence);
    Ok(Exit::DONE)
}

/// Encrypts what is there, or prepares what is to be.
pub(crate) async fn encrypt(dir: &DataDir, secret: &Secret) -> anyhow::Result<()> {
    let agent = dir.agent_dir();
    encrypt_data_dir(&agent, std::slice::from_ref(secret)).await?;
    // If this is cut off, it is done when the book is opened.
    let key = smp_agent::application_key(&agent, secret, book_key::PURPOSE).await?;
    book_key::seal(&dir.book_file(), &key).await
}
