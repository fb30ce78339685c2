//! Properties that several targets check.

use smp_protocol::agent::{QueueInfo, QueueMode, QueueUri};
use smp_protocol::version::{SmpClientVersion, SmpVersion};

/// The version that the first byte chooses, and the other bytes.
pub(crate) fn version(data: &[u8]) -> Option<(SmpVersion, &[u8])> {
    let (&first, rest) = data.split_first()?;
    let versions = SmpVersion::MAX.0 - SmpVersion::MIN.0 + 1;
    Some((SmpVersion(SmpVersion::MIN.0 + u16::from(first) % versions), rest))
}

/// One of `count` ways that the first byte chooses, and the other bytes.
pub(crate) fn way(data: &[u8], count: u8) -> Option<(u8, &[u8])> {
    let (&first, rest) = data.split_first()?;
    Some((first % count, rest))
}

/// The first part, as long as its first two bytes say (or as there are bytes), and the second part.
pub(crate) fn two_parts(data: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = data.split_first_chunk()?;
    Some(rest.split_at(usize::from(u16::from_be_bytes(*length)).min(rest.len())))
}

/// Puts together what [`two_parts`] takes apart.
pub(crate) fn join_parts(first: &[u8], second: &[u8]) -> Vec<u8> {
    let length = u16::try_from(first.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), first, second].concat()
}

/// Whether the mode of this queue is written if it was read.
///
/// Readers take a letter behind any address for its mode, but addresses for old versions are written without it. Text
/// behind such an address then loses its first byte if that is one of these letters, which is how the protocol is
/// (chapter `6-agent.md`), so encodings with such queues need not settle.
pub(crate) fn mode_is_written(version: SmpClientVersion, mode: Option<QueueMode>) -> bool {
    mode.is_none() || version.0 >= 4 || (version.0 == 3 && mode == Some(QueueMode::Messaging))
}

/// [`mode_is_written`] of an agreed queue.
pub(crate) fn info_settles(queue: &QueueInfo) -> bool {
    mode_is_written(queue.version, queue.address.mode)
}

/// [`mode_is_written`] of an offered queue.
pub(crate) fn uri_settles(queue: &QueueUri) -> bool {
    mode_is_written(queue.versions.min(), queue.address.mode)
}

/// Checks that the binary encoding of a type settles: whatever can be read (and for which the condition holds) is written in
/// a form that can be read and is written the same again.
macro_rules! settles {
    ($type:ty, $data:expr) => {
        settles!($type, $data, |_| true)
    };
    ($type:ty, $data:expr, $condition:expr) => {
        if let Ok(value) = smp_protocol::encoding::from_bytes::<$type>($data)
            && crate::check::holds(&value, $condition)
        {
            let written = smp_protocol::encoding::to_bytes(&value);
            match smp_protocol::encoding::from_bytes::<$type>(&written) {
                Ok(again) => assert_eq!(smp_protocol::encoding::to_bytes(&again), written),
                Err(error) => panic!("{} is not read back: {error}", stringify!($type)),
            }
        }
    };
}

/// Whether a condition holds; as a function, so that the type of its parameter is known.
pub(crate) fn holds<T>(value: &T, condition: impl FnOnce(&T) -> bool) -> bool {
    condition(value)
}

/// The same for the text form of a type that has `FromStr` and `Display`.
macro_rules! text_settles {
    ($type:ty, $text:expr) => {
        if let Ok(value) = $text.parse::<$type>() {
            let written = value.to_string();
            match written.parse::<$type>() {
                Ok(again) => assert_eq!(again.to_string(), written),
                Err(error) => panic!("{} is not read back: {error}: {written:?}", stringify!($type)),
            }
        }
    };
}

pub(crate) use settles;
pub(crate) use text_settles;
