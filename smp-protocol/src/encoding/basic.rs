//! Numbers, flags, optional values, tuples and times.

use time::format_description::well_known::Iso8601;
use time::{OffsetDateTime, UtcOffset};

use super::{Decode, DecodeError, Encode, Reader, TextDecode, TextEncode, TextReader};

macro_rules! number {
    ($($number:ty),+) => {$(
        impl Encode for $number {
            fn encode(&self, out: &mut Vec<u8>) {
                out.extend_from_slice(&self.to_be_bytes());
            }
        }

        impl Decode<'_> for $number {
            fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
                Ok(<$number>::from_be_bytes(input.array()?))
            }
        }
    )+};
}

macro_rules! text_number {
    ($($number:ty),+) => {$(
        impl TextEncode for $number {
            fn text_encode(&self, out: &mut String) {
                out.push_str(&self.to_string());
            }
        }
    )+};
}

number!(u8, u16, u32, i64);
text_number!(u16, u32, i64);

impl TextDecode for u16 {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        u16::try_from(input.decimal()?).map_err(|_| DecodeError::Invalid("number over 65535"))
    }
}

impl TextDecode for u32 {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        u32::try_from(input.decimal()?).map_err(|_| DecodeError::Invalid("number over 4294967295"))
    }
}

impl TextDecode for i64 {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        let negative = input.skip(b"-");
        if !negative {
            input.skip(b"+");
        }
        let magnitude = i128::from(input.decimal()?);
        i64::try_from(if negative { -magnitude } else { magnitude })
            .map_err(|_| DecodeError::Invalid("number of more than 64 bits"))
    }
}

impl Encode for bool {
    fn encode(&self, out: &mut Vec<u8>) {
        out.push(if *self { b'T' } else { b'F' });
    }
}

impl Decode<'_> for bool {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'T' => Ok(true),
            b'F' => Ok(false),
            _ => Err(DecodeError::Invalid("flag")),
        }
    }
}

impl TextEncode for bool {
    fn text_encode(&self, out: &mut String) {
        out.push(if *self { 'T' } else { 'F' });
    }
}

impl TextDecode for bool {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'T' => Ok(true),
            b'F' => Ok(false),
            _ => Err(DecodeError::Invalid("flag")),
        }
    }
}

impl<T: Encode> Encode for Option<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            None => out.push(b'0'),
            Some(value) => {
                out.push(b'1');
                value.encode(out);
            }
        }
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for Option<T> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'0' => Ok(None),
            b'1' => Ok(Some(T::decode(input)?)),
            _ => Err(DecodeError::Invalid("tag of an optional value")),
        }
    }
}

impl<T: TextEncode> TextEncode for Option<T> {
    fn text_encode(&self, out: &mut String) {
        if let Some(value) = self {
            value.text_encode(out);
        }
    }
}

impl<T: TextDecode> TextDecode for Option<T> {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        // Absent values have no mark in text: what cannot be read as the value is left for what follows.
        let mut ahead = *input;
        match T::text_decode(&mut ahead) {
            Ok(value) => {
                *input = ahead;
                Ok(Some(value))
            }
            Err(_) => Ok(None),
        }
    }
}

macro_rules! tuple {
    ($($name:ident $index:tt),+) => {
        impl<$($name: Encode),+> Encode for ($($name,)+) {
            fn encode(&self, out: &mut Vec<u8>) {
                $(self.$index.encode(out);)+
            }
        }

        impl<'a, $($name: Decode<'a>),+> Decode<'a> for ($($name,)+) {
            fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
                Ok(($($name::decode(input)?,)+))
            }
        }
    };
}

tuple!(A 0, B 1);
tuple!(A 0, B 1, C 2);
tuple!(A 0, B 1, C 2, D 3);
tuple!(A 0, B 1, C 2, D 3, E 4);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

impl<A: TextEncode, B: TextEncode> TextEncode for (A, B) {
    fn text_encode(&self, out: &mut String) {
        self.0.text_encode(out);
        out.push(' ');
        self.1.text_encode(out);
    }
}

impl<A: TextDecode, B: TextDecode> TextDecode for (A, B) {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        let first = A::text_decode(input)?;
        input.expect(b" ")?;
        Ok((first, B::text_decode(input)?))
    }
}

/// A time in whole seconds since 1970-01-01 00:00 UTC, 8 bytes (`systemTime`).
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UnixSeconds(pub i64);

impl From<std::time::SystemTime> for UnixSeconds {
    /// Parts of a second are dropped, times before 1970 and after the year 292 billion become the nearest possible.
    fn from(time: std::time::SystemTime) -> Self {
        let seconds = time.duration_since(std::time::UNIX_EPOCH).map_or(0, |d| d.as_secs());
        UnixSeconds(i64::try_from(seconds).unwrap_or(i64::MAX))
    }
}

impl Encode for UnixSeconds {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
    }
}

impl Decode<'_> for UnixSeconds {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        i64::decode(input).map(UnixSeconds)
    }
}

impl TextEncode for UnixSeconds {
    fn text_encode(&self, out: &mut String) {
        self.0.text_encode(out);
    }
}

impl TextDecode for UnixSeconds {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        i64::text_decode(input).map(UnixSeconds)
    }
}

/// A time in its ISO 8601 text form `2023-11-14T22:13:20.5Z`, UTC, up to nanoseconds without zeros at the end.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct UtcTime(OffsetDateTime);

impl UtcTime {
    /// The time that is `seconds` and `nanoseconds` after 1970-01-01 00:00 UTC.
    ///
    /// `None` if it is not in the years 0 to 9999, or `nanoseconds` is a second or more.
    pub fn new(seconds: i64, nanoseconds: u32) -> Option<Self> {
        let time = OffsetDateTime::from_unix_timestamp(seconds).ok()?.replace_nanosecond(nanoseconds).ok()?;
        (0..=9999).contains(&time.year()).then_some(UtcTime(time))
    }

    /// Whole seconds since 1970-01-01 00:00 UTC.
    pub fn seconds(&self) -> i64 {
        self.0.unix_timestamp()
    }

    /// The nanoseconds within the second.
    pub fn nanoseconds(&self) -> u32 {
        self.0.nanosecond()
    }
}

impl TextEncode for UtcTime {
    fn text_encode(&self, out: &mut String) {
        let t = &self.0;
        let (date, time) = ((t.year(), u8::from(t.month()), t.day()), (t.hour(), t.minute(), t.second()));
        out.push_str(&format!("{:04}-{:02}-{:02}T", date.0, date.1, date.2));
        out.push_str(&format!("{:02}:{:02}:{:02}", time.0, time.1, time.2));
        if t.nanosecond() > 0 {
            out.push('.');
            out.push_str(format!("{:09}", t.nanosecond()).trim_end_matches('0'));
        }
        out.push('Z');
    }
}

impl TextDecode for UtcTime {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        const ERROR: DecodeError = DecodeError::Invalid("time");
        let text = input.take_while(|b| !matches!(b, b' ' | b'\n' | b',' | b';'));
        let text = std::str::from_utf8(text).map_err(|_| ERROR)?;
        if !text.ends_with('Z') {
            return Err(ERROR);
        }
        let time = OffsetDateTime::parse(text, &Iso8601::PARSING).map_err(|_| ERROR)?;
        if time.offset() != UtcOffset::UTC || !(0..=9999).contains(&time.year()) {
            return Err(ERROR);
        }
        Ok(UtcTime(time))
    }
}
