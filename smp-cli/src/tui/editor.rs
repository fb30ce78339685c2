//! The line editor: a text with a cursor, in characters as people see them.

use std::ops::Range;

use smp_chat::visible;
use unicode_segmentation::UnicodeSegmentation as _;
use unicode_width::UnicodeWidthStr as _;

/// A text that is being typed. The cursor stands between two characters as people see them (grapheme clusters).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Editor {
    text: String,
    /// In bytes.
    cursor: usize,
}

/// An editor in rows.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rows {
    /// The rows, as parts of the text.
    pub(super) rows: Vec<Range<usize>>,
    /// Row and column of the cursor.
    pub(super) cursor: (usize, usize),
}

impl Editor {
    /// With this text, and the cursor behind it.
    pub(super) fn of(text: &str) -> Self {
        Self { text: text.to_owned(), cursor: text.len() }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    /// Takes the text, and begins a new one.
    pub(super) fn take(&mut self) -> String {
        self.cursor = 0;
        std::mem::take(&mut self.text)
    }

    /// Inserts what was typed or pasted, without what a terminal must not get. Returns whether it fits into `limit` bytes; else nothing
    /// is inserted.
    pub(super) fn insert(&mut self, text: &str, limit: usize) -> bool {
        let text = visible(&text.replace("\r\n", "\n").replace('\r', "\n"));
        if self.text.len() + text.len() > limit {
            return false;
        }
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
        self.snap();
        true
    }

    pub(super) fn backspace(&mut self) {
        self.delete_from(self.before());
    }

    pub(super) fn delete(&mut self) {
        let after = self.after();
        self.text.replace_range(self.cursor..after, "");
        self.snap();
    }

    /// Deletes the word before the cursor.
    pub(super) fn delete_word(&mut self) {
        self.delete_from(self.word_before());
    }

    /// Deletes from the beginning of the line.
    pub(super) fn delete_line(&mut self) {
        match self.line_start() {
            start if start == self.cursor => self.backspace(),
            start => self.delete_from(start),
        }
    }

    fn delete_from(&mut self, start: usize) {
        self.text.replace_range(start..self.cursor, "");
        self.cursor = start;
        self.snap();
    }

    /// Goes behind the character that the parts around the cursor may have become.
    fn snap(&mut self) {
        let mut ends = self.text.grapheme_indices(true).map(|(at, grapheme)| at + grapheme.len());
        if self.cursor > 0 {
            self.cursor = ends.find(|end| *end >= self.cursor).unwrap_or(self.text.len());
        }
    }

    pub(super) fn left(&mut self) {
        self.cursor = self.before();
    }

    pub(super) fn right(&mut self) {
        self.cursor = self.after();
    }

    pub(super) fn word_left(&mut self) {
        self.cursor = self.word_before();
    }

    pub(super) fn word_right(&mut self) {
        let words = self.text.unicode_word_indices().map(|(at, word)| at + word.len());
        self.cursor = words.filter(|end| *end > self.cursor).min().unwrap_or(self.text.len());
    }

    /// To the beginning of the line.
    pub(super) fn home(&mut self) {
        self.cursor = self.line_start();
    }

    /// To the end of the line.
    pub(super) fn end(&mut self) {
        self.cursor = self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at);
    }

    /// To the row above, in rows of this width. Returns whether there is one.
    pub(super) fn up(&mut self, width: usize) -> bool {
        let Rows { rows, cursor: (row, column) } = self.rows(width);
        self.go_to(row.checked_sub(1).and_then(|row| rows.get(row)).cloned(), column)
    }

    /// To the row below, in rows of this width. Returns whether there is one.
    pub(super) fn down(&mut self, width: usize) -> bool {
        let Rows { rows, cursor: (row, column) } = self.rows(width);
        self.go_to(rows.get(row + 1).cloned(), column)
    }

    fn go_to(&mut self, row: Option<Range<usize>>, column: usize) -> bool {
        let Some(row) = row else { return false };
        let (mut at, mut columns) = (row.start, 0);
        for grapheme in self.text[row].graphemes(true) {
            columns += grapheme.width();
            if columns > column {
                break;
            }
            at += grapheme.len();
        }
        self.cursor = at;
        true
    }

    /// The text in rows of at most this many columns: broken anywhere, so that the cursor moves evenly.
    pub(super) fn rows(&self, width: usize) -> Rows {
        let width = width.max(1);
        let mut rows = Vec::new();
        let (mut start, mut column, mut cursor) = (0, 0, (0, 0));
        for (at, grapheme) in self.text.grapheme_indices(true) {
            let wide = grapheme.width();
            if grapheme != "\n" && column + wide > width && column > 0 {
                rows.push(start..at);
                (start, column) = (at, 0);
            }
            if at == self.cursor {
                cursor = (rows.len(), column);
            }
            if grapheme == "\n" {
                rows.push(start..at);
                (start, column) = (at + grapheme.len(), 0);
            } else {
                column += wide;
            }
        }
        if self.cursor == self.text.len() {
            // Behind a full row it stands in the next one.
            if column >= width {
                rows.push(start..self.text.len());
                (start, column) = (self.text.len(), 0);
            }
            cursor = (rows.len(), column);
        }
        rows.push(start..self.text.len());
        Rows { rows, cursor }
    }

    fn before(&self) -> usize {
        self.text[..self.cursor].grapheme_indices(true).next_back().map_or(0, |(at, _)| at)
    }

    fn after(&self) -> usize {
        self.text[self.cursor..].graphemes(true).next().map_or(self.cursor, |next| self.cursor + next.len())
    }

    fn word_before(&self) -> usize {
        self.text[..self.cursor].unicode_word_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn line_start(&self) -> usize {
        self.text[..self.cursor].rfind('\n').map_or(0, |at| at + 1)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LIMIT: usize = 1000;

    fn typed(text: &str) -> Editor {
        let mut editor = Editor::default();
        assert!(editor.insert(text, LIMIT));
        editor
    }

    #[test]
    fn characters_are_those_that_people_see() {
        // A family of one emoji, an e with an accent of its own, a flag.
        let mut editor = typed("a👨‍👩‍👧e\u{301}🇩🇪");
        for left in ["a👨‍👩‍👧e\u{301}", "a👨‍👩‍👧", "a", ""] {
            editor.backspace();
            assert_eq!(editor.text(), left);
        }
        editor.backspace();
        let mut editor = typed("e");
        editor.insert("\u{301}", LIMIT);
        editor.insert("x", LIMIT);
        editor.left();
        editor.left();
        editor.delete();
        assert_eq!(editor.text(), "x");
    }

    #[test]
    fn pasted_text_has_lines_and_nothing_that_moves_the_terminal() {
        assert_eq!(typed("a\r\nb\rc\u{1b}[2J\u{202e}d").text(), "a\nb\nc[2Jd");
        assert!(!typed("abc").insert(&"x".repeat(998), LIMIT));
    }

    #[test]
    fn words_and_lines() {
        let mut editor = typed("one two\nthree four");
        editor.delete_word();
        assert_eq!(editor.text(), "one two\nthree ");
        editor.word_left();
        editor.insert("X", LIMIT);
        assert_eq!(editor.text(), "one two\nXthree ");
        editor.delete_line();
        assert_eq!(editor.text(), "one two\nthree ");
        editor.delete_line();
        assert_eq!(editor.text(), "one twothree ");
        editor.home();
        editor.word_right();
        editor.insert("!", LIMIT);
        editor.end();
        editor.insert("?", LIMIT);
        assert_eq!(editor.text(), "one! twothree ?");
    }

    #[test]
    fn rows_and_the_cursor_in_them() {
        let mut editor = typed("漢字x\ny");
        assert_eq!(editor.rows(4), Rows { rows: vec![0..6, 6..7, 8..9], cursor: (2, 1) });
        assert!(editor.up(4) && editor.up(4));
        assert_eq!(editor.rows(4).cursor, (0, 0));
        assert!(!editor.up(4));
        assert!(editor.down(4) && editor.down(4) && !editor.down(4));
        assert_eq!(typed("abcd").rows(4), Rows { rows: vec![0..4, 4..4], cursor: (1, 0) });
    }

    proptest! {
        #[test]
        fn any_keys_in_any_order(keys in proptest::collection::vec((0_usize..14, "[a漢\u{301}👍\n \u{200d}]{0,3}"), 0..60), width in 1_usize..9) {
            let mut editor = Editor::default();
            for (key, text) in keys {
                match key {
                    0 => editor.backspace(),
                    1 => editor.delete(),
                    2 => editor.left(),
                    3 => editor.right(),
                    4 => editor.home(),
                    5 => editor.end(),
                    6 => editor.word_left(),
                    7 => editor.word_right(),
                    8 => editor.delete_word(),
                    9 => editor.delete_line(),
                    10 => { editor.up(width); }
                    11 => { editor.down(width); }
                    _ => { editor.insert(&text, LIMIT); }
                }
                let Rows { rows, cursor } = editor.rows(width);
                prop_assert!(cursor.0 < rows.len());
                prop_assert!(cursor.1 <= width.max(2));
                let joined: String = rows.iter().map(|row| &editor.text()[row.clone()]).collect();
                prop_assert_eq!(joined, editor.text().replace('\n', ""));
            }
        }
    }
}
