//! The few DER forms that a certificate of a relay is made of (ITU-T X.690).

use time::OffsetDateTime;

/// DER tags that certificates use.
mod tag {
    pub(super) const BOOLEAN: u8 = 0x01;
    pub(super) const INTEGER: u8 = 0x02;
    pub(super) const BIT_STRING: u8 = 0x03;
    pub(super) const OCTET_STRING: u8 = 0x04;
    pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
    pub(super) const UTF8_STRING: u8 = 0x0c;
    pub(super) const UTC_TIME: u8 = 0x17;
    pub(super) const GENERALIZED_TIME: u8 = 0x18;
    pub(super) const SEQUENCE: u8 = 0x30;
    pub(super) const SET: u8 = 0x31;
}

/// The first year that is written as GeneralizedTime (RFC 5280, 4.1.2.5).
const FIRST_GENERALIZED_YEAR: i32 = 2050;

/// One value: tag, length in the shortest form, contents.
pub(super) fn value(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(length + 6);
    out.push(tag);
    push_length(&mut out, length);
    for part in contents {
        out.extend_from_slice(part);
    }
    out
}

fn push_length(out: &mut Vec<u8>, length: usize) {
    if let Ok(short @ 0..=0x7f) = u8::try_from(length) {
        out.push(short);
        return;
    }
    let bytes = length.to_be_bytes();
    let significant = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
    let bytes = bytes.get(significant..).unwrap_or_default();
    // at most 8 bytes, so the count fits
    out.push(0x80 | bytes.len() as u8);
    out.extend_from_slice(bytes);
}

pub(super) fn sequence(contents: &[&[u8]]) -> Vec<u8> {
    value(tag::SEQUENCE, contents)
}

pub(super) fn set(contents: &[&[u8]]) -> Vec<u8> {
    value(tag::SET, contents)
}

pub(super) fn object_identifier(body: &[u8]) -> Vec<u8> {
    value(tag::OBJECT_IDENTIFIER, &[body])
}

pub(super) fn octet_string(bytes: &[u8]) -> Vec<u8> {
    value(tag::OCTET_STRING, &[bytes])
}

pub(super) fn boolean_true() -> Vec<u8> {
    value(tag::BOOLEAN, &[&[0xff]])
}

/// A non-negative number given by its big-endian bytes without leading zeros.
pub(super) fn unsigned(bytes: &[u8]) -> Vec<u8> {
    match bytes.first() {
        Some(first) if first & 0x80 != 0 => value(tag::INTEGER, &[&[0], bytes]),
        _ => value(tag::INTEGER, &[bytes]),
    }
}

/// A string of bits, `unused` of the last byte (0 to 7) not belonging to it.
pub(super) fn bit_string(unused: u8, bytes: &[u8]) -> Vec<u8> {
    value(tag::BIT_STRING, &[&[unused], bytes])
}

pub(super) fn utf8_string(text: &str) -> Vec<u8> {
    value(tag::UTF8_STRING, &[text.as_bytes()])
}

/// An explicit tag `[number]` around a value.
pub(super) fn explicit(number: u8, contents: &[u8]) -> Vec<u8> {
    value(0xa0 | number, &[contents])
}

/// An implicit primitive tag `[number]`.
pub(super) fn implicit(number: u8, contents: &[u8]) -> Vec<u8> {
    value(0x80 | number, &[contents])
}

/// A time as certificates write it: UTCTime before 2050, GeneralizedTime from then on.
pub(super) fn certificate_time(at: OffsetDateTime) -> Vec<u8> {
    let at = at.to_offset(time::UtcOffset::UTC);
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if at.year() < FIRST_GENERALIZED_YEAR {
        let text = format!("{:02}{rest}", at.year().rem_euclid(100));
        value(tag::UTC_TIME, &[text.as_bytes()])
    } else {
        let text = format!("{:04}{rest}", at.year());
        value(tag::GENERALIZED_TIME, &[text.as_bytes()])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn lengths_take_the_shortest_form() {
        assert_eq!(value(4, &[])[..], [4, 0]);
        assert_eq!(value(4, &[&[7; 127]])[..2], [4, 127]);
        assert_eq!(value(4, &[&[7; 128]])[..3], [4, 0x81, 128]);
        assert_eq!(value(4, &[&[7; 200], &[7; 56]])[..4], [4, 0x82, 1, 0]);
    }

    #[test]
    fn numbers_stay_positive() {
        assert_eq!(unsigned(&[0x7f])[..], [2, 1, 0x7f]);
        assert_eq!(unsigned(&[0x80])[..], [2, 2, 0, 0x80]);
    }

    #[test]
    fn times_change_form_in_2050() {
        assert_eq!(certificate_time(datetime!(2049-12-31 23:59:58 UTC))[2..], *b"491231235958Z");
        let late = certificate_time(datetime!(2050-01-02 03:04:05 UTC));
        assert_eq!((late[0], &late[2..]), (0x18, &b"20500102030405Z"[..]));
        assert_eq!(certificate_time(datetime!(2026-01-01 01:00 +2))[2..], *b"251231230000Z");
    }
}
