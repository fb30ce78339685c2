//! What a text loses before anything is looked for in it, and the escapes in which it may have come.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{MAX_PASTED, PasteError};

/// Entities of HTML that stand for characters of links.
const ENTITIES: [(&str, &str); 14] = [
    ("&amp;", "&"),
    ("&#38;", "&"),
    ("&#x26;", "&"),
    ("&lt;", "<"),
    ("&gt;", ">"),
    ("&quot;", "\""),
    ("&#34;", "\""),
    ("&#39;", "'"),
    ("&nbsp;", " "),
    ("&num;", "#"),
    ("&#35;", "#"),
    ("&#x23;", "#"),
    ("&sol;", "/"),
    ("&#47;", "/"),
];

/// Escapes of JSON and scripts that stand for characters of links.
const SCRIPT_ESCAPES: [(&str, &str); 6] =
    [("\\/", "/"), ("\\u0026", "&"), ("\\u003d", "="), ("\\u003D", "="), ("\\n", "\n"), ("\\r", "\r")];

/// What is there to be looked at in a pasted text.
///
/// # Errors
/// [`PasteError::TooLong`]; [`PasteError::Empty`], also of what nobody sees.
pub(super) fn cleaned(text: &str) -> Result<String, PasteError> {
    if text.len() > MAX_PASTED {
        return Err(PasteError::TooLong);
    }
    let text = clean(text);
    if text.trim().is_empty() { Err(PasteError::Empty) } else { Ok(text) }
}

/// The text without what nobody sees, and with HTML's entities replaced.
fn clean(text: &str) -> String {
    let mut seen = without_invisible(text);
    for (entity, character) in ENTITIES {
        if seen.contains(entity) {
            seen = seen.replace(entity, character);
        }
    }
    seen
}

/// Other readings of a text that has no link as it stands, in the order in which they are tried.
pub(super) fn escaped_readings(text: &str) -> Vec<String> {
    let readings = [script(text), quoted_printable(text), percent(text)];
    readings.into_iter().flatten().collect()
}

fn script(text: &str) -> Option<String> {
    let mut changed = Cow::Borrowed(text);
    for (escape, character) in SCRIPT_ESCAPES {
        if changed.contains(escape) {
            changed = changed.replace(escape, character).into();
        }
    }
    match changed {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text),
    }
}

/// The source of a mail: `=3D` is `=`, and `=` at the end of a line joins it to the next.
fn quoted_printable(text: &str) -> Option<String> {
    let joined = text.replace("\r\n", "\n").replace("=\n", "");
    if !text.contains("=3D") && joined.len() + text.matches('\r').count() == text.len() {
        return None;
    }
    let escaped = joined.replace('%', "%25").replace('=', "%");
    percent_decode_str(&escaped).decode_utf8().ok().map(Cow::into_owned)
}

/// The whole link as a parameter of another one: it ends where that parameter ends.
fn percent(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let start = ["simplex%3a", "https%3a", "smp%3a"].iter().filter_map(|scheme| lower.find(scheme)).min()?;
    let parameter = text[start..].split(['&', ' ', '\t', '\r', '\n', '"', '\'', '<', '>']).next()?;
    percent_decode_str(parameter).decode_utf8().ok().map(Cow::into_owned)
}

/// Without control sequences of terminals and without invisible characters. Line breaks and other white space stay.
fn without_invisible(text: &str) -> String {
    let mut seen = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character == '\u{1b}' && characters.next_if_eq(&'[').is_some() {
            // A control sequence ends with a letter or ~: the marks of a bracketed paste are such.
            for parameter in characters.by_ref() {
                if matches!(parameter, '@'..='~') {
                    break;
                }
            }
        } else if character.is_whitespace() || !is_invisible(character) {
            seen.push(character);
        }
    }
    seen
}

/// Control characters, and those that Unicode calls formatting: joiners, marks of direction, the soft hyphen, selectors.
fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_invisible_stays() {
        let text =
            "\u{feff}\u{1b}[200~sim\u{200b}plex\u{ad}:\u{2066}/\u{fe0f}i\u{e0041}#\u{0}a&amp;b\u{1b}[201~";
        assert_eq!(clean(text), "simplex:/i#a&b");
        assert_eq!(clean(" a\r\n\u{a0}b\u{2028}"), " a\r\n\u{a0}b\u{2028}");
        assert_eq!(clean("\u{1b}["), "");
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(script(r"https:\/\/a\u0026b").unwrap(), "https://a&b");
        assert_eq!(quoted_printable("v=3D2&smp=3Dsmp%3A=\r\n/x").unwrap(), "v=2&smp=smp%3A/x");
        assert_eq!(percent("u=https%3A%2F%2Fa%23%253D&v=1").unwrap(), "https://a#%3D");
        assert!(escaped_readings("simplex:/i#abc").is_empty());
    }
}
