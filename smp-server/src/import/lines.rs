//! Lines of a log, one at a time, of bounded length.

use std::io::{self, BufRead};

/// The longest line that is read: a certificate chain or the data of a short link, in base64, are shorter.
pub(super) const MAX_LINE: usize = 256 << 10;

/// Content of one line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// All of it is in the buffer, without the line break.
    Whole,
    /// It is longer than [`MAX_LINE`]; what is in the buffer is its beginning.
    TooLong,
    /// The file ends within it: it was being written when the machine stopped.
    CutOff,
}

/// Reads line by line into one buffer.
pub(super) struct Lines<R> {
    input: R,
    buffer: Vec<u8>,
    number: u64,
}

impl<R: BufRead> Lines<R> {
    /// Starts after `skipped` lines.
    pub(super) fn after(skipped: u64, input: R) -> Self {
        Self { input, buffer: Vec::new(), number: skipped }
    }

    pub(super) fn new(input: R) -> Self {
        Self::after(0, input)
    }

    /// Goes to the next line; `None` at the end of the file.
    pub(super) fn advance(&mut self) -> io::Result<Option<Line>> {
        self.buffer.clear();
        let mut is_too_long = false;
        loop {
            let available = self.input.fill_buf()?;
            if available.is_empty() {
                let is_end = self.buffer.is_empty() && !is_too_long;
                self.number += u64::from(!is_end);
                return Ok((!is_end).then_some(Line::CutOff));
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let part = &available[..end.unwrap_or(available.len())];
            is_too_long |= self.buffer.len() + part.len() > MAX_LINE;
            if !is_too_long {
                self.buffer.extend_from_slice(part);
            }
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                self.number += 1;
                return Ok(Some(if is_too_long { Line::TooLong } else { Line::Whole }));
            }
        }
    }

    /// The line that [`advance`](Self::advance) went to.
    pub(super) fn line(&self) -> &[u8] {
        self.buffer.strip_suffix(b"\r").unwrap_or(&self.buffer)
    }

    /// Its number, from 1.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8]) -> Vec<(u64, Line, Vec<u8>)> {
        let mut lines = Lines::new(io::BufReader::with_capacity(7, input));
        let mut found = Vec::new();
        while let Some(line) = lines.advance().unwrap() {
            found.push((lines.number(), line, lines.line().to_vec()));
        }
        found
    }

    #[test]
    fn lines_are_counted_from_one() {
        assert_eq!(all(b""), []);
        assert_eq!(
            all(b"first line\n\nthird\r\nfour"),
            [
                (1, Line::Whole, b"first line".to_vec()),
                (2, Line::Whole, Vec::new()),
                (3, Line::Whole, b"third".to_vec()),
                (4, Line::CutOff, b"four".to_vec()),
            ]
        );
    }

    #[test]
    fn long_lines_take_no_more_memory() {
        let mut input = vec![b'x'; 3 * MAX_LINE];
        input.extend_from_slice(b"\nshort\n");
        let found = all(&input);
        assert_eq!(found.len(), 2);
        assert_eq!((found[0].0, &found[0].1), (1, &Line::TooLong));
        assert!(found[0].2.len() <= MAX_LINE);
        assert_eq!(found[1], (2, Line::Whole, b"short".to_vec()));
    }
}
