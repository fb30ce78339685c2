//! `file-server.ini`: the settings in it that our configuration has, too.

use std::path::{Path, PathBuf};

use smp_protocol::xftp::description::parse_size;

use super::super::{
    ini::{Entry, Ini},
    report::ImportError,
    settings::{Reader, hosts, note, ports, set, setting},
};
use crate::config::{parse_password, template};

/// The old file relay's configuration.
#[derive(Debug)]
pub(super) struct Settings {
    /// Text of our configuration file.
    pub(super) toml: String,
    /// The directory of the old relay's chunks.
    pub(super) chunks: PathBuf,
    /// Sentences about settings that are not carried over.
    pub(super) notes: Vec<String>,
}

/// Settings that are carried over, or that our defaults or this import take care of, with the value at which nothing is lost; `*` is
/// any.
const WITHOUT_LOSS: [(&str, &str, &str); 14] = [
    ("STORE_LOG", "enable", "on"),
    ("STORE_LOG", "store_files", "*"),
    ("STORE_LOG", "expire_files_hours", "*"),
    ("STORE_LOG", "log_stats", "off"),
    ("AUTH", "new_files", "*"),
    ("AUTH", "create_password", "*"),
    ("TRANSPORT", "host", "*"),
    ("TRANSPORT", "port", "*"),
    ("TRANSPORT", "log_tls_errors", "off"),
    ("FILES", "path", "*"),
    ("FILES", "storage_quota", "*"),
    ("INACTIVE_CLIENTS", "disconnect", "*"),
    ("INACTIVE_CLIENTS", "ttl", "*"),
    ("INACTIVE_CLIENTS", "check_interval", "*"),
];

/// Reads the old configuration and writes ours.
pub(super) fn read(path: &Path, text: &str) -> Result<Settings, ImportError> {
    let ini = Ini::read(text).map_err(|line| setting(path, line, "this is no setting".to_owned()))?;
    let reader = Reader { path, ini: &ini };
    if reader.text("STORE_LOG", "store_files").is_some_and(|kind| kind != "memory") {
        return Err(ImportError::FileDatabase(path.to_path_buf()));
    }
    let chunks = reader.text("FILES", "path").map(PathBuf::from);
    let chunks = chunks.ok_or_else(|| setting(path, 1, "there is no `path` in [FILES]".to_owned()))?;
    let toml = configuration(&reader)?;
    let notes = ini.entries().iter().filter(|entry| is_lost(entry)).map(note).collect();
    Ok(Settings { toml, chunks, notes })
}

fn is_lost(entry: &Entry) -> bool {
    let is_known = WITHOUT_LOSS.iter().any(|(section, name, value)| {
        entry.section == *section && entry.name == *name && (*value == "*" || entry.value == *value)
    });
    !entry.value.is_empty() && !is_known
}

fn configuration(reader: &Reader<'_>) -> Result<String, ImportError> {
    let hosts = reader.parsed("TRANSPORT", "host", hosts)?;
    let hosts = hosts.ok_or_else(|| {
        setting(reader.path, 1, "there is no `host` in [TRANSPORT]; add what clients use".to_owned())
    })?;
    let ports = reader.parsed("TRANSPORT", "port", ports)?.unwrap_or_else(|| vec![443]);
    let first = ports.first().copied().unwrap_or(443);
    let mut toml = template(&hosts, first, None, None, true);
    let listen = ports.iter().flat_map(|port| [format!("0.0.0.0:{port}"), format!("[::]:{port}")]);
    set(&mut toml, "server", "listen", listen.collect::<Vec<_>>().into());
    // It was no relay of messages.
    set(&mut toml, "queues", "new_queues", false.into());
    let password = |text: &str| parse_password(text).map(|_| zeroize::Zeroizing::new(text.to_owned()));
    if let Some(password) = reader.parsed("AUTH", "create_password", password)? {
        set(&mut toml, "files", "create_password", password.as_str().into());
    }
    if let Some(new_files) = reader.on("AUTH", "new_files")? {
        set(&mut toml, "files", "new_files", new_files.into());
    }
    if let Some(hours) = reader.number("STORE_LOG", "expire_files_hours")? {
        set(&mut toml, "files", "expire", format!("{hours}h").into());
    }
    if let Some(mib) = reader.parsed("FILES", "storage_quota", mebibytes)? {
        set(&mut toml, "files", "quota_mib", mib.into());
    }
    Ok(toml)
}

/// A size as descriptions of files have it, in MiB; one at least.
fn mebibytes(text: &str) -> Result<i64, String> {
    let bytes = parse_size(text).map_err(|_| format!("\"{text}\" is no size such as 10gb"))?;
    Ok(i64::try_from(bytes >> 20).unwrap_or(i64::MAX).max(1))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::Config;

    const FULL: &str = "[STORE_LOG]\nenable = on\nstore_files = memory\nexpire_files_hours = 24\nlog_stats = on\n[AUTH]\nnew_files = off\n\
        create_password = s3cret\n[TRANSPORT]\nhost = files.example\nport = 443\n[FILES]\npath = /srv/xftp-files\n\
        storage_quota = 100gb\n[WEB]\nstatic_path = /var/www\n";

    #[test]
    fn settings_are_carried_over() {
        let settings = read(Path::new("file-server.ini"), FULL).unwrap();
        assert_eq!(settings.chunks, Path::new("/srv/xftp-files"));
        let notes = settings.notes.join("\n");
        assert!(
            settings.notes.len() == 2 && notes.contains("log_stats") && notes.contains("static_path"),
            "{notes}"
        );
        assert!(!notes.contains("s3cret"));
        let config: Config = toml::from_str(&settings.toml).unwrap();
        assert!(config.files.enabled && !config.files.new_files && !config.queues.new_queues);
        assert!(config.files.create_password.is_some() && config.queues.create_password.is_none());
        assert_eq!((config.files.quota_mib, config.files.expire), (102_400, Duration::from_secs(24 * 3_600)));
        assert_eq!(config.server.listen.len(), 2);
        assert_eq!(config.files_address([1; 32], None, 443).unwrap().port_or_default(), 443);
    }

    #[test]
    fn a_configuration_that_cannot_be_used_is_named() {
        for (text, line) in [
            ("[TRANSPORT]\nhost = a\n", 1),
            ("[FILES]\npath = /x\n", 1),
            ("[TRANSPORT]\nhost = a\n[FILES]\npath = /x\nstorage_quota = much\n", 5),
        ] {
            match read(Path::new("x"), text) {
                Err(ImportError::Setting { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let database = "[STORE_LOG]\nstore_files = database\n";
        assert!(matches!(read(Path::new("x"), database), Err(ImportError::FileDatabase(_))));
    }
}
