//! The data of a short link as the relay keeps it.

use crate::encoding::{Decode, DecodeError, Encode, LargeString, Reader};

/// Both encrypted parts of the data of a link; the relay cannot read them: what is in them is in section 8.3.
///
/// Source: section 4.2 (`protocol-spec/4-commands.md`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinkData<'a> {
    /// The part that never changes.
    pub fixed: LargeString<'a>,
    /// The part that the owner can replace.
    pub user: LargeString<'a>,
}

impl LinkData<'_> {
    /// The same with its own copy of the data.
    pub fn into_owned(self) -> LinkData<'static> {
        LinkData { fixed: self.fixed.into_owned(), user: self.user.into_owned() }
    }
}

impl Encode for LinkData<'_> {
    fn encode(&self, out: &mut Vec<u8>) {
        self.fixed.encode(out);
        self.user.encode(out);
    }
}

impl<'a> Decode<'a> for LinkData<'a> {
    fn decode(input: &mut Reader<'a>) -> Result<Self, DecodeError> {
        Ok(LinkData { fixed: input.read()?, user: input.read()? })
    }
}
