//! Query strings: `name=value&name=value`, percent-escaped.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode, utf8_percent_encode};

use crate::encoding::{DecodeError, TextDecode, TextReader, from_text_bytes};

/// Escaped characters: all but the unreserved ones of RFC 3986.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A query string, searched without taking it apart first.
///
/// `&` and `;` separate parameters, `+` is a space, the first of several parameters of one name counts, others are
/// ignored.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Query<'a>(&'a [u8]);

impl<'a> Query<'a> {
    /// Takes the query that comes next: up to a space, a line break, or the end.
    pub(crate) fn read(input: &mut TextReader<'a>) -> Self {
        Query(input.take_while(|b| b != b' ' && b != b'\n'))
    }

    /// The value of the parameter, empty if it has none.
    pub(crate) fn get(&self, name: &str) -> Option<Vec<u8>> {
        let parameters = self.0.split(|b| matches!(b, b'&' | b';')).filter(|parameter| !parameter.is_empty());
        for parameter in parameters {
            let end = parameter.iter().position(|&b| b == b'=').unwrap_or(parameter.len());
            if percent_decode(&parameter[..end]).map(plus_is_space).eq(name.bytes()) {
                let value = parameter.get(end + 1..).unwrap_or_default();
                return Some(unescape(value));
            }
        }
        None
    }

    /// The value of the parameter, read as a `T`, or `None` if it is absent.
    pub(crate) fn optional<T: TextDecode>(&self, name: &str) -> Result<Option<T>, DecodeError> {
        self.get(name).map(|value| from_text_bytes(&value)).transpose()
    }

    /// The value of the parameter, read as a `T`.
    pub(crate) fn required<T: TextDecode>(&self, name: &str) -> Result<T, DecodeError> {
        self.optional(name)?.ok_or(DecodeError::Invalid("query without a required parameter"))
    }
}

fn plus_is_space(byte: u8) -> u8 {
    if byte == b'+' { b' ' } else { byte }
}

fn unescape(value: &[u8]) -> Vec<u8> {
    // An escaped plus stays one, so spaces come first.
    let spaced: Vec<u8> = value.iter().copied().map(plus_is_space).collect();
    percent_decode(&spaced).collect()
}

/// Appends parameters to a text.
pub(crate) struct QueryWriter<'a> {
    out: &'a mut String,
    first: bool,
}

impl<'a> QueryWriter<'a> {
    /// Begins a query after what is in `out`, which should end with the `?`.
    pub(crate) fn new(out: &'a mut String) -> Self {
        QueryWriter { out, first: true }
    }

    /// Appends a parameter; `name` is not escaped.
    pub(crate) fn add(&mut self, name: &str, value: &str) {
        if !std::mem::take(&mut self.first) {
            self.out.push('&');
        }
        self.out.push_str(name);
        self.out.push('=');
        self.out.extend(utf8_percent_encode(value, ESCAPED));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters() {
        let query = Query(b"a=1;b=x%20y+z%2B&c&a=2&&d=e=f&%65=%zz%4");
        assert_eq!(query.get("a").unwrap(), b"1");
        assert_eq!(query.get("b").unwrap(), b"x y z+");
        assert_eq!(query.get("c").unwrap(), b"");
        assert_eq!(query.get("d").unwrap(), b"e=f");
        assert_eq!(query.get("e").unwrap(), b"%zz%4");
        assert_eq!(query.get(""), None);
        assert_eq!(query.get("f"), None);
    }

    #[test]
    fn escaping() {
        let mut out = String::from("?");
        let mut query = QueryWriter::new(&mut out);
        query.add("a", "b-._~/:+ é");
        query.add("c", "");
        assert_eq!(out, "?a=b-._~%2F%3A%2B%20%C3%A9&c=");
    }
}
