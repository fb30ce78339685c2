//! Fields of a line, separated by single spaces.

use smp_crypto::{DhSecret, PublicAuthKey, base64url};

/// The fault of a line. It never repeats the line's content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(super) struct Wrong(pub(super) &'static str);

pub(super) type Result<T> = std::result::Result<T, Wrong>;

/// The fields that were not read yet.
pub(super) struct Fields<'a> {
    rest: Option<&'a [u8]>,
}

impl<'a> Fields<'a> {
    pub(super) fn of(line: &'a [u8]) -> Self {
        Self { rest: Some(line) }
    }

    /// The next field, maybe an empty one.
    pub(super) fn next(&mut self) -> Result<&'a [u8]> {
        let rest = self.rest.take().ok_or(Wrong("a field is missing"))?;
        let end = rest.iter().position(|byte| *byte == b' ');
        self.rest = end.map(|end| &rest[end + 1..]);
        Ok(&rest[..end.unwrap_or(rest.len())])
    }

    /// The next field without its name.
    pub(super) fn named(&mut self, name: &str) -> Result<&'a [u8]> {
        self.next()?.strip_prefix(name.as_bytes()).ok_or(Wrong("a field has another name than expected"))
    }

    /// The next field without its name, if it has this name; otherwise it stays.
    pub(super) fn optional(&mut self, name: &str) -> Option<&'a [u8]> {
        self.rest?.starts_with(name.as_bytes()).then(|| self.named(name).ok()).flatten()
    }

    /// Nothing may follow; a space at the end does no harm.
    pub(super) fn end(self) -> Result<()> {
        match self.rest {
            None | Some(b"") => Ok(()),
            Some(_) => Err(Wrong("more fields than expected")),
        }
    }
}

/// base64url with its padding, so that a text that was cut off is noticed.
pub(super) fn bytes(text: &[u8]) -> Result<Vec<u8>> {
    if !text.len().is_multiple_of(4) {
        return Err(Wrong("incomplete base64"));
    }
    base64url::decode(text).map_err(|_| Wrong("wrong base64"))
}

/// An ID of a queue, link, message or service: 1 to 255 bytes.
pub(super) fn id<T: for<'b> TryFrom<&'b [u8]>>(text: &[u8]) -> Result<T> {
    let bytes = bytes(text)?;
    if bytes.is_empty() {
        return Err(Wrong("an ID is empty"));
    }
    T::try_from(&bytes).map_err(|_| Wrong("an ID is too long"))
}

/// A key that authorizes commands, in DER.
pub(super) fn key(text: &[u8]) -> Result<PublicAuthKey> {
    PublicAuthKey::from_der(&bytes(text)?).map_err(|_| Wrong("wrong public key"))
}

/// One or more keys separated by commas.
pub(super) fn keys(text: &[u8]) -> Result<Vec<PublicAuthKey>> {
    text.split(|byte| *byte == b',').map(key).collect()
}

/// Output of X25519.
pub(super) fn secret(text: &[u8]) -> Result<DhSecret> {
    let bytes = zeroize::Zeroizing::new(bytes(text)?);
    DhSecret::from_slice(&bytes).ok_or(Wrong("a secret has another length than 32 bytes"))
}

/// A decimal number.
pub(super) fn number(text: &[u8]) -> Result<u64> {
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return Err(Wrong("wrong number"));
    }
    let text = std::str::from_utf8(text).map_err(|_| Wrong("wrong number"))?;
    text.parse().map_err(|_| Wrong("the number is too large"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_separated_by_single_spaces() {
        let mut fields = Fields::of(b"rid=1 sk= mode=M  end");
        assert_eq!(fields.named("rid="), Ok(&b"1"[..]));
        assert_eq!(fields.optional("rk="), None);
        assert_eq!(fields.optional("sk="), Some(&b""[..]));
        assert_eq!(fields.next(), Ok(&b"mode=M"[..]));
        assert_eq!(fields.next(), Ok(&b""[..]));
        assert_eq!(fields.next(), Ok(&b"end"[..]));
        assert!(fields.next().is_err());
        assert!(Fields::of(b"").end().is_ok());
        assert!(Fields::of(b"x").end().is_err());
    }

    #[test]
    fn cut_off_base64_is_noticed() {
        assert_eq!(bytes(b"_w=="), Ok(vec![0xff]));
        for text in [&b"_w="[..], b"_w", b"AAAAA", b"AA A", b"++++"] {
            assert!(bytes(text).is_err());
        }
    }

    #[test]
    fn numbers_have_digits_only() {
        assert_eq!(number(b"1795305600"), Ok(1_795_305_600));
        for text in [&b""[..], b"-1", b"+1", b"1.5", b"99999999999999999999"] {
            assert!(number(text).is_err());
        }
    }
}
