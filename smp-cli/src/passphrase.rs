//! `Passphrase`: where the passphrase of an encrypted identity comes from: a file, the environment, or whoever sits at the terminal.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use nix::sys::termios::{LocalFlags, SetArg, tcgetattr, tcsetattr};
use smp_agent::Secret;
use zeroize::Zeroizing;

/// The variable that may have the passphrase.
const VARIABLE: &str = "SMP_PASSPHRASE";
/// The most bytes of a file with a passphrase.
const MAX_FILE: u64 = 4096;
/// Ctrl-C, while it is a character as any other.
const INTERRUPT: char = '\u{3}';

/// A passphrase that is asked for once, when it is needed.
#[derive(Clone, Debug)]
pub(crate) struct Passphrase {
    file: Option<PathBuf>,
    asked: Option<Secret>,
}

impl Passphrase {
    /// That of this file, if one is named.
    pub(crate) fn new(file: Option<PathBuf>) -> Self {
        Self { file, asked: None }
    }

    /// The one that is known without asking anybody.
    pub(crate) fn known(&self) -> anyhow::Result<Option<Secret>> {
        if let Some(asked) = &self.asked {
            return Ok(Some(asked.clone()));
        }
        if let Some(file) = &self.file {
            return read_file(file).map(Some);
        }
        match std::env::var(VARIABLE) {
            Ok(text) if !text.is_empty() => Ok(Some(Secret::passphrase(text))),
            Err(std::env::VarError::NotUnicode(_)) => bail!("{VARIABLE} is not valid UTF-8"),
            _ => Ok(None),
        }
    }

    /// Asks at the terminal, and keeps the answer.
    pub(crate) fn ask(&mut self, question: &str) -> anyhow::Result<Secret> {
        let secret = Secret::Passphrase(ask(question)?);
        self.asked = Some(secret.clone());
        Ok(secret)
    }

    /// The known one, or asks for a new one, twice.
    pub(crate) fn choose(&self) -> anyhow::Result<Secret> {
        if let Some(known) = self.known()? {
            return Ok(known);
        }
        Self::ask_new()
    }

    /// Asks for a new one, twice.
    pub(crate) fn ask_new() -> anyhow::Result<Secret> {
        let chosen = ask("New passphrase: ")?;
        if chosen.is_empty() {
            bail!("Nothing was changed: a passphrase is not empty. Without one: smp passphrase remove");
        }
        if *ask("Once more: ")? != *chosen {
            bail!("Nothing was changed: the two are different; try again");
        }
        Ok(Secret::Passphrase(chosen))
    }
}

/// The first line of a file.
fn read_file(path: &Path) -> anyhow::Result<Secret> {
    let unreadable = || format!("The passphrase cannot be read from {}", path.display());
    let mut text = Zeroizing::new(String::new());
    let file = std::fs::File::open(path).with_context(unreadable)?;
    file.take(MAX_FILE).read_to_string(&mut text).with_context(unreadable)?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(Secret::passphrase(line)),
        _ => bail!("There is no passphrase in the first line of {}", path.display()),
    }
}

/// A line of the terminal that does not appear on it.
fn ask(question: &str) -> anyhow::Result<Zeroizing<String>> {
    let stdin = io::stdin();
    if !stdin.is_terminal() || !io::stderr().is_terminal() {
        bail!(
            "The data is encrypted, and there is no terminal to ask for the passphrase; give it in the file of --passphrase-file, or in {VARIABLE}"
        );
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
