//! `Output` and `Input`: the parts that messages between processes are made of. Numbers are big-endian; strings have their length before them.

use smp_protocol::encoding::Reader;
use zeroize::Zeroizing;

use crate::store::{ProcessId, ServiceRole};

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are no message of another process")]
pub(crate) struct Wrong;

/// A message in the making. It may hold the key of a session, so it is wiped.
#[derive(Default)]
pub(super) struct Output(Zeroizing<Vec<u8>>);

impl Output {
    /// Room for a message with so many bytes, so that nothing of it is left where it has grown out of.
    pub(super) fn with_capacity(bytes: usize) -> Self {
        Self(Zeroizing::new(Vec::with_capacity(bytes)))
    }

    pub(super) fn into_bytes(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    pub(super) fn byte(&mut self, byte: u8) {
        self.0.push(byte);
    }

    pub(super) fn flag(&mut self, flag: bool) {
        self.byte(flag.into());
    }

    pub(super) fn number(&mut self, number: u64) {
        self.fixed(&number.to_be_bytes());
    }

    pub(super) fn short_number(&mut self, number: u16) {
        self.fixed(&number.to_be_bytes());
    }

    /// The length of a list, 65,535 at most.
    pub(super) fn count(&mut self, count: usize) {
        self.short_number(u16::try_from(count).unwrap_or(u16::MAX));
    }

    pub(super) fn process(&mut self, process: ProcessId) {
        self.fixed(&process.0.to_be_bytes());
    }

    pub(super) fn role(&mut self, role: ServiceRole) {
        self.byte(match role {
            ServiceRole::Messaging => 0,
            ServiceRole::Notifier => 1,
        });
    }

    pub(super) fn fixed(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// An ID, or another string of 255 bytes at most.
    pub(super) fn short(&mut self, bytes: &[u8]) {
        self.byte(u8::try_from(bytes.len()).unwrap_or(u8::MAX));
        self.fixed(&bytes[..bytes.len().min(u8::MAX.into())]);
    }

    /// A string of 65,535 bytes at most.
    pub(super) fn large(&mut self, bytes: &[u8]) {
        self.count(bytes.len());
        self.fixed(&bytes[..bytes.len().min(u16::MAX.into())]);
    }

    pub(super) fn optional(&mut self, bytes: Option<&[u8]>) {
        self.flag(bytes.is_some());
        if let Some(bytes) = bytes {
            self.short(bytes);
        }
    }
}

/// A message that is being read.
pub(super) struct Input<'a>(Reader<'a>);

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(Reader::new(bytes))
    }

    /// # Errors
    ///
    /// [`Wrong`] if there is more, as in all others if there is not enough.
    pub(super) fn end(&self) -> Result<(), Wrong> {
        self.0.finish().map_err(|_| Wrong)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Wrong> {
        self.0.byte().map_err(|_| Wrong)
    }

    pub(super) fn flag(&mut self) -> Result<bool, Wrong> {
        match self.byte()? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Wrong),
        }
    }

    pub(super) fn number(&mut self) -> Result<u64, Wrong> {
        self.fixed().map(u64::from_be_bytes)
    }

    pub(super) fn short_number(&mut self) -> Result<u16, Wrong> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub(super) fn count(&mut self) -> Result<u16, Wrong> {
        self.short_number()
    }

    pub(super) fn process(&mut self) -> Result<ProcessId, Wrong> {
        self.fixed().map(|bytes| ProcessId(i64::from_be_bytes(bytes)))
    }

    pub(super) fn role(&mut self) -> Result<ServiceRole, Wrong> {
        match self.byte()? {
            0 => Ok(ServiceRole::Messaging),
            1 => Ok(ServiceRole::Notifier),
            _ => Err(Wrong),
        }
    }

    pub(super) fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Wrong> {
        self.0.array().map_err(|_| Wrong)
    }

    pub(super) fn short(&mut self) -> Result<&'a [u8], Wrong> {
        self.0.short().map_err(|_| Wrong)
    }

    pub(super) fn large(&mut self) -> Result<&'a [u8], Wrong> {
        self.0.large().map_err(|_| Wrong)
    }

    pub(super) fn text(&mut self) -> Result<String, Wrong> {
        std::str::from_utf8(self.large()?).map(str::to_owned).map_err(|_| Wrong)
    }

    pub(super) fn id<T: TryFrom<&'a [u8]>>(&mut self) -> Result<T, Wrong> {
        T::try_from(self.short()?).map_err(|_| Wrong)
    }

    pub(super) fn optional_id<T: TryFrom<&'a [u8]>>(&mut self) -> Result<Option<T>, Wrong> {
        if self.flag()? { self.id().map(Some) } else { Ok(None) }
    }
}
