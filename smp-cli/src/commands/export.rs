//! `smp export`: an archive of an identity: its agent, its book and its settings, in one encrypted file.

use std::path::PathBuf;

use anyhow::bail;
use serde_json::json;
use smp_agent::{RecoveryPhrase, Secret};

use crate::args::ExportArgs;
use crate::data_dir::DataDir;
use crate::exit::Exit;
use crate::output::Output;
use crate::passphrase::Passphrase;
use crate::session::Session;

/// An archive that is to be made.
pub(crate) struct Export {
    file: PathBuf,
    secrets: Vec<Secret>,
    /// The phrase among them, if there is one.
    phrase: Option<RecoveryPhrase>,
}

impl Export {
    /// Finds, chooses or asks for what shall open it.
    pub(crate) fn resolve(args: ExportArgs) -> anyhow::Result<Self> {
        if args.file.exists() && !args.replace {
            bail!("{} is there already; choose another file, or add --replace", args.file.display());
        }
        let passphrase = Passphrase::of_archive(args.archive_passphrase_file);
        let phrase = args.recovery_phrase.then(|| RecoveryPhrase::generate(&mut rand::rng()));
        let mut secrets: Vec<_> = phrase.clone().map(Secret::Recovery).into_iter().collect();
        match passphrase.known()? {
            Some(known) => secrets.push(known),
            None if phrase.is_none() => secrets.push(passphrase.ask_new()?),
            None => {}
        }
        Ok(Self { file: args.file, secrets, phrase })
    }

    /// Makes it. No event is applied and nothing is sent meanwhile, so book and agent are of one moment.
    pub(crate) async fn run(self, dir: &DataDir, session: &Session, output: &Output) -> anyhow::Result<Exit> {
        // Everything is in the file itself then.
        session.book().clean().await?;
        session.book().close().await;
        session.agent().export_with(&self.file, &self.secrets, &dir.archived_files()).await?;
        let file = self.file.display();
        let words = self.phrase.map(|phrase| phrase.to_words());
        let sentence = match &words {
            Some(words) => {
                format!("{}\n\nThese 24 words open {file}. They are not shown again.", words.as_str())
            }
            None => format!("All that is kept here is in {file}. Without the passphrase nobody can open it."),
        };
        let mut fields = json!({ "file": file.to_string() });
        if let Some(words) = &words {
            fields["recovery_phrase"] = json!(words.as_str());
        }
        output.result("exported", fields, &sentence);
        output.hint(
            "On another machine: smp import FILE. From then on this identity must not be used any more: both would read each other's messages \
             away. What comes after now is not in the file.",
        );
        Ok(Exit::DONE)
    }
}
