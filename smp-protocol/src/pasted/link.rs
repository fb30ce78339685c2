//! The one link in a pasted text.

use super::PasteError;
use super::clean::{cleaned, escaped_readings, without_backslashes};
use super::flow::{Break, Flow, Gap};
use crate::link::{ConnectionLink, ConnectionRequest, LinkError};

/// Longest link in bytes; those with a post-quantum key and an application's data have some 3,000.
const MAX_LINK: usize = 8192;
/// How many beginnings of links are looked at in one text.
const MAX_CANDIDATES: usize = 8;
/// Into how many pieces a link may have been broken.
const MAX_PIECES: usize = 128;
/// How many parts of a path may stand before the kind.
const MAX_PARTS: usize = 3;
/// How many slashes are looked at where no scheme is.
const MAX_SLASHES: usize = 256;
/// A shorter rest behind `#` is a mention ("looks like simplex:/i#…"), not a link: keys alone have 43 characters.
const SHORTEST_REST: usize = 40;
/// Kinds of full links, then of short ones.
const KINDS: [&str; 7] = ["invitation", "contact", "i", "a", "c", "g", "r"];
/// Characters that stand around links and never end one.
const PUNCTUATION: &[char] =
    &['.', ',', ';', ':', '!', '?', '(', ')', '[', ']', '}', '\'', '*', '/', '#', '&'];

/// The one link in the text, whatever was done to it on its way.
///
/// White space (also within the link), words and punctuation around it, characters that nobody sees, escapes of HTML, JSON,
/// mails and URIs, `simplex://` and any case of scheme and kind, parameters that web pages add before or behind the `#`, and the
/// same link several times: all this is no obstacle. The result is what the strict codec makes of the link.
///
/// # Errors
/// [`PasteError`]: nothing that can be read as a link, or more than one reading.
///
/// Source: chapter 8 (`protocol-spec/8-links.md`).
pub fn link(text: &str) -> Result<ConnectionLink, PasteError> {
    let text = cleaned(text)?;
    // No link has one, and what stands before it could be read as a shorter link.
    let text = without_backslashes(&text).unwrap_or(text);
    let error = match look(&text) {
        Err(Look::Nothing) => None,
        Err(Look::Failed(error @ PasteError::Link(_))) => Some(error),
        Err(Look::Failed(error)) => return Err(error),
        Ok(link) => return Ok(link),
    };
    for reading in escaped_readings(&text) {
        match look(&reading) {
            Ok(link) => return Ok(link),
            Err(Look::Failed(failed)) if error.is_none() => return Err(failed),
            Err(_) => {}
        }
    }
    Err(error.unwrap_or_else(|| strict_error(&text)))
}

/// The codec's error for a text in which nothing begins as a link does.
fn strict_error(text: &str) -> PasteError {
    match text.trim().parse::<ConnectionLink>() {
        Err(error) => error.into(),
        Ok(_) => LinkError::NotALink.into(),
    }
}

/// Why no link was found in one reading of a text.
enum Look {
    /// Nothing begins as a link does.
    Nothing,
    Failed(PasteError),
}

fn look(text: &str) -> Result<ConnectionLink, Look> {
    let flow = Flow::of(text);
    let candidates = candidates(&flow);
    if candidates.is_empty() {
        return Err(Look::Nothing);
    }
    if candidates.len() > MAX_CANDIDATES {
        return Err(Look::Failed(PasteError::Several));
    }
    let mut found: Option<Reading> = None;
    let mut failed: Vec<(PasteError, String)> = Vec::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let limit = candidates.get(index + 1).map_or(flow.text.len(), |next| next.start);
        match read(&flow, candidate, limit) {
            Ok(reading) => match &found {
                Some(other) if other.link != reading.link => return Err(Look::Failed(PasteError::Several)),
                _ => found = Some(reading),
            },
            Err((error @ (PasteError::Unclear | PasteError::Several), _)) => return Err(Look::Failed(error)),
            Err(failure) => failed.push(failure),
        }
    }
    let Some(reading) = found else {
        // One that is no mere mention says most.
        failed.sort_by_key(|(_, text)| is_mention(text));
        return Err(failed.into_iter().next().map_or(Look::Nothing, |(error, _)| Look::Failed(error)));
    };
    // Something damaged beside it is another link, unless it is the same one that was cut.
    let is_part = |text: &str| is_mention(text) || reading.text.starts_with(text);
    if failed.iter().all(|(_, text)| is_part(text)) {
        Ok(reading.link)
    } else {
        Err(Look::Failed(PasteError::Several))
    }
}

/// A link that was read.
struct Reading {
    link: ConnectionLink,
    /// As the codec got it.
    text: String,
}

/// Where a link may begin.
struct Candidate {
    /// Index of its first byte.
    start: usize,
    /// Index behind the scheme, or of the first byte if it has none.
    rest: usize,
    /// Whether a host is needed because the scheme is not `simplex:`.
    web: bool,
}

/// Beginnings of links in a text without white space: with a scheme, or if there are none, without.
fn candidates(flow: &Flow) -> Vec<Candidate> {
    let lower = flow.text.to_ascii_lowercase();
    let mut found = Vec::new();
    for (scheme, web) in [("simplex:", false), ("https:", true), ("http:", true)] {
        for (start, _) in lower.match_indices(scheme) {
            let candidate = Candidate { start, rest: start + scheme.len(), web };
            if begins(&lower[candidate.rest..], web) {
                found.push(candidate);
            }
        }
    }
    if found.is_empty() {
        found = without_scheme(flow, &lower);
    }
    found.sort_by_key(|candidate| candidate.start);
    found
}

/// Web addresses that lost their `https://`. The host does not begin before a break: a word there is not part of it.
fn without_scheme(flow: &Flow, lower: &str) -> Vec<Candidate> {
    let is_host = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b':');
    let mut found = Vec::new();
    for (slash, _) in lower.match_indices('/').take(MAX_SLASHES) {
        if !begins_kind(&lower[slash..]) {
            continue;
        }
        let before = lower.as_bytes()[..slash].iter().rev();
        let length = before
            .enumerate()
            .take_while(|(back, byte)| is_host(byte) && (*back == 0 || !flow.has_break(slash - back)));
        let start = slash - length.count();
        if lower[start..slash].contains('.') && begins(&lower[start..], true) {
            found.push(Candidate { start, rest: start, web: true });
        }
    }
    found
}

fn begins_kind(text: &str) -> bool {
    kind(text.trim_start_matches('/')).is_some()
}

/// Whether the text behind a scheme goes on as a link does. A web address is one only with a `#` behind the kind.
fn begins(rest: &str, web: bool) -> bool {
    match Parts::of(rest) {
        Some(parts) => !web || (!parts.host.is_empty() && fragment(parts.behind).is_some()),
        None => false,
    }
}

/// A link behind its scheme, taken apart.
struct Parts<'a> {
    host: &'a str,
    kind: &'static str,
    /// The text behind the kind.
    behind: &'a str,
}

impl<'a> Parts<'a> {
    /// Of a text in lower case, or of one whose kind may have any.
    fn of(rest: &'a str) -> Option<Self> {
        let rest = rest.trim_start_matches('/');
        let (host, behind) = match kind(rest) {
            Some((kind, behind)) => return Some(Self { host: "", kind, behind }),
            None => rest.split_once('/')?,
        };
        let is_host = host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte));
        let (kind, behind) = kind(behind.trim_start_matches('/')).or_else(|| below_others(behind))?;
        (is_host && !host.is_empty()).then_some(Self { host, kind, behind })
    }
}

/// The kind of a full link below other parts of a path: pages in other languages have such.
fn below_others(path: &str) -> Option<(&'static str, &str)> {
    let mut rest = path.trim_start_matches('/');
    for _ in 0..MAX_PARTS {
        let (part, below) = rest.split_once('/')?;
        if !part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
            return None;
        }
        rest = below.trim_start_matches('/');
        if let Some(found) = kind(rest).filter(|(kind, _)| kind.len() > 1) {
            return Some(found);
        }
    }
    None
}

/// The kind at the beginning, in any case, and what follows it.
fn kind(text: &str) -> Option<(&'static str, &str)> {
    let length = text.bytes().take_while(u8::is_ascii_alphabetic).count();
    let (word, behind) = text.split_at(length);
    let kind = KINDS.into_iter().find(|kind| word.eq_ignore_ascii_case(kind))?;
    // Otherwise it is the beginning of something else, like "simplex: a messenger".
    let goes_on = behind.is_empty() && kind.len() > 1 || behind.starts_with(['/', '#', '?', '&', '%']);
    goes_on.then_some((kind, behind))
}

/// The text behind the first `#`, which may be escaped, without anything between it and the kind.
fn fragment(behind: &str) -> Option<&str> {
    let behind = behind.trim_start_matches('/');
    let behind = behind.strip_prefix("index.html").unwrap_or(behind);
    if let Some(fragment) = behind.strip_prefix('#').or_else(|| behind.strip_prefix("%23")) {
        return Some(fragment);
    }
    // Parameters for the web server.
    if !behind.starts_with(['?', '&']) {
        return None;
    }
    behind.split_once('#').or_else(|| behind.split_once("%23")).map(|(_, fragment)| fragment)
}

/// Reads a link that begins at the candidate: as far as the first end at which the codec takes it.
fn read(flow: &Flow, candidate: &Candidate, limit: usize) -> Result<Reading, (PasteError, String)> {
    let limit = limit.min(candidate.start.saturating_add(MAX_LINK));
    let whole = &flow.text[candidate.rest..];
    let foreign = whole.char_indices().find(|(_, character)| !is_link_character(*character));
    let stop = foreign.map_or(limit, |(index, _)| limit.min(candidate.rest + index));
    let mut first: Option<(Reading, Break)> = None;
    let mut unclear = false;
    let mut failure = None;
    let mut last_gap = Gap::Line;
    for end in flow.ends(candidate.rest, stop).take(MAX_PIECES) {
        match parse(&flow.text[candidate.rest..end.at], candidate.web) {
            Ok(reading) => match &first {
                None => first = Some((reading, end)),
                Some((known, _)) if known.link == reading.link => {}
                Some((known, known_end))
                    if surpasses(flow, candidate, (known, *known_end), (&reading, end)) =>
                {
                    first = Some((reading, end));
                    unclear = false;
                }
                // Words behind a space are words; in the next line they may be the rest.
                Some((_, known_end)) => unclear |= known_end.gap == Gap::Line,
            },
            // The error that counts is that of the lines that are full of the link.
            Err(error) if last_gap == Gap::Line => failure = Some(error),
            Err(_) => {}
        }
        if last_gap == Gap::Line {
            last_gap = end.gap;
        }
    }
    match first {
        Some(_) if unclear => return Err((PasteError::Unclear, String::new())),
        Some((reading, _)) => return Ok(reading),
        None => {}
    }
    let (error, text) = failure.unwrap_or((LinkError::NotALink, String::new()));
    // Where a foreign character stands between characters of links, it replaced some of them.
    let replaced = foreign.filter(|(index, character)| {
        let behind = whole[*index..].chars().nth(1);
        candidate.rest + index < limit
            && !"<>\"'`{}|\\^".contains(*character)
            && behind.is_some_and(|next| next.is_ascii_alphanumeric() || next == '_' || next == '-')
            && fragment_length(&text) < MAX_LINK
    });
    match replaced {
        Some((_, character)) if !is_mention(&text) => Err((PasteError::Foreign(character), text)),
        _ => Err((error.into(), text)),
    }
}

/// Whether the longer reading is the right one beyond doubt.
fn surpasses(
    flow: &Flow,
    candidate: &Candidate,
    (known, known_end): (&Reading, Break),
    (longer, end): (&Reading, Break),
) -> bool {
    let is_wrapped = || goes_on(flow, known_end.at) || flow.is_evenly_wrapped(candidate.start, end);
    knows_more(&longer.link, &known.link) || (known_end.gap == Gap::Line && is_wrapped())
}

/// Whether a longer reading has what no words behind a link could have added to it by chance: a relay's fingerprint, keys, data.
fn knows_more(longer: &ConnectionLink, shorter: &ConnectionLink) -> bool {
    let facts = |link: &ConnectionLink| match link {
        ConnectionLink::Short(link) => (link.relay().fingerprint.is_some(), false),
        ConnectionLink::Full(ConnectionRequest::Invitation(request)) => {
            (request.ratchet.kem.is_some(), request.client_data.is_some())
        }
        ConnectionLink::Full(ConnectionRequest::Contact(request)) => (false, request.client_data.is_some()),
    };
    let ((key, data), (known_key, known_data)) = (facts(longer), facts(shorter));
    (key && !known_key) || (data && !known_data)
}

/// Whether what stands at `at` can only be the rest of something: no word begins like this, and no sentence.
fn goes_on(flow: &Flow, at: usize) -> bool {
    flow.text[at..].starts_with(['?', '&', '%', '=', '#', '/']) || flow.text[..at].ends_with(['&', '=', '%'])
}

fn is_link_character(character: char) -> bool {
    character.is_ascii_graphic() && !"<>\"`{}|\\^".contains(character)
}

/// Hands a text to the codec in its canonical form, without the punctuation at its end. The error comes with that form.
fn parse(rest: &str, web: bool) -> Result<Reading, (LinkError, String)> {
    let rest = rest.trim_end_matches(PUNCTUATION);
    let strict = |rest: &str| {
        let text = canonical(rest, web).ok_or((LinkError::Missing("parameters"), String::new()))?;
        text.parse().map(|link| Reading { link, text: text.clone() }).map_err(|error| (error, text))
    };
    // Characters of keys that are also used to set off a text.
    let set_off = rest.trim_end_matches(['_', '~', '-']);
    strict(rest)
        .or_else(|failure| if set_off == rest { Err(failure) } else { strict(set_off).map_err(|_| failure) })
}

/// The form that the codec reads.
fn canonical(rest: &str, web: bool) -> Option<String> {
    let Parts { host, kind, behind } = Parts::of(rest)?;
    let fragment = fragment(behind)?;
    // Nothing behind a second one belongs to a link.
    let fragment = fragment.split('#').next().unwrap_or_default();
    if kind.len() > 1 {
        let query = ["/?", "?", "/%3F", "/%3f", "%2F%3F", "%2f%3f"]
            .into_iter()
            .find_map(|start| fragment.strip_prefix(start))
            .unwrap_or(fragment);
        return Some(format!("simplex:/{kind}#/?{query}"));
    }
    let fragment = fragment.trim_start_matches('/');
    // The port of a web page is not that of the relay, which is among the parameters.
    let host = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
    match (host, web) {
        ("", true) => None,
        ("", false) => Some(format!("simplex:/{kind}#{fragment}")),
        (host, _) => Some(format!("https://{}/{kind}#{fragment}", host.to_ascii_lowercase())),
    }
}

fn fragment_length(canonical: &str) -> usize {
    canonical.split_once('#').map_or(0, |(_, fragment)| fragment.len())
}

/// Whether the text is too short to be a link that was cut.
fn is_mention(canonical: &str) -> bool {
    let fragment = canonical.split_once('#').map_or("", |(_, fragment)| fragment);
    fragment.len() < SHORTEST_REST
}
