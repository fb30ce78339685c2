//! Names: a contact chooses their own, people tell them apart by eye.

use crate::visible::is_visible;

/// Longest name of a contact that is kept, in characters: a peer chooses it, and it is printed.
pub const MAX_NAME: usize = 60;

/// A name as it may be printed: without characters that nobody sees (two names that differ in them only would look alike),
/// with single spaces, none at its ends, and not endless. Empty if nothing is left.
#[must_use]
pub fn printable(name: &str) -> String {
    let spaced: String =
        name.chars().map(|character| if character.is_whitespace() { ' ' } else { character }).collect();
    let seen: String = spaced.chars().filter(|character| is_seen(*character)).collect();
    let words: Vec<&str> = seen.split(' ').filter(|word| !word.is_empty()).collect();
    let name: String = words.join(" ").chars().take(MAX_NAME).collect();
    name.trim_end().to_owned()
}

/// Whether people at other apps can write to somebody of this name: theirs take `@` and `#` at its beginning for commands, and
/// quotation marks for the end of a name.
#[must_use]
pub fn is_addressable(name: &str) -> bool {
    let breaks = |character: char| {
        matches!(character, '\'' | '"' | '`' | '\u{2018}'..='\u{201f}' | '\u{ff07}' | '\u{ff02}')
    };
    let begins_well = name.chars().next().is_some_and(|first| {
        !first.is_ascii_punctuation() || matches!(first, '$' | '+' | '<' | '=' | '>' | '^' | '|' | '~')
    });
    begins_well && !name.contains(breaks)
}

/// Whether a character of a name leaves something on the screen, or is a space.
fn is_seen(character: char) -> bool {
    // Characters that texts may have and names may not: joiners and selectors of emoji, signs in front of numbers, blank letters.
    let unseen_or_blank = matches!(character,
        '\u{34f}' | '\u{600}'..='\u{605}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}' | '\u{8e2}'
        | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}' | '\u{200d}' | '\u{2800}'
        | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{110bd}' | '\u{110cd}' | '\u{13430}'..='\u{1343f}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}');
    is_visible(character) && !unseen_or_blank
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_look_alike_are_alike() {
        let alike = [
            "bob",
            " bob ",
            "bo\u{200d}b",
            "bob\u{200b} ",
            "\u{ad}bob",
            "b\u{61c}ob",
            "bob\u{180e}",
            "bob\u{2028}",
            "\u{3164}bob",
            "bob\u{115f}",
            "bob\u{e0041}",
            "\u{feff}bob",
            "bob\u{fe0f}",
            "bob\u{2800}",
            "bob\u{a0}",
            "\u{e0000}\u{e007f} bob",
            "b\u{34f}ob",
            "bob\u{1d173}",
            "bob\u{0}",
            "\t bob\n",
        ];
        for name in alike {
            assert_eq!(printable(name), "bob", "{name:?}");
        }
        assert_eq!(printable("anna  maria\u{3000}b"), "anna maria b");
        assert_eq!(printable("\u{200d}\u{3164} \u{e0020}"), "");
        assert_eq!(printable("Ольга 李 José"), "Ольга 李 José");
        assert_eq!(printable(&"ab ".repeat(30)).chars().count(), 59);
    }

    #[test]
    fn names_that_apps_cannot_address() {
        for name in
            ["bob", "Ольга 李", "bob@home", "a#1", "🦀", "$cash", "7of9", "~root", "Anna-Maria", "J. Doe"]
        {
            assert!(is_addressable(name), "{name}");
        }
        for name in ["@bob", "#team", "O'Brien", "\"x\"", "-v", "/x", "", "‘bob’", "`id`", "*", "!", "(bob)"]
        {
            assert!(!is_addressable(name), "{name}");
        }
    }

    #[test]
    fn a_printable_name_stays_as_it_is() {
        for name in ["bob", "a\u{200d}b  c", &"x".repeat(100), &format!("{} b", "x".repeat(59))] {
            let once = printable(name);
            assert_eq!(printable(&once), once);
        }
    }
}
