//! Line breaks: a text in rows of a width, by columns of the terminal.

use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// Columns to which a tabulator moves on: they are filled with spaces.
const TAB: &str = "    ";

/// The text in rows that are at most `width` columns wide, broken between words where that is possible. A single character that is wider
/// has a row of its own.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let width = width.max(1);
    let mut rows = Vec::new();
    for line in text.split('\n') {
        wrap_line(&line.replace('\t', TAB), width, &mut rows);
    }
    rows
}

fn wrap_line(line: &str, width: usize, rows: &mut Vec<String>) {
    let (mut row, mut columns) = (String::new(), 0);
    for word in line.split_inclusive(' ') {
        // The space behind a word may hang over the edge.
        let needed = word.trim_end_matches(' ').width();
        if columns > 0 && columns + needed > width {
            rows.push(std::mem::take(&mut row).trim_end_matches(' ').to_owned());
            columns = 0;
        }
        for grapheme in word.graphemes(true) {
            let wide = grapheme.width();
            if columns + wide > width && columns > 0 {
                if grapheme == " " {
                    continue;
                }
                rows.push(std::mem::take(&mut row));
                columns = 0;
            }
            row.push_str(grapheme);
            columns += wide;
        }
    }
    rows.push(row.trim_end_matches(' ').to_owned());
}

/// The beginning of a text in one row of at most `width` columns, with a mark if there is more.
pub(super) fn cut(text: &str, width: usize) -> String {
    let line: String = text.chars().map(|c| if matches!(c, '\n' | '\t') { ' ' } else { c }).collect();
    if line.width() <= width {
        return line;
    }
    let (mut row, mut columns) = (String::new(), 0);
    for grapheme in line.graphemes(true) {
        let wide = grapheme.width();
        if columns + wide + 1 > width {
            break;
        }
        row.push_str(grapheme);
        columns += wide;
    }
    if width > 0 {
        row.push('…');
    }
    row
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("the quick brown fox", 10), ["the quick", "brown fox"]);
        assert_eq!(wrap("abcdefghij klm", 4), ["abcd", "efgh", "ij", "klm"]);
        assert_eq!(wrap("", 4), [""]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("one two ", 3), ["one", "two"]);
    }

    #[test]
    fn wide_characters_and_combining_marks_count_as_they_are_shown() {
        assert_eq!(wrap("漢字漢字", 5), ["漢字", "漢字"]);
        assert_eq!(wrap("e\u{301}e\u{301}e\u{301}", 2), ["e\u{301}e\u{301}", "e\u{301}"]);
        assert_eq!(wrap("漢", 1), ["漢"]);
        assert_eq!(cut("漢字漢字", 5), "漢字…");
        assert_eq!(cut("a\nb", 5), "a b");
        assert_eq!(cut("abc", 0), "");
    }

    proptest! {
        #[test]
        fn no_row_is_too_wide_and_no_word_is_lost(text in "[a-z漢é \n]{0,80}", width in 2_usize..30) {
            let rows = wrap(&text, width);
            for row in &rows {
                prop_assert!(row.width() <= width, "{row:?}");
            }
            let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
            prop_assert_eq!(letters(&rows.concat()), letters(&text));
            prop_assert!(cut(&text, width).width() <= width);
        }
    }
}
