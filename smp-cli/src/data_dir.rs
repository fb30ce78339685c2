//! The directory of one identity: private to its owner, and found without being told where.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow, bail};
use serde::{Deserialize, Serialize};
use smp_agent::ArchivedFile;
use smp_transport::durable::{self, Access, UNFINISHED, with_end};

use crate::network::NetworkChoice;

/// Settings that `smp init` wrote: name and relays of this identity.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Settings {
    /// The name that contacts see.
    pub(crate) name: String,
    /// Relays for incoming messages; one is picked per contact.
    pub(crate) relays: Vec<String>,
    /// Relays for files that are sent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) file_relays: Vec<String>,
    /// Whether contacts are told that their messages were received.
    #[serde(default = "yes")]
    pub(crate) receipts: bool,
    /// Whether conversations are kept after they were shown and sent.
    #[serde(default = "yes")]
    pub(crate) history: bool,
    /// How relays are reached.
    #[serde(default, skip_serializing_if = "NetworkChoice::is_empty")]
    pub(crate) network: NetworkChoice,
}

fn yes() -> bool {
    true
}

/// Where lists of relays stand in the text of the settings.
#[derive(Deserialize)]
struct Places {
    relays: toml::Spanned<Vec<String>>,
    file_relays: Option<toml::Spanned<Vec<String>>>,
}

/// An identity's directory.
#[derive(Debug, Clone)]
pub(crate) struct DataDir {
    path: PathBuf,
    /// Options that replace its settings in this run.
    network: NetworkChoice,
}

impl DataDir {
    /// The directory that was asked for, or the user's own one for this program.
    pub(crate) fn locate(asked: Option<&Path>) -> anyhow::Result<Self> {
        if let Some(path) = asked {
            return Ok(Self { path: path.to_owned(), network: NetworkChoice::default() });
        }
        let dirs = directories::ProjectDirs::from("", "", "smp")
            .context("There is no home directory here; say where to keep your data with --data-dir")?;
        Ok(Self { path: dirs.data_dir().to_owned(), network: NetworkChoice::default() })
    }

    /// The same, with options that replace its settings in this run.
    pub(crate) fn with_network(self, network: NetworkChoice) -> Self {
        Self { network, ..self }
    }

    /// The options that replace its settings in this run.
    pub(crate) fn network(&self) -> &NetworkChoice {
        &self.network
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
                self.path.display()
            );
        }
        Ok(())
    }

    /// Makes the directory (mode 0700) and writes its settings (mode 0600). Refuses a directory that holds anything.
    pub(crate) fn create(&self, settings: &Settings) -> anyhow::Result<()> {
        if self.path.to_str().is_none() {
            bail!(
                "The path {} is not valid UTF-8, as SQLite needs it; choose another --data-dir.",
                self.path.display()
            );
        }
        self.refuse_existing()?;
        // Unfinished files are what a kill left. Contacts whose settings were lost get new ones.
        let unfinished = [self.settings_file(), self.running_file(), self.book_file()]
            .map(|file| with_end(&file, UNFINISHED));
        let logs = ["-wal", "-shm"].map(|end| with_end(&self.book_file(), end));
        let kept =
            [self.agent_dir(), self.book_file(), self.files_dir(), self.running_file(), self.socket_file()];
        let is_ours = |path: PathBuf| unfinished.iter().chain(&logs).chain(&kept).any(|own| *own == path);
        self.refuse_files(|path| !is_ours(path))?;
        durable::make_dir(&self.path)
            .and_then(|()| durable::restrict_to_owner(&self.path))
            .with_context(|| format!("The directory {} cannot be made", self.path.display()))?;
        let text = toml::to_string(settings)?;
        let header = "# Who you are and where you receive. Edit freely; new contacts use the new values.\n";
        self.write_settings(&format!("{header}{text}"))
    }

    /// Reads the settings of an existing identity.
    pub(crate) fn settings(&self) -> anyhow::Result<Settings> {
        let file = self.settings_file();
        let text = match fs::read_to_string(&file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound && self.has_data() => bail!(
                "{} is missing, though {} has contacts: restore it from a backup, or write it anew with: smp init --name YOU --relay smp://…",
                file.display(),
                self.path.display()
            ),
            Err(error) if error.kind() == io::ErrorKind::NotFound => bail!(
                "There is no identity in {}; make one with: smp init --name YOU --relay smp://…",
                self.path.display()
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
        let mut settings: Settings = self.understand(&text)?;
        settings.network = self.network.clone().or(settings.network);
        Ok(settings)
    }

    fn understand<T: serde::de::DeserializeOwned>(&self, text: &str) -> anyhow::Result<T> {
        toml::from_str(text).map_err(|error: toml::de::Error| {
            // The library's own sentence shows what is there: possibly the password of a relay.
            let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
            let line = before.lines().count().max(1);
            let file = self.settings_file();
            anyhow!("{} is not understood, see line {line} or the next; mend it by hand", file.display())
        })
    }

    /// Writes other relays into the settings, and leaves everything else there as it is.
    pub(crate) fn set_relays(&self, relays: &[String]) -> anyhow::Result<()> {
        self.set_list(relays, |places| (places.relays.span(), ""))
    }

    /// Writes other file relays into the settings, and leaves everything else there as it is.
    pub(crate) fn set_file_relays(&self, relays: &[String]) -> anyhow::Result<()> {
        self.set_list(relays, |places| match &places.file_relays {
            Some(place) => (place.span(), ""),
            // Behind the other relays, as there may be tables at the end.
            None => (places.relays.span().end..places.relays.span().end, "\nfile_relays = "),
        })
    }

    /// Writes a list into the settings, at its place, with a name in front of it if it has none there.
    fn set_list(
        &self,
        relays: &[String],
        place: impl Fn(&Places) -> (std::ops::Range<usize>, &'static str),
    ) -> anyhow::Result<()> {
        let file = self.settings_file();
        let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let (place, name) = place(&self.understand(&text)?);
        let lines: Vec<_> =
            relays.iter().map(|relay| format!("    {},\n", toml::Value::from(relay.as_str()))).collect();
        let (before, behind) = (text.get(..place.start), text.get(place.end..));
        let text = format!(
            "{}{name}[\n{}]{}",
            before.unwrap_or_default(),
            lines.concat(),
            behind.unwrap_or_default()
        );
        // So that it can be read again.
        self.understand::<Settings>(&text)?;
        self.write_settings(&text)
    }

    /// Writes another name into the settings, and leaves everything else there as it is.
    pub(crate) fn set_name(&self, name: &str) -> anyhow::Result<()> {
        #[derive(Deserialize)]
        struct Name {
            name: toml::Spanned<String>,
        }
        let file = self.settings_file();
        let text = fs::read_to_string(&file).with_context(|| format!("{} cannot be read", file.display()))?;
        let place = self.understand::<Name>(&text)?.name.span();
        let (before, behind) = (text.get(..place.start), text.get(place.end..));
        let name = toml::Value::from(name);
        let text = format!("{}{name}{}", before.unwrap_or_default(), behind.unwrap_or_default());
        // So that it can be read again.
        self.understand::<Settings>(&text)?;
        self.write_settings(&text)
    }

    fn write_settings(&self, text: &str) -> anyhow::Result<()> {
        let file = self.settings_file();
        durable::replace(&file, text.as_bytes(), Access::Owner)
            .with_context(|| format!("{} cannot be written", file.display()))
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
        self.refuse_files(|_| true)
    }

    /// Fails if there are such files in the directory, or some that cannot be told.
    fn refuse_files(&self, is_refused: impl Fn(PathBuf) -> bool) -> anyhow::Result<()> {
        let is_refused =
            |entry: io::Result<fs::DirEntry>| entry.map_or(true, |entry| is_refused(entry.path()));
        if fs::read_dir(&self.path).is_ok_and(|mut entries| entries.any(is_refused)) {
            bail!(
                "{} holds other files; choose an empty or a new directory with --data-dir.",
                self.path.display()
            );
        }
        Ok(())
    }

    /// The directory itself.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Where names and conversations are kept.
    pub(crate) fn book_file(&self) -> PathBuf {
        self.path.join("chat.db")
    }

    /// Where the agent keeps its state.
    pub(crate) fn agent_dir(&self) -> PathBuf {
        self.path.join("agent")
    }

    /// The agent's database.
    pub(crate) fn agent_file(&self) -> PathBuf {
        self.agent_dir().join("agent.sqlite3")
    }

    /// Where files are that are being sent.
    pub(crate) fn files_dir(&self) -> PathBuf {
        self.path.join("files")
    }

    /// Where the process that holds the directory says so.
    pub(crate) fn running_file(&self) -> PathBuf {
        self.path.join("running.json")
    }

    /// The socket at which it is asked.
    pub(crate) fn socket_file(&self) -> PathBuf {
        self.path.join("smp.sock")
    }

    fn settings_file(&self) -> PathBuf {
        self.path.join("settings.toml")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings {
            name: "alice".into(),
            relays: vec!["smp://x@localhost".into()],
            file_relays: Vec::new(),
            receipts: true,
            history: true,
            network: NetworkChoice::default(),
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
    fn other_relays_leave_everything_else_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::locate(Some(folder.path())).unwrap();
        dir.create(&settings()).unwrap();
        let text = "# mine\nname = 'alice' # me\nrelays = [ # both\n  'smp://x@a',\n]\nreceipts = false\n\n[network]\nvia = \"always\"\n";
        std::fs::write(dir.settings_file(), text).unwrap();
        let relays = ["smp://x:\"p\\@b".to_owned(), "smp://y@c".to_owned()];
        dir.set_relays(&relays).unwrap();
        let written = std::fs::read_to_string(dir.settings_file()).unwrap();
        assert!(written.starts_with("# mine\nname = 'alice' # me\nrelays = ["), "{written}");
        assert!(written.ends_with("]\nreceipts = false\n\n[network]\nvia = \"always\"\n"), "{written}");
        let settings = dir.settings().unwrap();
        assert_eq!((&settings.relays[..], settings.receipts), (&relays[..], false));
        // Those of files come into a list of their own, which is made and then changed.
        for file_relays in [vec!["xftp://z@d".to_owned()], vec![]] {
            dir.set_file_relays(&file_relays).unwrap();
            let settings = dir.settings().unwrap();
            assert_eq!((&settings.relays[..], settings.file_relays), (&relays[..], file_relays));
            assert!(settings.network.via.is_some() && !settings.receipts);
        }
    }

    #[test]
    fn another_name_leaves_everything_else_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let dir = DataDir::locate(Some(folder.path())).unwrap();
        dir.create(&settings()).unwrap();
        std::fs::write(dir.settings_file(), "name = 'alice' # me\nrelays = ['smp://x@a']\n").unwrap();
        dir.set_name("Anna \"A\"").unwrap();
        let written = std::fs::read_to_string(dir.settings_file()).unwrap();
        assert!(written.ends_with(" # me\nrelays = ['smp://x@a']\n"), "{written}");
        assert_eq!(dir.settings().unwrap().name, "Anna \"A\"");
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
