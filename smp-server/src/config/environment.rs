//! Settings from environment variables: `SMP_SERVER_<SECTION>__<SETTING>`.
//!
//! Invariant: a value is read as the type of its setting says, never as it looks: a password of digits stays a text, and one
//! host is a list of one. Variables without `__` are no settings: Kubernetes, for instance, sets `SMP_SERVER_PORT` and more for
//! a service of that name.

use std::{collections::BTreeMap, ffi::OsString};

use serde::{
    Deserializer,
    de::{
        self, DeserializeSeed, Error as _, IntoDeserializer, MapAccess, Visitor,
        value::{Error, SeqDeserializer, StringDeserializer},
    },
    forward_to_deserialize_any,
};

use super::{Config, ConfigError};

/// The beginning of names of variables.
const PREFIX: &str = "SMP_SERVER_";

/// Between section and setting.
const SEPARATOR: &str = "__";

/// A variable that is a setting.
#[derive(Clone)]
pub(super) struct Variable {
    name: String,
    section: String,
    setting: String,
    value: String,
}

impl Variable {
    /// Whether it is this setting.
    pub(super) fn is(&self, section: &str, setting: &str) -> bool {
        self.section == section && self.setting == setting
    }
}

/// The settings among these variables.
pub(super) fn variables(
    all: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<Variable>, ConfigError> {
    let settings = all.filter_map(|(name, value)| {
        let name = name.into_string().ok()?;
        let upper = name.to_ascii_uppercase();
        let (section, setting) = upper.strip_prefix(PREFIX)?.split_once(SEPARATOR)?;
        let (section, setting) = (section.to_ascii_lowercase(), setting.to_ascii_lowercase());
        Some(match value.into_string() {
            Ok(value) => Ok(Variable { name, section, setting, value }),
            Err(_) => Err(ConfigError::Environment(format!("{name} is not UTF-8"))),
        })
    });
    settings.collect()
}

/// The settings of the file and of the variables, which win.
pub(super) fn overlay(file: toml::Table, variables: Vec<Variable>) -> Result<Config, ConfigError> {
    let mut sections: BTreeMap<String, Node> = BTreeMap::new();
    for (name, value) in file {
        let node = match value {
            toml::Value::Table(table) => {
                Node::Table(table.into_iter().map(|(name, value)| (name, Node::File(value))).collect())
            }
            value => Node::File(value),
        };
        sections.insert(name, node);
    }
    for variable in variables {
        let section =
            sections.entry(variable.section.clone()).or_insert_with(|| Node::Table(BTreeMap::new()));
        if let Node::Table(section) = section {
            section.insert(variable.setting.clone(), Node::Variable(variable));
        }
    }
    de::Deserialize::deserialize(Node::Table(sections))
        .map_err(|error: Error| ConfigError::Environment(error.to_string()))
}

/// A value, wherever it comes from.
enum Node {
    File(toml::Value),
    Variable(Variable),
    Table(BTreeMap<String, Node>),
}

impl Variable {
    fn refuse(&self, wanted: &str) -> Error {
        Error::custom(format!("it must be {wanted}"))
    }

    fn number<T: std::str::FromStr>(&self) -> Result<T, Error> {
        self.value.trim().parse().map_err(|_| self.refuse("a number that fits"))
    }

    /// As it stands there without spaces around it, or as a text of the file in quotes.
    fn text(self) -> Result<String, Error> {
        let text = self.value.trim();
        if text.len() < 2 || !text.starts_with('"') || !text.ends_with('"') {
            return Ok(text.to_owned());
        }
        match toml_value(text) {
            Some(toml::Value::String(text)) => Ok(text),
            _ => Err(self.refuse("a text; the quotes do not fit")),
        }
    }

    /// A list as in the file, or words with commas between them.
    fn list(self) -> Result<Vec<Node>, Error> {
        let text = self.value.trim();
        if text.starts_with('[') && (text.ends_with(']')) && !is_host_in_brackets(text) {
            return match toml_value(text) {
                Some(toml::Value::Array(values)) => Ok(values.into_iter().map(Node::File).collect()),
                _ => Err(self.refuse("a list such as [\"a\", \"b\"], or a,b")),
            };
        }
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        Ok(words.map(|word| Node::Variable(Variable { value: word.to_owned(), ..self.clone() })).collect())
    }
}

/// An IPv6 address as addresses of relays have it, `[::1]`, is no list.
fn is_host_in_brackets(text: &str) -> bool {
    text.trim_matches(['[', ']']).parse::<std::net::Ipv6Addr>().is_ok()
}

fn toml_value(text: &str) -> Option<toml::Value> {
    toml::from_str::<toml::Table>(&format!("value = {text}")).ok()?.remove("value")
}

/// The entries of a table.
struct Entries {
    rest: std::collections::btree_map::IntoIter<String, Node>,
    next: Option<Node>,
}

impl<'de> MapAccess<'de> for Entries {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((name, node)) = self.rest.next() else { return Ok(None) };
        let variable = match &node {
            Node::Variable(variable) => Some(variable.name.clone()),
            Node::File(_) | Node::Table(_) => None,
        };
        self.next = Some(node);
        let key: StringDeserializer<Error> = name.into_deserializer();
        seed.deserialize(key).map(Some).map_err(|error| named(variable, &error))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let node = self.next.take().ok_or_else(|| Error::custom("a value without a name"))?;
        let variable = match &node {
            Node::Variable(variable) => Some(variable.name.clone()),
            Node::File(_) | Node::Table(_) => None,
        };
        seed.deserialize(node).map_err(|error| named(variable, &error))
    }
}

/// The error with the name of the variable that it is about.
fn named(variable: Option<String>, error: &Error) -> Error {
    match variable {
        Some(name) => Error::custom(format!("{name}: {error}")),
        None => Error::custom(error),
    }
}

fn of_file(error: &toml::de::Error) -> Error {
    Error::custom(error.message())
}

macro_rules! numbers {
    ($($method:ident $visit:ident,)+) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match self {
                Node::Variable(variable) => visitor.$visit(variable.number()?),
                node => node.deserialize_any(visitor),
            }
        }
    )+};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    /// A variable is a text unless somebody asks for something else.
    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::File(value) => value.deserialize_any(visitor).map_err(|error| of_file(&error)),
            Node::Variable(variable) => visitor.visit_string(variable.text()?),
            Node::Table(table) => visitor.visit_map(Entries { rest: table.into_iter(), next: None }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Variable(variable) => match variable.value.trim().to_ascii_lowercase().as_str() {
                "true" => visitor.visit_bool(true),
                "false" => visitor.visit_bool(false),
                _ => Err(variable.refuse("true or false")),
            },
            node => node.deserialize_any(visitor),
        }
    }

    numbers! {
        deserialize_i8 visit_i8, deserialize_i16 visit_i16, deserialize_i32 visit_i32, deserialize_i64 visit_i64,
        deserialize_u8 visit_u8, deserialize_u16 visit_u16, deserialize_u32 visit_u32, deserialize_u64 visit_u64,
        deserialize_f32 visit_f32, deserialize_f64 visit_f64,
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self {
            Node::Variable(variable) => {
                visitor.visit_seq(SeqDeserializer::<_, Error>::new(variable.list()?.into_iter()))
            }
            node => node.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Node::File(value) => {
                value.deserialize_enum(name, variants, visitor).map_err(|error| of_file(&error))
            }
            Node::Variable(variable) => {
                let text = variable.text()?.trim().to_ascii_lowercase();
                let text: StringDeserializer<Error> = text.into_deserializer();
                visitor.visit_enum(text)
            }
            node @ Node::Table(_) => node.deserialize_any(visitor),
        }
    }

    forward_to_deserialize_any! {
        char str string bytes byte_buf unit unit_struct tuple tuple_struct map struct identifier ignored_any
    }
}

impl IntoDeserializer<'_, Error> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::config::{Durability, LogLevel, SocksMode, parse_password};

    fn read(file: &str, environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let all = environment.iter().map(|(name, value)| ((*name).into(), (*value).into()));
        overlay(toml::from_str(file).unwrap(), variables(all)?)
    }

    #[test]
    fn values_are_read_by_the_type_of_their_setting() {
        for password in ["123456", "0123456", "true", "1e5", "[abc", "{abc}", "a#b", "1.0", "off"] {
            let config = read("", &[("SMP_SERVER_QUEUES__CREATE_PASSWORD", password)]).unwrap();
            assert_eq!(config.queues.create_password, parse_password(password).ok(), "{password}");
        }
        let quoted = read("", &[("SMP_SERVER_QUEUES__CREATE_PASSWORD", "\"123456\"")]).unwrap();
        assert_eq!(quoted.queues.create_password, parse_password("123456").ok());
        let config = read(
            "[server]\nhosts = [\"a.example\"]\nport = 7\n[log]\nlevel = \"warn\"\n",
            &[
                ("SMP_SERVER_QUEUES__QUOTA", " 7 "),
                ("SMP_SERVER_QUEUES__NEW_QUEUES", "FALSE"),
                ("SMP_SERVER_QUEUES__EXPIRE_MESSAGES", "off"),
                ("SMP_SERVER_STORE__DURABILITY", "OS"),
                ("SMP_SERVER_LOG__LEVEL", "INFO"),
                ("SMP_SERVER_PROXY__SOCKS_MODE", "always"),
                ("SMP_SERVER_PROXY__TIMEOUT", "3s"),
                ("SMP_SERVER_PAGE__OPERATOR", "2600"),
                ("SMP_SERVER_STORE__PATH", "7"),
                ("smp_server_server__hosts", "b.example"),
            ],
        )
        .unwrap();
        assert_eq!((config.queues.quota, config.queues.new_queues), (7, false));
        assert_eq!((config.queues.expire_messages, config.proxy.timeout), (None, Duration::from_secs(3)));
        assert_eq!((config.store.durability, config.log.level), (Durability::Os, LogLevel::Info));
        assert_eq!(config.proxy.socks_mode, SocksMode::Always);
        assert_eq!(config.page.operator, "2600");
        assert_eq!(config.store.path, std::path::Path::new("7"));
        assert_eq!((config.server.hosts, config.server.port), (vec!["b.example".parse().unwrap()], 7));
    }

    #[test]
    fn lists_are_words_or_lists_of_the_file() {
        let hosts = |text: &str| {
            read("", &[("SMP_SERVER_SERVER__HOSTS", text)]).map(|config| config.server.hosts).unwrap()
        };
        let [a, b] = ["a.example", "2001:db8::7"].map(|host| host.parse().unwrap());
        assert_eq!(hosts("a.example"), [a]);
        let both = [hosts("a.example"), vec![b]].concat();
        for text in
            ["a.example,2001:db8::7", " a.example , 2001:db8::7 ,", "[\"a.example\", \"2001:db8::7\"]"]
        {
            assert_eq!(hosts(text), both, "{text}");
        }
        let config = read("", &[("SMP_SERVER_SERVER__LISTEN", "0.0.0.0:7, [::]:7")]).unwrap();
        assert_eq!(config.server.listen, ["0.0.0.0:7".parse().unwrap(), "[::]:7".parse().unwrap()]);
    }

    #[test]
    fn what_others_set_is_no_setting() {
        let config = read(
            "",
            &[
                ("SMP_SERVER_PORT", "tcp://10.96.13.7:5223"),
                ("SMP_SERVER_SERVICE_HOST", "10.96.13.7"),
                ("SMP_SERVER_PORT_5223_TCP_ADDR", "10.96.13.7"),
                ("SMP_SERVER_VERSION", "1"),
                ("SMP_SERVER_DIR", "/data"),
                ("PATH", "/bin"),
            ],
        );
        assert_eq!(config.unwrap(), Config::default());
    }

    #[test]
    fn errors_name_the_variable() {
        for (name, value, wanted) in [
            ("SMP_SERVER_QUEUES__QUOTA", "many", "number"),
            ("SMP_SERVER_QUEUES__QUOTA", "-1", "number"),
            ("SMP_SERVER_QUEUES__QOUTA", "1", "unknown field"),
            ("SMP_SERVER_QUEUE__QUOTA", "1", "unknown field"),
            ("SMP_SERVER_QUEUES__NEW_QUEUES", "yes", "true or false"),
            ("SMP_SERVER_QUEUES__EXPIRE_MESSAGES", "3 weeks", "not a duration"),
            ("SMP_SERVER_QUEUES__CREATE_PASSWORD", "", "1 to 255"),
            ("SMP_SERVER_QUEUES__CREATE_PASSWORD", "a secret", "1 to 255"),
            ("SMP_SERVER_SERVER__LISTEN", "localhost:5223", "socket address"),
            ("SMP_SERVER_SERVER__HOSTS", "[\"a.example\"", "neither a host name"),
            ("SMP_SERVER_STORE__DURABILITY", "always", "unknown variant"),
        ] {
            let error = read("", &[(name, value)]).unwrap_err().to_string();
            let is_named = error.contains(name) || error.contains("SMP_SERVER_");
            assert!(is_named && error.contains(wanted), "{name}={value}: {error}");
        }
    }
}
