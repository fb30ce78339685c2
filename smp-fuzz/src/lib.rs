//! Every way in which foreign bytes come in, as a function of bytes.
//!
//! [`TARGETS`] lists them. Each is a `fn(&[u8])` that panics if a property does not hold:
//!
//! - Nothing panics, whatever the bytes are.
//! - What was read can be written, what was written can be read, and writing that again gives the same bytes: an
//!   encoding settles after one round, however freely it was read.
//! - Where something is decrypted, the same holds for what an authentic but hostile peer puts inside.
//!
//! The same functions run in three places: under a fuzzer that watches which code is reached (`fuzz/`, with `cargo fuzz`),
//! in the test `tests/replay.rs` and in the binary `smp-fuzz`, both on stable Rust. The latter two also measure how much
//! memory each input takes and compare that with the [`Bound`] of the target, and they make their inputs
//! themselves: [`seeds`] from the vectors in `protocol-spec/vectors`, which [`mutate`] then changes.

#![allow(
    clippy::disallowed_methods,
    reason = "tests are programs of their own, with the time and chance of this machine"
)]

mod check;
pub mod mutate;
pub mod replay;
pub mod seeds;
pub mod targets;

use smp_protocol::chat::MAX_DECOMPRESSED_LENGTH;
use smp_protocol::xftp::description::MAX_DESCRIPTION_BYTES;
use smp_ratchet::{MAX_SKIPPED, SkippedKey};

use seeds::Vectors;

/// How much memory an input may take while it is worked on: `fixed + per_byte * length`, in bytes.
#[derive(Debug, Clone, Copy)]
pub struct Bound {
    /// For any input.
    pub fixed: usize,
    /// For each byte of the input.
    pub per_byte: usize,
}

impl Bound {
    /// Bytes of memory that an input of this length may take.
    pub fn of(self, length: usize) -> usize {
        self.fixed.saturating_add(self.per_byte.saturating_mul(length))
    }
}

/// One way in.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, also that of its fuzz target and corpus.
    pub name: &'static str,
    /// Works on one input.
    pub run: fn(&[u8]),
    /// Inputs that make sense.
    pub seeds: fn(&Vectors) -> Vec<Vec<u8>>,
    /// How much memory it may take.
    pub bound: Bound,
}

macro_rules! targets {
    ($($name:ident { fixed: $fixed:expr, per_byte: $per_byte:expr }),+ $(,)?) => {
        /// All ways in.
        pub const TARGETS: &[Target] = &[$(Target {
            name: stringify!($name),
            run: targets::$name::run,
            seeds: targets::$name::seeds,
            bound: Bound { fixed: $fixed, per_byte: $per_byte },
        }),+];
    };
}

/// Where boxes are padded to the size of a block: some copies of it.
const BLOCKS: usize = 8 * 16_384;
/// Keys of skipped messages, as many as one message can leave out, and some copies of them.
const SKIPPED: usize = 5 * 2 * MAX_SKIPPED as usize * size_of::<SkippedKey>();
/// Size of a decompressed message as JSON: the smallest object, `{"":0},`, takes 7 bytes of text and 700 of memory. Three
/// times that, because the check writes and reads it again.
const DECOMPRESSED: usize = 3 * 100 * MAX_DECOMPRESSED_LENGTH;
/// A description of a file that was deflated: the text, and its values in memory. Checked by writing and reading it again.
const DESCRIPTION: usize = 8 * MAX_DESCRIPTION_BYTES;
/// Tokens of YAML in a line of 1024 bytes, over which the parser looks ahead.
const LOOK_AHEAD: usize = 2 * 1024 * 128;
/// Keys, IDs and short strings.
const SMALL: usize = 8_192;

targets! {
    relay_block { fixed: SMALL, per_byte: 16 },
    client_block { fixed: SMALL, per_byte: 16 },
    encrypted_block { fixed: 0, per_byte: 0 },
    relay_hello { fixed: SMALL, per_byte: 24 },
    client_hello { fixed: SMALL, per_byte: 24 },
    service_response { fixed: SMALL, per_byte: 8 },
    command { fixed: SMALL, per_byte: 64 },
    broker_message { fixed: SMALL, per_byte: 24 },
    proxy { fixed: BLOCKS, per_byte: 16 },
    certificates { fixed: SMALL, per_byte: 24 },
    keys { fixed: SMALL, per_byte: 16 },
    address { fixed: SMALL, per_byte: 128 },
    client_message { fixed: BLOCKS, per_byte: 16 },
    received_body { fixed: BLOCKS, per_byte: 16 },
    agent_envelope { fixed: SMALL, per_byte: 64 },
    agent_message { fixed: SMALL, per_byte: 128 },
    ratchet_parameters { fixed: 4 * SMALL, per_byte: 16 },
    ratchet_message { fixed: SKIPPED, per_byte: 16 },
    ratchet_state { fixed: SMALL, per_byte: 4 },
    link_uri { fixed: SMALL, per_byte: 128 },
    link_data { fixed: BLOCKS, per_byte: 32 },
    chat_message { fixed: DECOMPRESSED, per_byte: 256 },
    file_request { fixed: BLOCKS, per_byte: 64 },
    file_answer { fixed: BLOCKS, per_byte: 24 },
    file_description { fixed: LOOK_AHEAD, per_byte: 128 },
    file_link { fixed: DESCRIPTION, per_byte: 128 },
}

/// The target of this name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}
