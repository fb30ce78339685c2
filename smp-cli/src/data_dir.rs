//! The directory of one identity: private to its owner, and found without being told where.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use smp_agent::ArchivedFile;
use smp_transport::durable::{self, Access, UNFINISHED, with_end};

/// Settings that `smp init` wrote: name and relays of this identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The name that contacts see.
    pub(crate) name: String,
    /// Relays for incoming messages; one is picked per contact.
    pub(crate) relays: Vec<String>,
    /// Whether contacts are told that their messages were received.
    #[serde(default = "yes")]
    pub(crate) receipts: bool,
    /// Whether conversations are kept after they were shown and sent.
    #[serde(default = "yes")]
    pub(crate) history: bool,
}

fn yes() -> bool {
    true
}

/// An identity's directory.
#[derive(Debug, Clone)]
pub(crate) struct DataDir(PathBuf);

impl DataDir {
    /// The directory that was asked for, or the user's own one for this program.
    pub(crate) fn locate(asked: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = asked {
            return Ok(Self(path.to_owned()));
        }
        let dirs = directories::ProjectDirs::from("", "", "smp")
            .context("There is no home directory here; say where to keep your data with --data-dir")?;
        Ok(Self(dirs.data_dir().to_owned()))
    }

    /// Whether there are settings of an identity.
    pub(crate) fn is_identity(&self) -> bool {
        self.settings_file().exists()
    }

    /// Fails if there is an identity already.
    pub(crate) fn refuse_existing(&self) -> anyhow::Result<()> {
        if self.is_identity() {
            bail!(
                "There is an identity in {} already; use it, or choose another --data-dir.",
                self.0.display()
            );
        }
        Ok(())
    }

    /// Makes the directory (mode 0700) and writes its settings (mode 0600). Refuses a directory that holds anything.
    pub(crate) fn create(&self, settings: &Settings) -> anyhow::Result<()> {
        if self.0.to_str().is_none() {
            bail!(
                "The path {} is not valid UTF-8, as SQLite needs it; choose another --data-dir.",
                self.0.display()
            );
        }
        self.refuse_existing()?;
        // Unfinished files are what a kill left. Contacts whose settings were lost get new ones.
        let unfinished = [self.settings_file(), self.running_file(), self.book_file()]
            .map(|file| with_end(&file, UNFINISHED));
        let logs = ["-wal", "-shm"].map(|end| with_end(&self.book_file(), end));
        let kept = [self.agent_dir(), self.book_file(), self.running_file(), self.socket_file()];
        let is_ours = |path: PathBuf| unfinished.iter().chain(&logs).chain(&kept).any(|own| *own == path);
        let is_foreign = |entry: io::Result<fs::DirEntry>| entry.map_or(true, |entry| !is_ours(entry.path()));
        if fs::read_dir(&self.0).is_ok_and(|mut entries| entries.any(is_foreign)) {
            bail!(
                "{} holds other files; choose an empty or a new directory with --data-dir.",
                self.0.display()
            );
        }
        durable::make_dir(&self.0)
            .and_then(|()| durable::restrict_to_owner(&self.0))
            .with_context(|| format!("The directory {} cannot be made", self.0.display()))?;
        let text = toml::to_string(settings)?;
        let header = "# Who you are and where you receive. Edit freely; new contacts use the new values.\n";
        let settings = format!("{header}{text}");
        durable::replace(&self.settings_file(), settings.as_bytes(), Access::Owner)
            .with_context(|| format!("{} cannot be written", self.settings_file().display()))
    }

    /// Reads the settings of an existing identity.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let file = self.settings_file();
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.has_data() => bail!(
                "{} is missing, though {} has contacts: restore it from a backup, or write it anew with: smp init --name YOU --relay smp://…",
                file.display(),
                self.0.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "There is no identity in {}; make one with: smp init --name YOU --relay smp://…",
                self.0.display()
            ),
            Ok(text) if text.trim().is_empty() => bail!(
                "{} is empty: restore it from a backup, or remove it and write it anew with: smp init --name YOU --relay smp://…",
                file.display()
            ),
            Err(error) => {
                return Err(error).with_context(|| format!("{} cannot be read", file.display()));
            }
            Ok(text) => text,
        };
        toml::from_str(&text).map_err(|error: toml::de::Error| {
            // The library's own sentence shows what is there: possibly the password of a relay.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.lines().count().max(1);
            anyhow!("{} is not understood, see line {line} or the next; mend it by hand", file.display())
        })
    }

    /// Whether there is what an identity leaves besides its settings.
    fn has_data(&self) -> bool {
        self.agent_file().exists() || self.book_file().exists()
    }

    /// The files that belong into an archive beside the agent.
    pub(crate) fn archived_files(&self) -> [ArchivedFile; 2] {
        [
            ArchivedFile::new("chat.db", self.book_file()),
            ArchivedFile::new("settings.toml", self.settings_file()),
        ]
    }

    /// Fails if there is anything in the directory.
    pub(crate) fn refuse_used(&self) -> anyhow::Result<()> {
        self.refuse_existing()?;
        if fs::read_dir(&self.0).is_ok_and(|mut entries| entries.next().is_some()) {
            bail!(
                "{} holds other files; choose an empty or a new directory with --data-dir.",
                self.0.display()
            );
        }
        Ok(())
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Where names and conversations are kept.
    pub(crate) fn book_file(&self) -> PathBuf {
        self.0.join("chat.db")
    }

    /// Where the agent keeps its state.
    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.0.join("agent")
    }

    /// The agent's database.
    pub(crate) fn agent_file(&self) -> PathBuf {
        self.agent_dir().join("agent.sqlite3")
    }

    /// Where the process that holds the directory says so.
    pub(crate) fn running_file(&self) -> PathBuf {
        self.0.join("running.json")
    }

    /// The socket at which it is asked.
    pub(crate) fn socket_file(&self) -> PathBuf {
        self.0.join("smp.sock")
    }

    fn settings_file(&self) -> PathBuf {
        self.0.join("settings.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            name: "alice".into(),
            relays: vec!["smp://x@localhost".into()],
            receipts: true,
            history: true,
        }
    }

    #[test]
    fn settings_that_are_not_understood_are_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::locate(Some(folder.path())).unwrap();
        dir.create(&settings()).unwrap();
        for text in
            ["# one\nname = \"alice\"\nrelays = \"smp://x:secret@h\"", "\n\nrelays = smp://x:secret@h"]
        {
            std::fs::write(dir.settings_file(), text).unwrap();
            let error = format!("{:#}", dir.settings().unwrap_err());
            assert!(error.contains("line") && !error.contains("secret"), "{error}");
            assert_eq!(error.lines().count(), 1, "{error}");
        }
    }

    #[test]
    fn an_init_that_was_killed_can_be_repeated() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("settings.toml.new"), "name = \"al").unwrap();
        let dir = DataDir::locate(Some(folder.path())).unwrap();
        dir.create(&settings()).unwrap();
        assert_eq!(dir.settings().unwrap().name, "alice");
        assert!(!folder.path().join("settings.toml.new").exists());
    }

    #[test]
    fn an_identity_is_private_and_is_never_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::locate(Some(&folder.path().join("a/b"))).unwrap();
        assert!(dir.settings().unwrap_err().to_string().contains("smp init"));
        dir.create(&settings()).unwrap();
        assert_eq!(dir.settings().unwrap().name, "alice");
        assert!(dir.create(&settings()).is_err());
        let foreign = DataDir::locate(Some(&folder.path().join("a"))).unwrap();
        assert!(foreign.create(&settings()).unwrap_err().to_string().contains("other files"));
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode(dir.path()), 0o700);
            assert_eq!(mode(&dir.settings_file()), 0o600);
        }
    }
}
