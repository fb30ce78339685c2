//! Lists with a count byte in front.

use super::{Decode, DecodeError, Encode, Reader, TextDecode, TextEncode, TextReader, TooLong};

/// The most items in a [`List`] or [`NonEmpty`].
pub const MAX_ITEMS: usize = 255;

/// 0 to 255 items: a count byte, then the items.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct List<T>(Vec<T>);

/// 1 to 255 items: a count byte that is not 0, then the items. In text, items are separated by commas.
///
/// Source: section 1.1 (`protocol-spec/1-primitives.md`).
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NonEmpty<T>(Vec<T>);

fn check<T>(items: &[T]) -> Result<(), TooLong> {
    if items.len() > MAX_ITEMS {
        return Err(TooLong { length: items.len(), maximum: MAX_ITEMS });
    }
    Ok(())
}

fn encode_items<T: Encode>(items: &[T], out: &mut Vec<u8>) {
    // The constructors have checked that the count fits.
    out.push(items.len() as u8);
    items.iter().for_each(|item| item.encode(out));
}

fn decode_items<'a, T: Decode<'a>>(input: &mut Reader<'a>) -> Result<Vec<T>, DecodeError> {
    let count = input.byte()?;
    // The count may be a lie: no more memory in advance than there are bytes left.
    let room = input.remaining().len() / size_of::<T>().max(1);
    let mut items = Vec::with_capacity(room.min(count.into()));
    for _ in 0..count {
        items.push(T::decode(input)?);
    }
    Ok(items)
}

impl<T> List<T> {
    /// Takes at most 255 items.
    ///
    /// # Errors
    /// [`TooLong`] if there are more.
    pub fn new(items: Vec<T>) -> Result<Self, TooLong> {
        check(&items)?;
        Ok(List(items))
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The items.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }
}

impl<T> NonEmpty<T> {
    /// Takes 1 to 255 items; `None` if there are none or more.
    pub fn new(items: Vec<T>) -> Option<Self> {
        (!items.is_empty() && check(&items).is_ok()).then_some(NonEmpty(items))
    }

    /// A list of one item.
    pub fn one(item: T) -> Self {
        NonEmpty(vec![item])
    }

    /// The first item.
    pub fn first(&self) -> &T {
        // There always is one: both ways to build the list check it.
        &self.0[0]
    }

    /// The items.
    pub fn as_slice(&self) -> &[T] {
        &self.0
    }

    /// The items.
    pub fn into_vec(self) -> Vec<T> {
        self.0
    }

    /// The list with every item changed by `change`.
    pub fn map<U>(self, change: impl FnMut(T) -> U) -> NonEmpty<U> {
        NonEmpty(self.0.into_iter().map(change).collect())
    }

    /// The items in order.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }
}

impl<'a, T> IntoIterator for &'a NonEmpty<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl<T: Encode> Encode for List<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_items(&self.0, out);
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for List<T> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(List(decode_items(input)?))
    }
}

impl<T: Encode> Encode for NonEmpty<T> {
    fn encode(&self, out: &mut Vec<u8>) {
        encode_items(&self.0, out);
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for NonEmpty<T> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        NonEmpty::new(decode_items(input)?).ok_or(DecodeError::Invalid("empty list"))
    }
}

impl<T: TextEncode> TextEncode for NonEmpty<T> {
    fn text_encode(&self, out: &mut String) {
        for (index, item) in self.0.iter().enumerate() {
            if index > 0 {
                out.push(',');
            }
            item.text_encode(out);
        }
    }
}

impl<T: TextDecode> TextDecode for NonEmpty<T> {
    fn text_decode(input: &mut TextReader<'_>) -> Result<Self, DecodeError> {
        let mut items = vec![text_item(input)?];
        // One item more than allowed shows that there are too many.
        while items.len() <= MAX_ITEMS {
            // A comma belongs to the list only if an item follows it.
            let mut ahead = *input;
            if !ahead.skip(b",") {
                break;
            }
            let Ok(item) = text_item(&mut ahead) else { break };
            *input = ahead;
            items.push(item);
        }
        NonEmpty::new(items).ok_or(DecodeError::Invalid("list with more than 255 items"))
    }
}

fn text_item<T: TextDecode>(input: &mut TextReader<'_>) -> Result<T, DecodeError> {
    let item = input.take_while(|b| !matches!(b, b',' | b' ' | b'\n'));
    super::text::from_text_bytes(item)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{from_bytes, from_text};

    #[test]
    fn count_is_not_believed() {
        assert_eq!(from_bytes::<List<u16>>(&[255, 0, 1]), Err(DecodeError::UnexpectedEnd));
        // The size of a row is larger than what is left, so nothing is reserved.
        type Row = (i64, i64, i64, i64);
        assert_eq!(decode_items::<Row>(&mut Reader::new(&[0, 1, 2])).unwrap().capacity(), 0);
        assert_eq!(from_bytes::<NonEmpty<Row>>(&[255, 1]), Err(DecodeError::UnexpectedEnd));
    }

    #[test]
    fn texts_have_255_items_at_most() {
        let text = |count| vec!["1"; count].join(",");
        assert_eq!(from_text::<NonEmpty<u16>>(&text(255)).unwrap().as_slice().len(), 255);
        for count in [256, 257, 100_000] {
            assert!(from_text::<NonEmpty<u16>>(&text(count)).is_err());
        }
    }
}
