//! Host names as they stand in addresses.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::encoding::{
    Decode, DecodeError, Encode, MAX_ITEMS, MAX_SHORT_STRING, NonEmpty, Reader, TextDecode, TextEncode,
    TextReader, from_text_bytes, to_text,
};

/// A name of at most 255 bytes that can stand in an address. Built by reading a [`Host`].
///
/// Names are the same in upper and lower case, with and without a final dot: so they compare and hash. A name is kept as
/// it was written, since a peer may compare it letter by letter when it comes back; [`canonical`](Self::canonical) is the form
/// to look up, to dial and to show.
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone)]
pub struct HostName(String);

impl HostName {
    /// The name as it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn without_dot(&self) -> &str {
        self.0.strip_suffix('.').unwrap_or(&self.0)
    }

    /// The letters that are compared.
    fn letters(&self) -> impl Iterator<Item = u8> + '_ {
        self.without_dot().bytes().map(|letter| letter.to_ascii_lowercase())
    }

    /// The name in lower case and without a final dot.
    pub fn canonical(&self) -> HostName {
        HostName(self.without_dot().to_ascii_lowercase())
    }
}

impl PartialEq for HostName {
    fn eq(&self, other: &Self) -> bool {
        self.without_dot().eq_ignore_ascii_case(other.without_dot())
    }
}

impl Eq for HostName {}

impl Hash for HostName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.letters().for_each(|letter| state.write_u8(letter));
        // As strings end.
        state.write_u8(0xff);
    }
}

impl Ord for HostName {
    fn cmp(&self, other: &Self) -> Ordering {
        self.letters().cmp(other.letters())
    }
}

impl PartialOrd for HostName {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Where a relay can be reached.
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Host {
    /// An IPv4 address.
    Ipv4(Ipv4Addr),
    /// An IPv6 address. It is written without brackets and read with or without, as in the reference implementation:
    /// followed by a port it can only be read with brackets, which the `Display` of a
    /// [`RelayAddress`](super::RelayAddress) adds there.
    Ipv6(Ipv6Addr),
    /// A Tor onion host: letters and digits, then `.onion`. It is read in any case and with a final dot, and kept in its
    /// canonical form: the reference implementation reads no other.
    Onion(HostName),
    /// A name to be resolved. Never one of Tor, however it is written.
    Domain(HostName),
}

impl Host {
    /// Whether the host can only be reached through Tor.
    pub fn is_onion(&self) -> bool {
        matches!(self, Host::Onion(_))
    }

    /// The form to look up, to dial and to show: names in lower case and without a final dot.
    #[must_use]
    pub fn canonical(&self) -> Host {
        match self {
            Host::Ipv4(_) | Host::Ipv6(_) => self.clone(),
            Host::Onion(name) => Host::Onion(name.canonical()),
            Host::Domain(name) => Host::Domain(name.canonical()),
        }
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Host::Ipv4(address) => address.fmt(f),
            Host::Ipv6(address) => address.fmt(f),
            Host::Onion(name) | Host::Domain(name) => f.write_str(&name.0),
        }
    }
}

impl std::str::FromStr for Host {
    type Err = DecodeError;

    fn from_str(text: &str) -> Result<Self, DecodeError> {
        from_text_bytes(text.as_bytes())
    }
}

impl TextEncode for Host {
    fn text_encode(&self, out: &mut String) {
        out.push_str(&self.to_string());
    }
}

/// A short string with the text form.
impl Encode for Host {
    fn encode(&self, out: &mut Vec<u8>) {
        let text = to_text(self);
        // Names were checked when they were read, numeric addresses are short.
        out.push(text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    }
}

impl Decode<'_> for Host {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        from_text_bytes(input.short()?)
    }
}

impl TextDecode for Host {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        // A text that begins like one kind and turns out not to be is tried as the next.
        for kind in [ipv4, ipv6, onion, domain] {
            let mut ahead = *input;
            if let Some(host) = kind(&mut ahead) {
                *input = ahead;
                return Ok(host);
            }
        }
        Err(DecodeError::Invalid("host"))
    }
}

fn ipv4(input: &mut TextReader<'_>) -> Option<Host> {
    let mut parts = [0; 4];
    for (index, part) in parts.iter_mut().enumerate() {
        if index > 0 && !input.skip(b".") {
            return None;
        }
        *part = u8::try_from(input.decimal().ok()?).ok()?;
    }
    Some(Host::Ipv4(parts.into()))
}

fn ipv6(input: &mut TextReader<'_>) -> Option<Host> {
    let text = if input.skip(b"[") {
        let text = input.take_while(|b| b != b']');
        input.skip(b"]").then_some(text)?
    } else {
        input.take_while(|b| b.is_ascii_hexdigit() || b == b':')
    };
    std::str::from_utf8(text).ok()?.parse().ok().map(Host::Ipv6)
}

fn onion(input: &mut TextReader<'_>) -> Option<Host> {
    let text = name_text(input)?;
    let name = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let label = name.strip_suffix(ONION)?;
    let is_good = label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_good.then(|| self::name(&name).map(Host::Onion))?
}

/// The last label of names that only Tor knows, with its dot.
const ONION: &str = ".onion";

fn domain(input: &mut TextReader<'_>) -> Option<Host> {
    let text = name_text(input)?;
    let mut labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let last = labels.clone().next_back()?;
    let is_good = labels.all(|label| !label.is_empty() && label.chars().all(is_name_character))
        // Other letters may turn into these when a name is looked up, and then be an onion host.
        && last.is_ascii()
        && !last.eq_ignore_ascii_case(&ONION[1..])
        && !is_number(last);
    is_good.then(|| name(text).map(Host::Domain))?
}

/// As far as a name may go, whatever is in it.
fn name_text<'a>(input: &mut TextReader<'a>) -> Option<&'a str> {
    let text = input.take_while(|b| !b":#,;/ \n\r\t[]".contains(&b));
    std::str::from_utf8(text).ok().filter(|text| !text.is_empty())
}

/// Letters and digits of all scripts that can be seen. No other character stands in a name that exists; many cannot be seen,
/// or are left of an example (`<host>`).
fn is_name_character(character: char) -> bool {
    const INVISIBLE_LETTERS: [char; 6] =
        ['\u{115f}', '\u{1160}', '\u{3164}', '\u{ffa0}', '\u{17b4}', '\u{17b5}'];
    matches!(character, '-' | '_') || (character.is_alphanumeric() && !INVISIBLE_LETTERS.contains(&character))
}

/// Whether a last label makes the name an IPv4 address to those who look it up, in whatever way it is written (`127.1`,
/// `0x7f000001`): as an address it would have been read before.
fn is_number(label: &str) -> bool {
    let hexadecimal = label.strip_prefix("0x").or_else(|| label.strip_prefix("0X"));
    label.bytes().all(|b| b.is_ascii_digit())
        || hexadecimal.is_some_and(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))
}

fn name(text: &str) -> Option<HostName> {
    (text.len() <= MAX_SHORT_STRING).then(|| HostName(text.to_owned()))
}

/// Hosts separated by commas, without regard to what comes after the last one that can be read.
pub(super) fn decode_hosts(input: &mut TextReader<'_>) -> Result<NonEmpty<Host>, DecodeError> {
    let mut hosts = vec![Host::text_decode(input)?];
    // One host more than allowed shows that there are too many.
    while hosts.len() <= MAX_ITEMS {
        let mut ahead = *input;
        if !ahead.skip(b",") {
            break;
        }
        let Ok(host) = Host::text_decode(&mut ahead) else { break };
        *input = ahead;
        hosts.push(host);
    }
    NonEmpty::new(hosts).ok_or(DecodeError::Invalid("list with more than 255 hosts"))
}

#[cfg(test)]
mod tests {
    use std::hash::{BuildHasher as _, RandomState};

    use proptest::prelude::*;

    use super::*;
    use crate::encoding::{from_bytes, to_bytes};

    fn host(text: &str) -> Host {
        text.parse().unwrap()
    }

    #[test]
    fn names_are_the_same_in_any_case_and_with_a_final_dot() {
        let hashes = RandomState::new();
        let same = ["relay.example", "Relay.Example", "RELAY.EXAMPLE.", "relay.example."].map(host);
        for one in &same {
            for other in &same {
                assert_eq!(one, other);
                assert_eq!(one.cmp(other), Ordering::Equal);
                assert_eq!(hashes.hash_one(one), hashes.hash_one(other));
            }
            assert_eq!(one.canonical().to_string(), "relay.example");
        }
        assert_eq!(same[2].to_string(), "RELAY.EXAMPLE.", "a peer may compare letters");
        assert_ne!(host("relay.example"), host("relay.examples"));
        assert_ne!(host("a.b"), host("ab"));
        assert!(host("A.example") < host("b.example"));
    }

    #[test]
    fn an_onion_host_is_one_however_it_is_written() {
        for text in ["abc234.onion", "ABC234.ONION", "Abc234.Onion.", "abc234.oNiOn"] {
            assert!(host(text).is_onion(), "{text}");
            assert_eq!((host(text), host(text).to_string()), (host("abc234.onion"), "abc234.onion".into()));
        }
        // Neither Tor's nor anybody else's: nothing looks them up.
        for text in [
            "onion",
            "ONION.",
            "www.abc.onion",
            "a-b.onion",
            "abc.onion..",
            "abc..onion",
            "abc.\u{ba}ni\u{ba}n",
            "abc.\u{ff4f}\u{ff4e}\u{ff49}\u{ff4f}\u{ff4e}",
            "abc\u{3002}onion",
            "abc\u{ff0e}onion",
            "abc%2eonion",
            "abc.oni\u{200b}on",
            "abc.onion\u{200b}",
            "abc.oni\u{ad}on",
            "abc\\.onion",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for text in [
            "<hostnames>",
            "<host>.example",
            "",
            ".",
            "a..b",
            ".example",
            "relay\u{200b}.example",
            "\u{feff}relay.example",
            "relay.example\u{a0}",
            "re\u{ad}lay.example",
            "relay\u{202e}.example",
            "\u{3164}.example",
            "relay.example?",
            "a*b",
            "\"relay.example\"",
            "user@relay.example",
            "relay.example\0",
            "127.1",
            "0x7f000001",
            "2130706433",
            "127.0.0.1.",
            "127.0.0.0x1",
            "relay.ex\u{e4}mple",
        ] {
            assert!(text.parse::<Host>().is_err(), "{text}");
        }
        for text in ["localhost", "a_b.example", "h\u{e9}llo.example", "xn--hllo-bpa.example", "0.example"] {
            assert!(matches!(host(text), Host::Domain(_)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_is_read_comes_back_as_it_was_and_is_its_canonical_form(text in "[A-Za-z0-9._-]{1,40}|\\PC{1,20}") {
            if let Ok(read) = text.parse::<Host>() {
                prop_assert_eq!(from_bytes::<Host>(&to_bytes(&read)).map(|host| host.to_string()), Ok(read.to_string()));
                let canonical = read.canonical();
                prop_assert_eq!(&canonical, &read);
                prop_assert_eq!(host(&canonical.to_string()), canonical.clone());
                prop_assert_eq!(canonical.canonical().to_string(), canonical.to_string());
                let is_onion = canonical.to_string().to_lowercase().ends_with(ONION);
                prop_assert_eq!(read.is_onion(), is_onion);
            }
        }
    }
}
