//! `Journal`: an upload on the disk. A head, which says what is uploaded with which keys, and a line for each step that was done.
//!
//! Invariant: a step is on the disk before the next one is taken, so that a crash at any moment repeats at most one step of each chunk. Keys are
//! older than their first use: those of all chunks come from one seed, which is in the head. A last line that was not written to its end is
//! as if it had never been begun.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use smp_crypto::hash::sha256;
use smp_crypto::hkdf::hkdf_sha512;
use smp_crypto::{BoxKey, Ed25519PrivateKey, Nonce, PrivateAuthKey, SecretBoxKey};
use smp_protocol::address::XftpAddress;
use smp_protocol::encoding::{
    Decode, DecodeError, Encode, LargeString, NonEmpty, Reader, from_bytes, to_bytes,
};
use smp_protocol::id::{ChunkRecipientId, ChunkSenderId};
use smp_protocol::xftp::chunk_size::MAX_FILE_SIZE;
use smp_protocol::xftp::command::ChunkDigest;
use smp_protocol::xftp::description::Redirect;
use smp_transport::durable::{self, Access};
use smp_transport::surroundings::Randomness;
use zeroize::Zeroizing;

/// The beginning of a journal: its kind and version.
const MAGIC: &[u8] = b"smp upload 1\n";
/// The beginning of one whose lines are sealed.
const SEALED_MAGIC: &[u8] = b"smp upload 1 sealed\n";
/// Bytes of a line's hash that stand behind it.
const CHECK_BYTES: usize = 8;
/// The most bytes of a line: the IDs of 255 recipients, or the digests of 5 GiB in chunks of 64 KiB.
const MAX_LINE: usize = 4 * 1024 * 1024;
/// The purpose for which keys of chunks are derived.
const PURPOSE: &[u8] = b"smp chunk key";

/// The head of a journal: all that was decided before anything was sent.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Head {
    /// The keys of all chunks come from it.
    pub(super) seed: Zeroizing<[u8; 32]>,
    pub(super) key: SecretBoxKey,
    pub(super) nonce: Nonce,
    pub(super) digest: [u8; 64],
    /// Recipients for whom there are keys: a power of two.
    pub(super) recipients: u8,
    /// Size and SHA-256 of each chunk.
    pub(super) chunks: Vec<(u32, ChunkDigest)>,
    /// Set if the file is the description of another one.
    pub(super) redirect: Option<Redirect>,
    /// Words of the application, which it gets back.
    pub(super) data: LargeString<'static>,
}

/// The key of a journal whose lines are sealed, and where their nonces come from.
#[derive(Debug, Clone)]
pub(super) struct Seal {
    key: BoxKey,
    randomness: Randomness,
}

impl Seal {
    pub(super) fn new(key: &SecretBoxKey, randomness: &Randomness) -> Self {
        Self { key: key.box_key(), randomness: randomness.clone() }
    }

    fn seal(&self, content: &[u8]) -> Vec<u8> {
        let nonce = Nonce::generate(&mut self.randomness.rng());
        [&nonce.as_bytes()[..], &self.key.seal(&nonce, content)].concat()
    }

    fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, boxed) = sealed.split_first_chunk()?;
        self.key.open(&Nonce::from_bytes(*nonce), boxed).ok()
    }
}

/// Sides that have keys of a chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Party {
    Sender,
    Recipient(u8),
}

/// A chunk on a relay.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Created {
    /// Without the password.
    pub(super) relay: XftpAddress,
    pub(super) sender: ChunkSenderId,
    pub(super) recipients: NonEmpty<ChunkRecipientId>,
    /// In seconds since 1970: relays keep chunks for some time only.
    pub(super) at: u64,
}

/// A step that was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// The chunk of this number exists on a relay; an earlier one does not count any more.
    Created(u32, Created),
    /// It was uploaded.
    Uploaded(u32),
}

impl Head {
    /// Bytes of the encrypted file.
    pub(super) fn size(&self) -> u64 {
        self.chunks.iter().map(|(size, _)| u64::from(*size)).sum()
    }

    /// The private key of a chunk; the same whenever it is asked for.
    pub(super) fn chunk_key(&self, chunk: u32, party: Party) -> PrivateAuthKey {
        let party = match party {
            Party::Sender => 0,
            Party::Recipient(number) => u16::from(number) + 1,
        };
        let info = [PURPOSE, &chunk.to_be_bytes(), &party.to_be_bytes()].concat();
        let key = hkdf_sha512::<32>(&[], &*self.seed, &info);
        Ed25519PrivateKey::from_bytes(*key).into()
    }
}

impl Encode for Head {
    fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&*self.seed);
        out.extend_from_slice(self.key.as_bytes());
        self.nonce.encode(out);
        out.extend_from_slice(&self.digest);
        out.push(self.recipients);
        (self.chunks.len() as u32).encode(out);
        for (size, digest) in &self.chunks {
            size.encode(out);
            out.extend_from_slice(digest);
        }
        out.push(u8::from(self.redirect.is_some()));
        if let Some(Redirect { size, digest }) = &self.redirect {
            out.extend_from_slice(&size.to_be_bytes());
            out.extend_from_slice(digest);
        }
        self.data.encode(out);
    }
}

impl Decode<'_> for Head {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let seed = Zeroizing::new(input.array()?);
        let key = SecretBoxKey::from_bytes(input.array()?);
        let nonce = input.read()?;
        let digest = input.array()?;
        let recipients = input.byte()?;
        let count: u32 = input.read()?;
        let chunks = (0..count).map(|_| Ok((input.read()?, input.array()?)));
        let chunks: Vec<_> = chunks.collect::<Result<_, DecodeError>>()?;
        let redirect = match input.byte()? {
            0 => None,
            _ => Some(Redirect { size: u64::from_be_bytes(input.array()?), digest: input.array()? }),
        };
        let data = input.read::<LargeString<'_>>()?.into_owned();
        let head = Head { seed, key, nonce, digest, recipients, chunks, redirect, data };
        let is_sound = recipients > 0 && !head.chunks.is_empty() && head.size() <= MAX_FILE_SIZE;
        if is_sound { Ok(head) } else { Err(DecodeError::Invalid("journal")) }
    }
}

impl Encode for Step {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Step::Created(chunk, created) => {
                out.push(b'C');
                chunk.encode(out);
                out.extend_from_slice(&created.at.to_be_bytes());
                let relay = created.relay.to_string().into_bytes();
                // An address comes from a text of that length at most, or from hosts that are shorter.
                LargeString::new(relay).unwrap_or_default().encode(out);
                (&created.sender, &created.recipients).encode(out);
            }
            Step::Uploaded(chunk) => {
                out.push(b'U');
                chunk.encode(out);
            }
        }
    }
}

impl Decode<'_> for Step {
    fn decode(input: &mut Reader<'_>) -> Result<Self, DecodeError> {
        match input.byte()? {
            b'C' => {
                let chunk = input.read()?;
                let at = u64::from_be_bytes(input.array()?);
                let relay =
                    std::str::from_utf8(input.large()?).map_err(|_| DecodeError::Invalid("address"))?;
                let relay = relay.parse()?;
                let (sender, recipients) = input.read()?;
                Ok(Step::Created(chunk, Created { relay, sender, recipients, at }))
            }
            b'U' => Ok(Step::Uploaded(input.read()?)),
            _ => Err(DecodeError::Invalid("step")),
        }
    }
}

/// The steps of an upload, which are added one by one.
#[derive(Debug, Clone)]
pub(super) struct Journal {
    file: Arc<Mutex<File>>,
    seal: Option<Seal>,
}

impl Journal {
    fn on(file: File, seal: Option<Seal>) -> Self {
        Self { file: Arc::new(Mutex::new(file)), seal }
    }

    /// Begins a journal, with sealed lines if there is a key: from here on the upload exists.
    pub(super) fn create(path: &Path, head: &Head, seal: Option<Seal>) -> io::Result<Self> {
        let magic = if seal.is_some() { SEALED_MAGIC } else { MAGIC };
        let head = line(&Zeroizing::new(to_bytes(head)), seal.as_ref());
        durable::replace(path, &Zeroizing::new([magic, &head[..]].concat()), Access::Owner)?;
        Ok(Self::on(OpenOptions::new().append(true).open(path)?, seal))
    }

    /// Opens a journal; `None` if it is none of this version, or sealed with another key. A line that was not written to its end is removed.
    pub(super) fn open(path: &Path, seal: Option<Seal>) -> io::Result<Option<(Self, Head, Vec<Step>)>> {
        let mut content = Zeroizing::new(Vec::new());
        File::open(path)?.read_to_end(&mut content)?;
        let (lines, seal) = match (content.strip_prefix(SEALED_MAGIC), content.strip_prefix(MAGIC)) {
            (Some(lines), _) if seal.is_some() => (lines, seal),
            // Of a time before the key.
            (None, Some(lines)) => (lines, None),
            _ => return Ok(None),
        };
        let mut input = Reader::new(lines);
        let head = next_line(&mut input, seal.as_ref()).and_then(|line| from_bytes::<Head>(&line).ok());
        let Some(head) = head else { return Ok(None) };
        let (mut steps, mut left) = (Vec::new(), input.remaining().len());
        while let Some(line) = next_line(&mut input, seal.as_ref()) {
            // A line that is whole is one of ours.
            let Ok(step) = from_bytes(&line) else { return Ok(None) };
            steps.push(step);
            left = input.remaining().len();
        }
        let file = OpenOptions::new().append(true).open(path)?;
        file.set_len((content.len() - left) as u64)?;
        Ok(Some((Self::on(file, seal), head, steps)))
    }

    /// Adds a step, and returns when it is on the disk.
    pub(super) fn add(&self, step: &Step) -> io::Result<()> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.write_all(&line(&to_bytes(step), self.seal.as_ref()))?;
        file.sync_data()
    }
}

/// A line: its length, its content, and the beginning of a hash by which one that was cut is known.
fn line(content: &[u8], seal: Option<&Seal>) -> Zeroizing<Vec<u8>> {
    let sealed = seal.map(|seal| seal.seal(content));
    let content = sealed.as_deref().unwrap_or(content);
    let length = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
    Zeroizing::new([&length, content, &sha256(content)[..CHECK_BYTES]].concat())
}

fn next_line(input: &mut Reader<'_>, seal: Option<&Seal>) -> Option<Zeroizing<Vec<u8>>> {
    let length: u32 = input.read().ok()?;
    let content = input.take(usize::try_from(length).ok().filter(|length| *length <= MAX_LINE)?).ok()?;
    let check = input.take(CHECK_BYTES).ok()?;
    let content = (check == &sha256(content)[..CHECK_BYTES]).then_some(content)?;
    Some(Zeroizing::new(match seal {
        Some(seal) => seal.open(content)?,
        None => content.to_vec(),
    }))
}

impl std::fmt::Debug for Head {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Head").field("chunks", &self.chunks.len()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head() -> Head {
        Head {
            seed: Zeroizing::new([1; 32]),
            key: SecretBoxKey::from_bytes([2; 32]),
            nonce: Nonce::from_bytes([3; 24]),
            digest: [4; 64],
            recipients: 2,
            chunks: vec![(65_536, [5; 32]), (65_536, [6; 32])],
            redirect: Some(Redirect { size: 7, digest: [8; 64] }),
            data: LargeString::new(b"for whom".to_vec()).unwrap(),
        }
    }

    fn steps() -> Vec<Step> {
        let created = Created {
            relay: "xftp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@a.example,[::1]:5443"
                .parse()
                .unwrap(),
            sender: ChunkSenderId::new(&[9; 16]).unwrap(),
            recipients: NonEmpty::new(vec![ChunkRecipientId::new(&[10; 16]).unwrap(); 2]).unwrap(),
            at: 11,
        };
        vec![Step::Created(0, created.clone()), Step::Uploaded(0), Step::Created(1, created)]
    }

    /// Plain ones, and sealed ones.
    fn seals() -> [Option<Seal>; 2] {
        [None, Some(Seal::new(&SecretBoxKey::from_bytes([9; 32]), &Randomness::machine()))]
    }

    #[test]
    fn a_journal_that_is_cut_anywhere_has_its_whole_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        for seal in seals() {
            let journal = Journal::create(&path, &head(), seal.clone()).unwrap();
            let mut ends = vec![std::fs::metadata(&path).unwrap().len()];
            for step in steps() {
                journal.add(&step).unwrap();
                ends.push(std::fs::metadata(&path).unwrap().len());
            }
            let whole = std::fs::read(&path).unwrap();
            for length in 0..=whole.len() {
                std::fs::write(&path, &whole[..length]).unwrap();
                let read = Journal::open(&path, seal.clone()).unwrap();
                let whole_lines = ends.iter().filter(|end| **end <= length as u64).count();
                let Some(count) = whole_lines.checked_sub(1) else {
                    assert!(read.is_none(), "{length}");
                    continue;
                };
                let (journal, read_head, read_steps) = read.unwrap();
                assert_eq!((read_head, &read_steps[..]), (head(), &steps()[..count]), "{length}");
                // It goes on behind the last whole line.
                journal.add(&Step::Uploaded(1)).unwrap();
                assert_eq!(Journal::open(&path, seal.clone()).unwrap().unwrap().2.len(), count + 1);
            }
        }
    }

    #[test]
    fn a_changed_line_ends_the_journal_and_a_sealed_one_has_nothing_in_the_clear() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        for seal in seals() {
            Journal::create(&path, &head(), seal.clone()).unwrap();
            let whole = std::fs::read(&path).unwrap();
            let is_plain = whole.windows(8).any(|bytes| bytes == b"for whom" || bytes == [2; 8]);
            assert_eq!(is_plain, seal.is_none());
            for place in 0..whole.len() {
                let mut changed = whole.clone();
                changed[place] ^= 1;
                std::fs::write(&path, &changed).unwrap();
                assert!(Journal::open(&path, seal.clone()).unwrap().is_none(), "{place}");
            }
            std::fs::write(&path, &whole).unwrap();
            let other = Seal::new(&SecretBoxKey::from_bytes([8; 32]), &Randomness::machine());
            assert_eq!(Journal::open(&path, Some(other)).unwrap().is_none(), seal.is_some());
            assert_eq!(Journal::open(&path, None).unwrap().is_none(), seal.is_some());
        }
    }

    #[test]
    fn keys_differ_by_chunk_and_party_and_stay_the_same() {
        let head = head();
        let keys: Vec<_> =
            [(0, Party::Sender), (1, Party::Sender), (0, Party::Recipient(0)), (0, Party::Recipient(1))]
                .map(|(chunk, party)| head.chunk_key(chunk, party).public_key().to_der())
                .to_vec();
        for (at, key) in keys.iter().enumerate() {
            assert!(!keys[at + 1..].contains(key));
        }
        assert_eq!(head.chunk_key(0, Party::Sender).public_key().to_der(), keys[0]);
        assert_eq!(format!("{head:?}"), "Head { chunks: 2, .. }");
    }
}
