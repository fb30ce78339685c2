//! `Passphrase`: where the passphrase of an encrypted identity, or of an archive, comes from: a file, the environment, or whoever sits at the
//! terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use smp_agent::{RecoveryPhrase, Secret};
use zeroize::Zeroizing;

/// The passphrase that is asked for, and where it may be instead.
#[derive(Clone, Copy, Debug)]
struct Kind {
    variable: &'static str,
    question: &'static str,
    /// Said where there is no terminal.
    missing: &'static str,
}

/// The passphrase of an identity.
const IDENTITY: Kind = Kind {
    variable: "SMP_PASSPHRASE",
    question: "Passphrase: ",
    missing: "The data is encrypted, and there is no terminal to ask for the passphrase; give it in the file of --passphrase-file, or in SMP_PASSPHRASE",
};
/// The passphrase of an archive.
const ARCHIVE: Kind = Kind {
    variable: "SMP_ARCHIVE_PASSPHRASE",
    question: "Passphrase of the archive: ",
    missing: "There is no terminal to ask for the passphrase of the archive; give it in the file of --archive-passphrase-file, or in SMP_ARCHIVE_PASSPHRASE",
};
/// The recovery phrase of an archive.
const PHRASE: Kind = Kind {
    variable: "SMP_RECOVERY_PHRASE",
    question: "The 24 words: ",
    missing: "There is no terminal to ask for the recovery phrase; give it in the file of --recovery-phrase-file, or in SMP_RECOVERY_PHRASE",
};
/// The most bytes of a file with a passphrase.
const MAX_FILE: u64 = 4096;
/// Ctrl-C, while it is a character as any other.
const INTERRUPT: char = '\u{3}';

/// A passphrase that is asked for once, when it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Passphrase {
    kind: Kind,
    file: Option<PathBuf>,
    asked: Option<Secret>,
}

impl Passphrase {
    /// That of an identity: of this file, if one is named.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { kind: IDENTITY, file, asked: None }
    }

    /// That of an archive: of this file, if one is named.
    pub(crate) fn of_archive(file: Option<PathBuf>) -> Self {
        Self { kind: ARCHIVE, file, asked: None }
    }

    /// The one that is known without asking anybody.
    pub(crate) fn known(&self) -> anyhow::Result<Option<Secret>> {
        if let Some(asked) = &self.asked {
            return Ok(Some(asked.clone()));
        }
        if let Some(file) = &self.file {
            return Ok(Some(Secret::Passphrase(first_line(file)?)));
        }
        Ok(variable(self.kind)?.map(Secret::Passphrase))
    }

    /// Asks at the terminal, and keeps the answer.
    pub(crate) fn ask(&mut self) -> anyhow::Result<Secret> {
        let secret = Secret::Passphrase(ask(self.kind.question, self.kind)?);
        self.asked = Some(secret.clone());
        Ok(secret)
    }

    /// The known one, or asks for it.
    pub(crate) fn get(&mut self) -> anyhow::Result<Secret> {
        match self.known()? {
            Some(known) => Ok(known),
            None => self.ask(),
        }
    }

    /// The known one, or asks for a new one, twice.
    pub(crate) fn choose(&self) -> anyhow::Result<Secret> {
        match self.known()? {
            Some(known) => Ok(known),
            None => self.ask_new(),
        }
    }

    /// Asks for a new one, twice.
    pub(crate) fn ask_new(&self) -> anyhow::Result<Secret> {
        let chosen = ask("New passphrase: ", self.kind)?;
        if chosen.is_empty() {
            bail!("Nothing was changed: a passphrase is not empty.");
        }
        if *ask("Once more: ", self.kind)? != *chosen {
            bail!("Nothing was changed: the two are different; try again");
        }
        Ok(Secret::Passphrase(chosen))
    }
}

/// The recovery phrase of an archive: of this file, if one is named, of the environment, or whoever sits at the terminal.
pub(crate) fn recovery_phrase(file: Option<&Path>) -> anyhow::Result<Secret> {
    let words = match (file, variable(PHRASE)?) {
        (Some(file), _) => first_line(file)?,
        (None, Some(words)) => words,
        (None, None) => ask(PHRASE.question, PHRASE)?,
    };
    Ok(Secret::Recovery(words.parse::<RecoveryPhrase>()?))
}

/// The one in the environment, if there is one.
fn variable(kind: Kind) -> anyhow::Result<Option<Zeroizing<String>>> {
    match std::env::var(kind.variable) {
        Ok(text) if !text.is_empty() => Ok(Some(Zeroizing::new(text))),
        Err(std::env::VarError::NotUnicode(_)) => bail!("{} is not valid UTF-8", kind.variable),
        _ => Ok(None),
    }
}

/// The secret in the first line of a file.
fn first_line(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let unreadable = || format!("The passphrase cannot be read from {}", path.display());
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).with_context(unreadable)?;
    file.take(MAX_FILE).read_to_string(&mut text).with_context(unreadable)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Zeroizing::new(line.to_owned())),
        _ => bail!("There is no passphrase in the first line of {}", path.display()),
    }
}

/// A line of the terminal that does not appear on it.
fn ask(question: &str, kind: Kind) -> anyhow::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        bail!(kind.missing);
    }
    eprint!("{question}");
    let unreadable = "The terminal cannot be read";
    let before = tcgetattr(&stdin).context(unreadable)?;
    let mut silent = before.clone();
    // With the signal the terminal would stay silent.
    silent.local_flags.remove(LocalFlags::ECHO | LocalFlags::ISIG);
    tcsetattr(&stdin, SetArg::TCSANOW, &silent).context(unreadable)?;
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().read_line(&mut line);
    let restored = tcsetattr(&stdin, SetArg::TCSANOW, &before);
    eprintln!();
    restored.context(unreadable)?;
    if read.context(unreadable)? == 0 || line.contains(INTERRUPT) {
        bail!("There was no passphrase, so nothing was done");
    }
    Ok(Zeroizing::new(line.trim_end_matches(['\r', '\n']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_passphrase_in_its_first_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("passphrase");
        for (content, expected) in [("a b \nrest", Some("a b ")), ("x", Some("x")), ("", None), ("\nx", None)]
        {
            std::fs::write(&path, content).unwrap();
            let read = Passphrase::new(Some(path.clone())).known();
            match (read, expected) {
                (Ok(Some(Secret::Passphrase(text))), Some(expected)) => assert_eq!(*text, expected),
                (Err(error), None) => assert!(error.to_string().contains("no passphrase"), "{error}"),
                (read, _) => panic!("{read:?}"),
            }
        }
        let missing = Passphrase::new(Some(dir.path().join("none"))).known();
        assert!(missing.unwrap_err().to_string().contains("cannot be read"));
    }
}
