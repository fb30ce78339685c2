//! A text without its white space, and where it was: what was broken into lines can be read on.

/// The gap between two pieces of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gap {
    /// Spaces or tabs.
    Space,
    /// One line break, and the indentation or the quotation marks of the next line.
    Line,
    /// An empty line, or the end of the text: what was before does not go on.
    End,
}

/// A place at which something may end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Break {
    /// Index in the text, in bytes.
    pub(super) at: usize,
    pub(super) gap: Gap,
    /// Number of the line that ends here or goes on here.
    line: usize,
}

/// A text without white space.
#[derive(Debug)]
pub(super) struct Flow {
    pub(super) text: String,
    breaks: Vec<Break>,
    /// How many characters each line had, without its indentation.
    widths: Vec<usize>,
}

impl Flow {
    pub(super) fn of(text: &str) -> Self {
        let mut flow =
            Self { text: String::with_capacity(text.len()), breaks: Vec::new(), widths: Vec::new() };
        let unified = text.replace("\r\n", "\n");
        for line in unified.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']) {
            flow.add_line(line);
        }
        flow.add_break(Gap::End);
        flow
    }

    fn add_line(&mut self, line: &str) {
        let number = self.widths.len();
        let content =
            line.trim_start_matches(|character: char| character.is_whitespace() || ">|".contains(character));
        // A backslash at the end of a line is how shells go on in the next.
        let content = content.trim_end().trim_end_matches('\\');
        self.widths.push(content.trim_end().chars().count());
        let before = self.text.len();
        for word in content.split_whitespace() {
            if self.text.len() > before {
                self.add_break_in(Gap::Space, number);
            }
            self.text.push_str(word);
        }
        // An empty line, also before the first word, widens the break before it.
        self.add_break_in(Gap::Line, number);
    }

    fn add_break(&mut self, gap: Gap) {
        self.add_break_in(gap, self.widths.len().saturating_sub(1));
    }

    fn add_break_in(&mut self, gap: Gap, line: usize) {
        let at = self.text.len();
        match self.breaks.last_mut() {
            Some(last) if last.at == at => last.gap = Gap::End,
            _ => self.breaks.push(Break { at, gap, line }),
        }
    }

    /// Where what begins at `start` may end: at each break behind it, at most at `limit`.
    pub(super) fn ends(&self, start: usize, limit: usize) -> impl Iterator<Item = Break> {
        let until_empty_line = move |ended: &mut bool, place: &Break| {
            let go_on = !*ended;
            *ended = place.gap == Gap::End || place.at >= limit;
            go_on.then_some(Break {
                at: place.at.min(limit),
                gap: if place.at > limit { Gap::End } else { place.gap },
                line: place.line,
            })
        };
        self.breaks.iter().filter(move |place| place.at > start).scan(false, until_empty_line)
    }

    /// Whether there is a break at `at`.
    pub(super) fn has_break(&self, at: usize) -> bool {
        self.breaks.iter().any(|place| place.at == at)
    }

    /// Whether the lines from `start` to `end` look like one that was cut wherever it was full: three or more, all but the last
    /// of one length.
    pub(super) fn is_evenly_wrapped(&self, start: usize, end: Break) -> bool {
        let first = self.breaks.iter().find(|place| place.at > start).map_or(0, |place| place.line);
        let Some(lines) = self.widths.get(first..=end.line) else { return false };
        match lines {
            [full @ .., last] if full.len() >= 2 => {
                full.iter().all(|width| *width == full[0]) && *last <= full[0]
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(text: &str, start: usize) -> Vec<(usize, Gap)> {
        Flow::of(text).ends(start, usize::MAX).map(|end| (end.at, end.gap)).collect()
    }

    #[test]
    fn white_space_becomes_breaks() {
        assert_eq!(Flow::of(" a b\r\n  > c \n\n d").text, "abcd");
        assert_eq!(ends(" a b\r\n  > c \n\n d", 0), [(1, Gap::Space), (2, Gap::Line), (3, Gap::End)]);
        assert_eq!(ends("a\nb\n", 0), [(1, Gap::Line), (2, Gap::End)]);
        assert_eq!(ends("\n\na", 0), [(1, Gap::End)]);
        assert_eq!(ends("", 0), []);
    }

    #[test]
    fn a_limit_cuts() {
        let flow = Flow::of("abc def ghi");
        let ends: Vec<usize> = flow.ends(0, 4).map(|end| end.at).collect();
        assert_eq!(ends, [3, 4]);
    }

    #[test]
    fn even_lines() {
        let wrapped = |text: &str| {
            let flow = Flow::of(text);
            let last = flow.ends(0, usize::MAX).last().unwrap();
            flow.is_evenly_wrapped(0, last)
        };
        assert!(wrapped("abc\ndef\ng") && wrapped("abc\r\ndef\r\nghi"));
        assert!(
            !wrapped("abc\nde\nghi") && !wrapped("abc\ndef") && !wrapped("abc\ndef\nghij") && !wrapped("abc")
        );
    }
}
