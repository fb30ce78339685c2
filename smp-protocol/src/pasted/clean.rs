//! Cleaning of a pasted text before anything is looked for in it, and the escapes in which it may have come.

use std::borrow::Cow;

use percent_encoding::percent_decode_str;

use super::{MAX_PASTED, PasteError};

/// Entities of HTML that stand for characters of links and what is around them; others come by number.
const ENTITIES: [(&str, char); 17] = [
    ("amp", '&'),
    ("apos", '\''),
    ("colon", ':'),
    ("comma", ','),
    ("commat", '@'),
    ("equals", '='),
    ("gt", '>'),
    ("lowbar", '_'),
    ("lt", '<'),
    ("nbsp", ' '),
    ("num", '#'),
    ("percnt", '%'),
    ("period", '.'),
    ("quest", '?'),
    ("quot", '"'),
    ("semi", ';'),
    ("sol", '/'),
];

/// Longest name or number of an entity, in bytes.
const MAX_ENTITY: usize = 8;

/// How often the same escape may have been made of a text.
const MAX_ESCAPES: usize = 3;

/// The characters of a pasted text that count.
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
    for _ in 0..MAX_ESCAPES {
        match without_entities(&seen) {
            Cow::Owned(replaced) => seen = replaced,
            Cow::Borrowed(_) => break,
        }
    }
    seen
}

fn without_entities(text: &str) -> Cow<'_, str> {
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('&') {
        let (before, behind) = rest.split_at(start);
        replaced.push_str(before);
        match entity(&behind[1..]) {
            Some((character, after)) => {
                replaced.push(character);
                rest = after;
            }
            None => {
                replaced.push('&');
                rest = &behind[1..];
            }
        }
    }
    replaced.push_str(rest);
    if replaced == text { Cow::Borrowed(text) } else { Cow::Owned(replaced) }
}

/// The character that an entity stands for, and what follows it.
fn entity(text: &str) -> Option<(char, &str)> {
    let end = text.bytes().take(MAX_ENTITY + 1).position(|byte| byte == b';')?;
    let (name, after) = (&text[..end], &text[end + 1..]);
    let character = match name.strip_prefix('#') {
        None => ENTITIES.iter().find(|(known, _)| *known == name)?.1,
        Some(number) => {
            let code = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(code.ok()?)
                .filter(|character| character.is_ascii_graphic() || *character == ' ')?
        }
    };
    Some((character, after))
}

/// Without the backslashes that scripts, shells and Markdown put before characters of links, if there are any.
pub(super) fn without_backslashes(text: &str) -> Option<String> {
    let script = script(text);
    let plain = without_those_before_punctuation(script.as_deref().unwrap_or(text));
    plain.or(script)
}

fn without_those_before_punctuation(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        let behind = rest[start..].trim_start_matches('\\');
        let is_escape = behind.starts_with(|next: char| next.is_ascii_punctuation());
        let kept = if is_escape { start } else { rest.len() - behind.len() };
        plain.push_str(&rest[..kept]);
        rest = behind;
    }
    plain.push_str(rest);
    (plain.len() < text.len()).then_some(plain)
}

/// Other readings of a text that has no link as it stands, in the order in which they are tried.
pub(super) fn escaped_readings(text: &str) -> Vec<String> {
    let readings = [without_backslashes(text), quoted_printable(text), percent(text)];
    readings.into_iter().flatten().collect()
}

/// With the characters that JSON and scripts write by number, and their line breaks.
fn script(text: &str) -> Option<String> {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('\\') {
        let (before, escape) = rest.split_at(start);
        plain.push_str(before);
        let (character, length) = script_escape(&escape[1..]).unwrap_or(('\\', 0));
        plain.push(character);
        rest = &escape[1 + length..];
    }
    plain.push_str(rest);
    (plain.len() < text.len()).then_some(plain)
}

/// The character that the text behind a backslash stands for, and how many bytes of it.
fn script_escape(text: &str) -> Option<(char, usize)> {
    let digits = match text.bytes().next()? {
        b'n' => return Some(('\n', 1)),
        b'r' => return Some(('\r', 1)),
        b'u' => text.get(1..5)?,
        b'x' => text.get(1..3)?,
        _ => return None,
    };
    let character = char::from(u8::from_str_radix(digits.trim_start_matches("00"), 16).ok()?);
    character.is_ascii_graphic().then_some((character, 1 + digits.len()))
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

/// The whole link as a parameter of another one, perhaps of one that is a parameter itself: it ends where that parameter ends.
fn percent(text: &str) -> Option<String> {
    let start = escaped_scheme(&text.to_ascii_lowercase())?;
    let parameter = text[start..].split(['&', ' ', '\t', '\r', '\n', '"', '\'', '<', '>']).next()?;
    let mut decoded = parameter.to_owned();
    for _ in 0..MAX_ESCAPES {
        decoded = percent_decode_str(&decoded).decode_utf8().ok()?.into_owned();
        if escaped_scheme(&decoded.to_ascii_lowercase()) != Some(0) {
            break;
        }
    }
    Some(decoded)
}

/// Where a scheme begins whose colon is escaped, however often.
fn escaped_scheme(lower: &str) -> Option<usize> {
    let is_colon = |rest: &str| rest.strip_prefix('%').is_some_and(is_three_a);
    let found = ["simplex", "https", "http", "smp"].iter().filter_map(|scheme| {
        lower
            .match_indices(scheme)
            .map(|(start, _)| start)
            .find(|start| is_colon(&lower[start + scheme.len()..]))
    });
    found.min()
}

fn is_three_a(mut code: &str) -> bool {
    while let Some(rest) = code.strip_prefix("25") {
        code = rest;
    }
    code.starts_with("3a")
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
        assert_eq!(clean("&#61;&#x2F;&#X3d;&equals;&apos;&amp;amp;"), "=/=='&");
        assert_eq!(clean("&;&#;&#x;&#0;&#8203;&nothing;&p=1&v;&"), "&;&#;&#x;&#0;&#8203;&nothing;&p=1&v;&");
    }

    #[test]
    fn escapes_are_undone_once() {
        assert_eq!(without_backslashes(r"https:\/\/a\u0026b").unwrap(), "https://a&b");
        assert_eq!(without_backslashes(r"a\u0026b\x3D\u003d\u002F\n").unwrap(), "a&b==/\n");
        assert_eq!(without_backslashes(r"\u00e9\u12\xfé\q"), None);
        assert_eq!(quoted_printable("v=3D2&smp=3Dsmp%3A=\r\n/x").unwrap(), "v=2&smp=smp%3A/x");
        assert_eq!(percent("u=https%3A%2F%2Fa%23%253D&v=1").unwrap(), "https://a#%3D");
        assert_eq!(percent("u=https%253A%252F%252Fa%2523%25253D&v=1").unwrap(), "https://a#%3D");
        assert_eq!(without_backslashes(r"a\_b\\#\n\").unwrap(), "a_b#\n\\");
        assert!(escaped_readings("simplex:/i#abc").is_empty());
    }
}
