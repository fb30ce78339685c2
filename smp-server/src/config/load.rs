//! Defaults, file, environment and flags put together.

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use super::{
    Config, ConfigError, environment,
    template::{IS_FRAMED, LAST_LINE},
};

/// Name of the configuration file in the relay's directory.
pub const CONFIG_FILE: &str = "smp-server.toml";

/// Settings that flags of the command line replace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `--listen`, if given at all.
    pub listen: Vec<SocketAddr>,
    /// `--accept-loss`
    pub accept_loss: bool,
}

/// Where a relay lives if nobody says otherwise: `/var/lib/smp-server` for root, else `smp-server` in
/// `$XDG_DATA_HOME` (usually `~/.local/share`), else `./smp-server`.
#[must_use]
pub fn default_dir(is_root: bool, xdg_data_home: Option<&Path>, home: Option<&Path>) -> PathBuf {
    if is_root {
        return PathBuf::from("/var/lib/smp-server");
    }
    let data = xdg_data_home
        .filter(|path| path.is_absolute())
        .map(Path::to_path_buf)
        .or_else(|| home.map(|home| home.join(".local/share")));
    data.unwrap_or_default().join("smp-server")
}

/// Reads the file at `path`, then the environment, then `overrides`. Relative paths start at the directory of the file.
///
/// # Errors
///
/// [`ConfigError`], a sentence that names file and line, variable or setting.
pub fn load(path: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    read(path, path.parent().unwrap_or(Path::new("")), overrides)
}

/// As [`load`], for a file that is going to be moved to the directory `dir`: relative paths start there.
///
/// # Errors
///
/// [`ConfigError`]
pub fn load_into(path: &Path, dir: &Path) -> Result<Config, ConfigError> {
    read(path, dir, &Overrides::default())
}

fn read(path: &Path, dir: &Path, overrides: &Overrides) -> Result<Config, ConfigError> {
    let text = fs::read_to_string(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => ConfigError::Missing(path.to_path_buf()),
        _ => ConfigError::Read(path.to_path_buf(), error),
    })?;
    // Alone first, because only this error knows the line.
    toml::from_str::<Config>(&text).map_err(|error| file_error(path, &text, &error))?;
    if text.contains(IS_FRAMED) && !text.lines().any(|line| line.trim() == LAST_LINE) {
        return Err(ConfigError::CutOff(path.to_path_buf()));
    }
    let file: toml::Table = toml::from_str(&text).map_err(|error| file_error(path, &text, &error))?;
    let variables = environment::variables(std::env::vars_os())?;
    let has_hosts = file.get("server").is_some_and(|server| server.get("hosts").is_some());
    if !has_hosts && !variables.iter().any(|variable| variable.is("server", "hosts")) {
        return Err(ConfigError::WithoutHosts(path.to_path_buf()));
    }
    let mut config = environment::overlay(file, variables)?;
    if !overrides.listen.is_empty() {
        config.server.listen.clone_from(&overrides.listen);
    }
    config.store.accept_loss = overrides.accept_loss;
    config.resolve_paths(dir);
    config.validate()?;
    Ok(config)
}

fn file_error(path: &Path, text: &str, error: &toml::de::Error) -> ConfigError {
    let before = error.span().map_or(0, |span| span.start.min(text.len()));
    let line = text.as_bytes()[..before].iter().filter(|b| **b == b'\n').count() + 1;
    ConfigError::File { path: path.display().to_string(), line, message: error.message().replace('\n', " ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Durability, parse_password, template};

    fn load_text(text: &str) -> Result<Config, ConfigError> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CONFIG_FILE);
        fs::write(&path, text).unwrap();
        load(&path, &Overrides::default())
    }

    #[test]
    fn a_file_with_hosts_alone_is_the_defaults() {
        let config = load_text("[server]\nhosts = [\"relay.example\"]\n").unwrap();
        assert_eq!(config.queues, Config::default().queues);
    }

    /// Cut anywhere, a file that `init` wrote is never taken for one with other settings.
    #[test]
    fn an_empty_or_cut_file_is_refused() {
        let text = template(&["relay.example".parse().unwrap()], 5223, Some("secret"), None, false);
        let with_end_cut = text.trim_end().len() - LAST_LINE.len();
        for length in [0, 1, 80, 200, text.len() / 2, with_end_cut - 1, with_end_cut, text.len() - 2] {
            let error = load_text(&text[..length]).unwrap_err();
            let is_named = matches!(
                error,
                ConfigError::CutOff(_) | ConfigError::WithoutHosts(_) | ConfigError::File { .. }
            );
            assert!(is_named, "{length}: {error}");
        }
        for blank in ["\n", "# nothing\n", "\n\n[server]\n"] {
            assert!(matches!(load_text(blank), Err(ConfigError::WithoutHosts(_))), "{blank}");
        }
        assert!(load_text(&text).unwrap().queues.create_password.is_some());
        // Files of earlier versions, and those that people write, have no such line.
        let unframed: Vec<_> =
            text.lines().filter(|line| !line.contains(IS_FRAMED) && *line != LAST_LINE).collect();
        assert!(load_text(&unframed.join("\n")).is_ok());
    }

    #[test]
    fn the_template_is_the_defaults_with_the_given_values() {
        let text = template(&["relay.example".parse().unwrap()], 5223, Some("secret"), None, false);
        let mut read: Config = toml::from_str(&text).unwrap();
        assert_eq!(read.server.hosts, ["relay.example".parse().unwrap()]);
        assert_eq!(read.queues.create_password.take(), parse_password("secret").ok());
        read.server = Config::default().server;
        assert_eq!(read, Config::default());
    }

    #[test]
    fn errors_name_the_line() {
        for (text, line) in [
            ("[store]\n\ndurability = \"maybe\"\n", 3),
            ("[store]\ndurabilty = \"os\"\n", 2),
            ("[store]\nkind = \n", 2),
            ("[limits]\nhandshake_timeout = \"soon\"\n", 2),
        ] {
            match load_text(text) {
                Err(ConfigError::File { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
    }

    #[test]
    fn a_missing_file_says_init() {
        let error = load(Path::new("/nonexistent/smp-server.toml"), &Overrides::default()).unwrap_err();
        assert!(error.to_string().contains("smp-server init"));
    }

    #[test]
    fn flags_win_over_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(CONFIG_FILE);
        fs::write(
            &path,
            "[server]\nhosts = [\"a.example\"]\nlisten = [\"127.0.0.1:1\"]\n[store]\ndurability = \"os\"\n",
        )
        .unwrap();
        let overrides = Overrides { listen: vec!["127.0.0.1:2".parse().unwrap()], ..Overrides::default() };
        let config = load(&path, &overrides).unwrap();
        assert_eq!(config.server.listen, overrides.listen);
        assert_eq!(config.store.durability, Durability::Os);
        assert_eq!(config.store.path, dir.path().join("data"));
    }

    #[test]
    fn the_default_directory_depends_on_who_asks() {
        let home = Some(Path::new("/home/op"));
        assert_eq!(default_dir(true, None, home), Path::new("/var/lib/smp-server"));
        assert_eq!(default_dir(false, None, home), Path::new("/home/op/.local/share/smp-server"));
        assert_eq!(default_dir(false, Some(Path::new("/data")), home), Path::new("/data/smp-server"));
        assert_eq!(default_dir(false, None, None), Path::new("smp-server"));
    }
}
