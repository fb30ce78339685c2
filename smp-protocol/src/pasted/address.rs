//! The one relay address in a pasted text.

use super::PasteError;
use super::clean::{cleaned, escaped_readings};
use super::flow::{Break, Flow, Gap};
use crate::address::{FINGERPRINT_BYTES, Host, Password, RelayAddress};
use crate::base64url;
use crate::encoding::{NonEmpty, from_text};

/// Longest address in bytes: a fingerprint, a password, and as many hosts as anybody has.
const MAX_ADDRESS: usize = 4096;
/// How many beginnings of addresses are looked at in one text.
const MAX_CANDIDATES: usize = 8;
/// Into how many pieces an address may have been broken.
const MAX_PIECES: usize = 32;
const SCHEME: &str = "smp:";
/// Characters that stand around addresses and never end one.
const PUNCTUATION: &[char] =
    &['.', ',', ';', ':', '!', '?', '(', ')', '}', '\'', '"', '*', '/', '`', '>', '_', '»', '”', '’'];

/// The one relay address in the text, whatever was done to it on its way.
///
/// White space (also within it), words, quotation marks and brackets around it, a final slash, a port behind another host than
/// the last, any case of the scheme, and the same address several times are no obstacle. The result is what the strict codec makes of it.
///
/// # Errors
/// [`PasteError`]: nothing that can be read as an address, or more than one reading. It does not show the text, which may have a password.
///
/// Source: section 1.10 (`protocol-spec/1-primitives.md`).
pub fn relay_address(text: &str) -> Result<RelayAddress, PasteError> {
    let text = cleaned(text)?;
    let error = match look(&text) {
        Ok(address) => return Ok(address),
        Err(error) => error,
    };
    let readings = escaped_readings(&text);
    readings.iter().find_map(|reading| look(reading).ok()).ok_or(error)
}

fn look(text: &str) -> Result<RelayAddress, PasteError> {
    let flow = Flow::of(text);
    let lower = flow.text.to_ascii_lowercase();
    let starts: Vec<usize> = lower
        .match_indices(SCHEME)
        .map(|(index, _)| index)
        .filter(|index| is_start(&lower, *index))
        .collect();
    if starts.is_empty() {
        let other = ["xftp://", "ntf://"].iter().any(|scheme| lower.contains(scheme));
        return Err(if other { PasteError::OtherProtocol } else { PasteError::NotAnAddress });
    }
    if starts.len() > MAX_CANDIDATES {
        return Err(PasteError::Several);
    }
    let mut found: Option<RelayAddress> = None;
    for (index, start) in starts.iter().enumerate() {
        let limit = starts.get(index + 1).copied().unwrap_or(flow.text.len());
        let address = read(&flow, start + SCHEME.len(), limit)?;
        if found.as_ref().is_some_and(|other| *other != address) {
            return Err(PasteError::Several);
        }
        found = Some(address);
    }
    found.ok_or(PasteError::NotAnAddress)
}

/// Whether a slash follows, or what looks like a fingerprint: a word "smp:" in a sentence is no address.
fn is_start(lower: &str, index: usize) -> bool {
    lower[index + SCHEME.len()..].starts_with('/')
}

/// Reads an address behind its scheme: as far as the first end at which the codec takes it.
fn read(flow: &Flow, start: usize, limit: usize) -> Result<RelayAddress, PasteError> {
    let limit = limit.min(start.saturating_add(MAX_ADDRESS));
    let limit = (start..=limit).rev().find(|index| flow.text.is_char_boundary(*index)).unwrap_or(start);
    let mut first: Option<(RelayAddress, Break)> = None;
    let mut unclear = false;
    let mut failure = None;
    let mut last_gap = Gap::Line;
    for end in flow.ends(start, limit).take(MAX_PIECES) {
        match parse(&flow.text[start..end.at]) {
            Ok(address) => match &first {
                None => first = Some((address, end)),
                Some((known, _)) if *known == address => {}
                Some((known, known_end)) if known_end.gap == Gap::Line => {
                    let certain = goes_on(flow, known_end.at)
                        || flow.is_evenly_wrapped(start, end)
                        || (has_onion(&address) && !has_onion(known));
                    if certain {
                        first = Some((address, end));
                    }
                    unclear = !certain;
                }
                // Words behind a space are words.
                Some(_) => break,
            },
            Err(error) if last_gap == Gap::Line => failure = Some(error),
            Err(_) => {}
        }
        if last_gap == Gap::Line {
            last_gap = end.gap;
        }
    }
    match first {
        Some(_) if unclear => Err(PasteError::Unclear),
        Some((address, _)) => Ok(address),
        None => Err(failure.unwrap_or(PasteError::NotAnAddress)),
    }
}

/// No words make the 56 characters of an onion host by chance.
fn has_onion(address: &RelayAddress) -> bool {
    address.hosts.iter().any(Host::is_onion)
}

/// Whether what stands at `at` can only be the rest of an address.
fn goes_on(flow: &Flow, at: usize) -> bool {
    flow.text[at..].starts_with([',', ':', '.', '@']) || flow.text[..at].ends_with([',', ':', '.', '@', '-'])
}

/// Reads what follows the scheme.
fn parse(rest: &str) -> Result<RelayAddress, PasteError> {
    let rest = rest.trim_start_matches('/');
    let Some((before, hosts)) = rest.split_once('@') else {
        let placeholder = rest.starts_with('<');
        return Err(if placeholder { PasteError::Placeholder } else { PasteError::NoFingerprint });
    };
    if before.starts_with('<') || hosts.starts_with('<') || hosts.contains(",<") {
        return Err(PasteError::Placeholder);
    }
    let (fingerprint, password) = match before.split_once(':') {
        Some((fingerprint, password)) => (fingerprint, Some(password)),
        None => (before, None),
    };
    let fingerprint = read_fingerprint(fingerprint)?;
    let password = password
        .map(|password| from_text::<Password>(password).map_err(|_| PasteError::Password))
        .transpose()?;
    let hosts = trimmed_hosts(hosts)?;
    let (hosts, port) = separate_port(hosts)?;
    Ok(RelayAddress { fingerprint, hosts, port, password })
}

fn read_fingerprint(text: &str) -> Result<[u8; FINGERPRINT_BYTES], PasteError> {
    let text = text.replace("%3D", "=").replace("%3d", "=");
    let bytes = base64url::decode(text).map_err(|_| PasteError::Fingerprint)?;
    bytes.try_into().map_err(|_| PasteError::Fingerprint)
}

/// The hosts without what follows them: slashes, quotation marks, the end of a sentence.
fn trimmed_hosts(text: &str) -> Result<&str, PasteError> {
    let end = text.find(['<', '>', '|', '"', '`', '(', ')', '\'', '»', '”', '’']).unwrap_or(text.len());
    let text = text[..end].trim_end_matches(PUNCTUATION);
    // A bracket around the address, not one of an IPv6 host.
    let text = match (text.strip_suffix(']'), text.matches('[').count()) {
        (Some(inner), open) if text.matches(']').count() > open => inner.trim_end_matches(PUNCTUATION),
        _ => text,
    };
    match text {
        "" => Err(PasteError::Host),
        text if text.contains(['/', '#', '?', '@']) => Err(PasteError::Trailing),
        text => Ok(text),
    }
}

/// The hosts and the one port that stands behind any of them.
fn separate_port(text: &str) -> Result<(NonEmpty<Host>, Option<u16>), PasteError> {
    let mut port = None;
    let mut hosts = Vec::new();
    for part in text.split(',') {
        let (host, own) = match part.rsplit_once(':') {
            // One colon, or the one behind the bracket: others are part of an IPv6 host.
            Some((host, own)) if !host.contains(':') || host.ends_with(']') => (host, Some(own)),
            _ => (part, None),
        };
        if let Some(own) = own {
            let own = from_text::<u16>(own).map_err(|_| PasteError::Host)?;
            if port.is_some_and(|known| known != own) {
                return Err(PasteError::Ports);
            }
            port = Some(own);
        }
        hosts.push(host.parse::<Host>().map_err(|_| PasteError::Host)?);
    }
    Ok((NonEmpty::new(hosts).ok_or(PasteError::Host)?, port))
}
