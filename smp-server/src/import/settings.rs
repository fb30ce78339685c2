//! `smp-server.ini`: the settings in it that our configuration has, too.

use std::path::{Path, PathBuf};

use smp_protocol::address::Host;

use super::{
    ini::{Entry, Ini},
    report::ImportError,
};
use crate::config::{DomainSuffix, SocksProxy, parse_password, template};

/// How the old relay keeps messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MessageStore {
    Memory,
    Journal,
}

/// The old relay's configuration.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) messages: MessageStore,
    /// Text of our configuration file.
    pub(super) toml: String,
    /// Sentences about settings that are not carried over.
    pub(super) notes: Vec<String>,
}

/// Settings of the page, as they are called there and here.
const PAGE: [(&str, &str); 10] = [
    ("operator", "operator"),
    ("operator_country", "operator_country"),
    ("website", "website"),
    ("admin_email", "contact_email"),
    ("admin_simplex", "contact_simplex"),
    ("complaints_email", "complaints_email"),
    ("complaints_simplex", "complaints_simplex"),
    ("hosting", "hosting"),
    ("server_country", "hosting_country"),
    ("usage_conditions", "conditions"),
];

/// Settings that say where or how the old relay works, which our defaults or this import take care of, with the value at which
/// nothing is lost; `*` is any.
const WITHOUT_LOSS: [(&str, &str, &str); 27] = [
    ("STORE_LOG", "enable", "*"),
    ("STORE_LOG", "store_queues", "*"),
    ("STORE_LOG", "store_messages", "*"),
    ("STORE_LOG", "restore_messages", "*"),
    ("STORE_LOG", "expire_messages_on_start", "*"),
    ("STORE_LOG", "expire_messages_on_send", "*"),
    ("STORE_LOG", "expire_messages_days", "*"),
    ("STORE_LOG", "expire_ntfs_hours", "*"),
    ("STORE_LOG", "log_stats", "off"),
    ("STORE_LOG", "db_deleted_ttl", "*"),
    ("AUTH", "new_queues", "*"),
    ("AUTH", "create_password", "*"),
    ("TRANSPORT", "host", "*"),
    ("TRANSPORT", "port", "*"),
    ("TRANSPORT", "log_tls_errors", "off"),
    ("TRANSPORT", "websockets", "off"),
    ("PROXY", "client_concurrency", "*"),
    ("PROXY", "host_mode", "*"),
    ("PROXY", "required_host_mode", "*"),
    ("PROXY", "socks_proxy", "*"),
    ("PROXY", "socks_mode", "*"),
    ("PROXY", "own_server_domains", "*"),
    ("INACTIVE_CLIENTS", "disconnect", "*"),
    ("INACTIVE_CLIENTS", "ttl", "*"),
    ("INACTIVE_CLIENTS", "check_interval", "*"),
    ("INFORMATION", "hosting_type", "*"),
    // It is the source code of the program that was replaced.
    ("INFORMATION", "source_code", "*"),
];

/// Reads the old configuration and writes ours, with this database of PostgreSQL if there is one.
pub(super) fn read(path: &Path, text: &str, database: Option<&str>) -> Result<Settings, ImportError> {
    let ini = Ini::read(text).map_err(|line| setting(path, line, "this is no setting".to_owned()))?;
    let reader = Reader { path, ini: &ini };
    if reader.text("STORE_LOG", "store_queues").is_some_and(|kind| kind != "memory") {
        return Err(ImportError::Database(PathBuf::from(path)));
    }
    let messages = match reader.text("STORE_LOG", "store_messages") {
        None | Some("memory") => MessageStore::Memory,
        Some("journal") => MessageStore::Journal,
        Some(_) => return Err(ImportError::Database(PathBuf::from(path))),
    };
    let toml = reader.configuration(database)?;
    let notes = ini.entries().iter().filter(|entry| is_lost(entry)).map(note).collect();
    Ok(Settings { messages, toml, notes })
}

fn is_lost(entry: &Entry) -> bool {
    let is_page = entry.section == "INFORMATION" && PAGE.iter().any(|(name, _)| *name == entry.name);
    let is_known = WITHOUT_LOSS.iter().any(|(section, name, value)| {
        entry.section == *section && entry.name == *name && (*value == "*" || entry.value == *value)
    });
    let is_user_lost =
        (entry.section.as_str(), entry.name.as_str()) == ("PROXY", "socks_proxy") && has_user(&entry.value);
    !entry.value.is_empty() && !is_page && (!is_known || is_user_lost)
}

/// The value is not repeated: it may be a password.
pub(super) fn note(entry: &Entry) -> String {
    format!("line {}: [{}] {} was not carried over", entry.line, entry.section, entry.name)
}

pub(super) fn setting(path: &Path, line: u64, message: String) -> ImportError {
    ImportError::Setting { file: path.to_path_buf(), line, message }
}

pub(super) struct Reader<'a> {
    pub(super) path: &'a Path,
    pub(super) ini: &'a Ini,
}

impl Reader<'_> {
    pub(super) fn text(&self, section: &str, name: &str) -> Option<&str> {
        self.ini.get(section, name).map(|entry| entry.value.as_str())
    }

    /// The value of a setting, if it is there.
    pub(super) fn parsed<T>(
        &self,
        section: &str,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Result<Option<T>, ImportError> {
        let Some(entry) = self.ini.get(section, name) else { return Ok(None) };
        let value = parse(&entry.value);
        value.map(Some).map_err(|error| setting(self.path, entry.line, format!("{name}: {error}")))
    }

    pub(super) fn on(&self, section: &str, name: &str) -> Result<Option<bool>, ImportError> {
        self.parsed(section, name, |text| match text {
            "on" => Ok(true),
            "off" => Ok(false),
            _ => Err("neither \"on\" nor \"off\"".to_owned()),
        })
    }

    pub(super) fn number(&self, section: &str, name: &str) -> Result<Option<u32>, ImportError> {
        self.parsed(section, name, |text| text.parse().map_err(|_| "not a number".to_owned()))
    }

    fn configuration(&self, database: Option<&str>) -> Result<String, ImportError> {
        let hosts = self.parsed("TRANSPORT", "host", hosts)?;
        let hosts = hosts.ok_or_else(|| {
            setting(self.path, 1, "there is no `host` in [TRANSPORT]; add what clients use".to_owned())
        })?;
        let ports = self.parsed("TRANSPORT", "port", ports)?.unwrap_or_else(|| vec![5223]);
        let password = self
            .parsed("AUTH", "create_password", |text| parse_password(text).map(|_| text.to_owned()))?
            .map(zeroize::Zeroizing::new);
        let first = ports.first().copied().unwrap_or(5223);
        let mut toml =
            template(&hosts, first, password.as_ref().map(|password| password.as_str()), database, false);
        let listen = ports.iter().flat_map(|port| [format!("0.0.0.0:{port}"), format!("[::]:{port}")]);
        set(&mut toml, "server", "listen", listen.collect::<Vec<_>>().into());
        if let Some(new_queues) = self.on("AUTH", "new_queues")? {
            set(&mut toml, "queues", "new_queues", new_queues.into());
        }
        if let Some(days) = self.number("STORE_LOG", "expire_messages_days")? {
            set(&mut toml, "queues", "expire_messages", format!("{days}d").into());
        }
        if let Some(hours) = self.number("STORE_LOG", "expire_ntfs_hours")? {
            set(&mut toml, "queues", "expire_notifications", format!("{hours}h").into());
        }
        self.proxy(&mut toml)?;
        self.inactive_clients(&mut toml)?;
        for (theirs, ours) in PAGE {
            if let Some(value) = self.text("INFORMATION", theirs) {
                set(&mut toml, "page", ours, value.into());
            }
        }
        Ok(toml)
    }

    fn proxy(&self, toml: &mut String) -> Result<(), ImportError> {
        if let Some(count) = self.number("PROXY", "client_concurrency")? {
            set(toml, "proxy", "client_concurrency", i64::from(count).into());
        }
        let without_user = self.text("PROXY", "socks_proxy").is_some_and(|text| !has_user(text));
        let socks = if without_user { self.parsed("PROXY", "socks_proxy", socks)? } else { None };
        if let Some(socks) = &socks {
            set(toml, "proxy", "socks", socks.as_str().into());
        }
        // Without a proxy they mean nothing there, and are refused here.
        for mode in ["socks_mode", "host_mode"].into_iter().filter(|_| socks.is_some()) {
            if let Some(value) = self.parsed("PROXY", mode, |text| known_mode(mode, text))? {
                set(toml, "proxy", mode, value.into());
            }
        }
        if let Some(required) = self.on("PROXY", "required_host_mode")? {
            set(toml, "proxy", "required_host_mode", required.into());
        }
        if let Some(domains) = self.parsed("PROXY", "own_server_domains", own_domains)? {
            set(toml, "proxy", "own_domains", domains.into());
        }
        Ok(())
    }

    fn inactive_clients(&self, toml: &mut String) -> Result<(), ImportError> {
        if self.on("INACTIVE_CLIENTS", "disconnect")? != Some(true) {
            set(toml, "limits", "idle_timeout", "off".into());
            return Ok(());
        }
        if let Some(seconds) = self.number("INACTIVE_CLIENTS", "ttl")? {
            set(toml, "limits", "idle_timeout", format!("{seconds}s").into());
        }
        if let Some(seconds) = self.number("INACTIVE_CLIENTS", "check_interval")? {
            set(toml, "limits", "idle_check_interval", format!("{seconds}s").into());
        }
        Ok(())
    }
}

pub(super) fn hosts(text: &str) -> Result<Vec<Host>, String> {
    let host = |text: &str| {
        text.trim().parse().map_err(|_| format!("\"{text}\" is neither a host name nor an IP address"))
    };
    text.split(',').map(host).collect()
}

pub(super) fn ports(text: &str) -> Result<Vec<u16>, String> {
    let port = |text: &str| text.trim().parse().map_err(|_| format!("\"{text}\" is not a port"));
    text.split(',').map(port).collect()
}

/// Whether it has a user and a password, which ours cannot have.
fn has_user(socks: &str) -> bool {
    socks.rfind('@').is_some_and(|at| at > 0)
}

/// There host and port may be missing, and `@` says that there is no user.
fn socks(text: &str) -> Result<SocksProxy, String> {
    let text = text.strip_prefix('@').unwrap_or(text);
    let text =
        if text.is_empty() || text.starts_with(':') { format!("127.0.0.1{text}") } else { text.to_owned() };
    SocksProxy::parse(&text).or_else(|error| SocksProxy::parse(&format!("{text}:9050")).map_err(|_| error))
}

fn known_mode(name: &str, text: &str) -> Result<String, String> {
    match (name, text) {
        ("socks_mode", "onion" | "always") | ("host_mode", "public" | "onion") => Ok(text.to_owned()),
        _ => Err(format!("\"{text}\" is not known")),
    }
}

fn own_domains(text: &str) -> Result<Vec<String>, String> {
    text.split_whitespace().map(|text| DomainSuffix::parse(text).map(|_| text.to_owned())).collect()
}

/// Replaces the line of a setting, commented out or not, in a text made by [`template`].
pub(super) fn set(toml: &mut String, section: &str, name: &str, value: toml::Value) {
    let header = format!("[{section}]");
    let mut is_inside = false;
    let mut lines: Vec<String> = Vec::new();
    for line in toml.lines() {
        if line.starts_with('[') {
            is_inside = line == header;
        }
        let bare = line.strip_prefix("# ").unwrap_or(line);
        let is_it = is_inside && bare.split_once(" = ").is_some_and(|(key, _)| key == name);
        lines.push(if is_it { format!("{name} = {value}") } else { line.to_owned() });
    }
    *toml = lines.join("\n") + "\n";
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, HostMode, SocksMode};

    const FULL: &str = "[INFORMATION]\nsource_code = https://example.org\noperator = Someone \"Q\" & Co\noperator_country = SE\n\
        admin_email = admin@relay.example\nhosting_type = virtual\n\n[STORE_LOG]\nstore_queues = memory\n\
        store_messages = journal\nexpire_messages_days = 7\nexpire_ntfs_hours = 3\nlog_stats = on\n\n[AUTH]\nnew_queues = off\n\
        create_password = s3cret\n\n[TRANSPORT]\nhost = relay.example,abc.onion\nport = 5223,443\nwebsockets = off\n\n\
        [PROXY]\nclient_concurrency = 16\nsocks_proxy = localhost:9050\nsocks_mode = always\nhost_mode = onion\n\
        required_host_mode = on\nown_server_domains = a.example b.example\n\n[INACTIVE_CLIENTS]\ndisconnect = on\nttl = 7200\n\
        check_interval = 600\n";

    fn settings(text: &str) -> Result<(Settings, Config), ImportError> {
        let settings = read(Path::new("smp-server.ini"), text, None)?;
        let config: Config = toml::from_str(&settings.toml).unwrap();
        Ok((settings, config))
    }

    #[test]
    fn what_both_have_is_carried_over() {
        let (settings, config) = settings(FULL).unwrap();
        assert_eq!(settings.messages, MessageStore::Journal);
        assert_eq!(config.server.hosts.len(), 2);
        assert_eq!(config.server.listen.len(), 4);
        assert_eq!(config.server.listen[2].port(), 443);
        assert!(!config.queues.new_queues && config.queues.create_password.is_some());
        assert_eq!(config.queues.expire_messages, Some(Duration::from_secs(7 * 86_400)));
        assert_eq!(config.queues.expire_notifications, Duration::from_secs(3 * 3_600));
        assert_eq!(config.limits.idle_timeout, Some(Duration::from_secs(7_200)));
        assert_eq!(config.limits.idle_check_interval, Duration::from_secs(600));
        assert_eq!(config.proxy.client_concurrency, 16);
        assert_eq!(config.proxy.socks, SocksProxy::parse("localhost:9050").ok());
        assert_eq!((config.proxy.socks_mode, config.proxy.host_mode), (SocksMode::Always, HostMode::Onion));
        assert!(config.proxy.required_host_mode);
        assert_eq!(config.proxy.own_domains.len(), 2);
        assert_eq!(config.page.operator, "Someone \"Q\" & Co");
        assert_eq!(config.page.contact_email, "admin@relay.example");
        assert_eq!(config.page.listen, None);
        let notes = settings.notes.join("\n");
        assert!(notes.contains("log_stats"), "{notes}");
        assert_eq!(settings.notes.len(), 1, "{notes}");
        assert!(!notes.contains("s3cret"));
    }

    #[test]
    fn socks_proxies_are_carried_over_unless_they_have_users() {
        for (theirs, ours) in
            [("127.0.0.1", "127.0.0.1:9050"), (":9150", "127.0.0.1:9150"), ("@10.0.0.1:1", "10.0.0.1:1")]
        {
            let text = format!("[TRANSPORT]\nhost = a\n[PROXY]\nsocks_proxy = {theirs}\n");
            let (settings, config) = settings(&text).unwrap();
            assert_eq!(config.proxy.socks.unwrap().as_str(), ours);
            assert!(settings.notes.is_empty());
        }
        let text =
            "[TRANSPORT]\nhost = a\n[PROXY]\nsocks_proxy = user:secret@tor:9050\nsocks_mode = always\n";
        let (settings, config) = settings(text).unwrap();
        assert_eq!(config.proxy, crate::config::Proxy::default());
        assert_eq!(settings.notes, ["line 4: [PROXY] socks_proxy was not carried over"]);
    }

    #[test]
    fn every_setting_is_one_of_ours() {
        // Otherwise `set` would not find its line.
        let (settings, _) = settings(FULL).unwrap();
        for (_, name) in PAGE {
            assert!(settings.toml.contains(&format!("{name} = ")), "{name}");
        }
    }

    #[test]
    fn what_is_missing_gets_the_old_defaults() {
        let (settings, config) = settings("[TRANSPORT]\nhost = relay.example\nport = 5223\n").unwrap();
        assert_eq!(settings.messages, MessageStore::Memory);
        assert_eq!(config.queues, Config::default().queues);
        assert_eq!(config.limits.idle_timeout, None);
    }

    #[test]
    fn what_cannot_be_used_is_named() {
        for (text, line) in [
            ("[TRANSPORT]\nhost = a b\n", 2),
            ("[TRANSPORT]\nhost = a\nport = smp\n", 3),
            ("[TRANSPORT]\nhost = a\n[AUTH]\nnew_queues = maybe\n", 4),
            ("[TRANSPORT]\nhost = a\n[AUTH]\ncreate_password = a b\n", 4),
            ("[TRANSPORT]\nport = 5223\n", 1),
            ("[TRANSPORT]\nhost = a\n[PROXY]\nsocks_proxy = a b\n", 4),
            ("[TRANSPORT]\nhost = a\n[PROXY]\nsocks_proxy = :9050\nsocks_mode = never\n", 5),
            ("[TRANSPORT]\nhost = a\n[PROXY]\nown_server_domains = *.example\n", 4),
        ] {
            match settings(text) {
                Err(ImportError::Setting { line: found, .. }) => assert_eq!(found, line, "{text}"),
                other => panic!("{text}: {other:?}"),
            }
        }
        let database = "[TRANSPORT]\nhost = a\n[STORE_LOG]\nstore_queues = database\n";
        assert!(matches!(settings(database), Err(ImportError::Database(_))));
    }

    proptest! {
        #[test]
        fn any_value_gives_a_readable_file(value in "\\PC{1,40}") {
            let text = format!("[INFORMATION]\noperator = {value}\n[TRANSPORT]\nhost = a\n");
            let (_, config) = settings(&text).unwrap();
            prop_assert_eq!(config.page.operator, value.trim());
        }
    }
}
