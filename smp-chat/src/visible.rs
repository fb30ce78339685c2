//! Visible text: what a screen may show of words that somebody else wrote.

/// A text as a terminal may show it, whoever wrote parts of it: without the control characters that could move the cursor
/// or rename the window, and without those that reorder or hide what stands beside them. Line breaks and tabs stay.
#[must_use]
pub fn visible(text: &str) -> String {
    text.chars().filter(|character| matches!(character, '\n' | '\t') || is_visible(*character)).collect()
}

/// Whether a character of a text only shows itself. Joiners and selectors that make one emoji of several stay, and so do
/// blank letters: in names they would deceive ([`printable`](crate::printable)), in texts they belong to scripts.
#[must_use]
pub fn is_visible(character: char) -> bool {
    let reorders_or_hides = matches!(character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200c}' | '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e00ff}'
        | '\u{e01f0}'..='\u{e0fff}');
    !character.is_control() && !reorders_or_hides
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_of_a_peer_do_not_reach_the_terminal() {
        assert_eq!(visible("a\u{1b}]0;owned\u{7}b\nc\u{9b}2J"), "a]0;ownedb\nc2J");
        assert_eq!(visible("pay\u{202e}ecila\u{202c} bob"), "payecila bob");
        for hidden in
            ['\u{ad}', '\u{61c}', '\u{180e}', '\u{2028}', '\u{2029}', '\u{e0041}', '\u{206a}', '\u{200b}']
        {
            assert_eq!(visible(&format!("a{hidden}b")), "ab", "{hidden:?}");
        }
        let family = "\u{1f469}\u{200d}\u{1f467} \u{2764}\u{fe0f}";
        assert_eq!(visible(family), family);
    }
}
