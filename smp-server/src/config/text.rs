//! Values as people write them. Durations: `"250ms"`, `"30s"`, `"5m"`, `"6h"`, `"21d"`, or `"off"` for none.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use serde::{Deserialize, Deserializer, de};
use smp_protocol::address::{Host, Password};

use super::database::DatabaseUrl;

/// The units of a duration with their length in milliseconds.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// A hundred years: clocks end somewhere.
const LONGEST: Duration = Duration::from_secs(36_500 * 86_400);

/// Reads `"6h"` and the like.
///
/// # Errors
///
/// A sentence with examples of what is accepted.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let refuse =
        || format!("\"{text}\" is not a duration; write for example \"30s\", \"5m\", \"6h\" or \"21d\"");
    let digits = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(refuse)?;
    let (number, unit) = text.split_at(digits);
    let number: u64 = number.parse().map_err(|_| refuse())?;
    let (_, length) = UNITS.iter().find(|(name, _)| *name == unit.trim()).ok_or_else(refuse)?;
    let duration = number.checked_mul(*length).map(Duration::from_millis);
    duration.filter(|duration| *duration <= LONGEST).ok_or_else(refuse)
}

/// For `#[serde(deserialize_with)]` of a [`Duration`].
pub(super) fn duration<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
    parse_duration(&String::deserialize(from)?).map_err(de::Error::custom)
}

/// For `#[serde(deserialize_with)]` of an optional [`Duration`]; `"off"` is `None`.
pub(super) fn optional_duration<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Duration>, D::Error> {
    match String::deserialize(from)?.as_str() {
        "off" => Ok(None),
        text => parse_duration(text).map(Some).map_err(de::Error::custom),
    }
}

/// For `#[serde(deserialize_with)]` of an optional IP address with port; `"off"` is `None`.
pub(super) fn optional_address<'de, D: Deserializer<'de>>(from: D) -> Result<Option<SocketAddr>, D::Error> {
    match String::deserialize(from)?.as_str() {
        "off" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            de::Error::custom(format!(
                "\"{text}\" is not an IP address with a port, such as \"127.0.0.1:9224\""
            ))
        }),
    }
}

/// For `#[serde(deserialize_with)]` of an optional host with port; `"off"` is `None`.
pub(super) fn optional_host_and_port<'de, D: Deserializer<'de>>(from: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(from)?;
    if text == "off" {
        return Ok(None);
    }
    match text.rsplit_once(':') {
        Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
            Ok(Some(text))
        }
        _ => Err(de::Error::custom(format!(
            "\"{text}\" is not a host with a port, such as \"relay-1.internal:5224\""
        ))),
    }
}

/// For `#[serde(deserialize_with)]` of an optional path; `"off"` is `None`.
pub(super) fn optional_path<'de, D: Deserializer<'de>>(from: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(from)?;
    Ok((text != "off").then(|| PathBuf::from(text)))
}

/// For `#[serde(deserialize_with)]` of host names and IP addresses.
pub(super) fn hosts<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Host>, D::Error> {
    let host = |text: &String| {
        text.parse()
            .map_err(|_| de::Error::custom(format!("\"{text}\" is neither a host name nor an IP address")))
    };
    Vec::<String>::deserialize(from)?.iter().map(host).collect()
}

/// For `#[serde(deserialize_with)]` of a password that can stand in an address.
pub(super) fn password<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Password>, D::Error> {
    // The usual message would show what was given.
    let text = String::deserialize(from).map_err(|_| de::Error::custom("a password is text in quotes"))?;
    parse_password(&text).map(Some).map_err(de::Error::custom)
}

/// For `#[serde(deserialize_with)]` of the address of a database, or `"off"`.
pub(super) fn database_url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<DatabaseUrl>, D::Error> {
    // The usual message would show what was given.
    let text =
        String::deserialize(from).map_err(|_| de::Error::custom("the address of a database is text"))?;
    if text == "off" {
        return Ok(None);
    }
    DatabaseUrl::new(&text).map(Some).map_err(de::Error::custom)
}

/// A password as it can stand in an address: 1 to 255 printable characters without spaces, `@`, `:` and `/`.
///
/// # Errors
///
/// A sentence that says so.
pub fn parse_password(text: &str) -> Result<Password, String> {
    match Password::new(text) {
        Ok(password) if text.is_ascii() && !text.is_empty() => Ok(password),
        _ => {
            Err("a password has 1 to 255 printable ASCII characters without spaces and without @ : /"
                .to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read() {
        for (text, millis) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("5m", 300_000),
            ("6h", 21_600_000),
            ("21d", 1_814_400_000),
        ] {
            assert_eq!(parse_duration(text), Ok(Duration::from_millis(millis)));
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "5", "s", "-1s", "1.5h", "3 weeks", "99999999999999999999d", "36501d"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn only_what_fits_in_an_address_is_a_password() {
        for text in ["", "a b", "a@b", "a:b", "a/b", "\u{e9}", "a\n", &"x".repeat(256)] {
            assert!(parse_password(text).is_err(), "{text:?}");
        }
        assert!(parse_password("correct-horse_1").is_ok());
    }
}
