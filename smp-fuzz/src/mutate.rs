//! Changes to inputs, as blind fuzzers make them. Everything follows from the generator, so a run can be repeated.

use rand::{Rng, RngExt};

/// No input gets longer than this: somewhat more than a block.
pub const MAX_INPUT: usize = 20_000;

/// Bytes that decide something in one of the encodings, and limits of numbers.
const INTERESTING: &[u8] = &[
    0, 1, 2, 0x7f, 0x80, 0xff, 0xfe, b' ', b'0', b'1', b'T', b'F', b',', b';', b'&', b'=', b'%', b'[', b'{',
    b'"',
];

/// An input: most often a seed with a few changes, sometimes two seeds in one, sometimes nothing but random bytes.
pub fn input(seeds: &[Vec<u8>], rng: &mut impl Rng) -> Vec<u8> {
    let Some(seed) = pick(seeds, rng) else { return random(rng) };
    let mut bytes = match rng.random_range(0..32) {
        0 => random(rng),
        1 | 2 => splice(seed, pick(seeds, rng).map_or(&[], Vec::as_slice), rng),
        _ => seed.clone(),
    };
    for _ in 0..rng.random_range(0..6) {
        change(&mut bytes, rng);
    }
    bytes.truncate(MAX_INPUT);
    bytes
}

fn pick<'a, T>(items: &'a [T], rng: &mut impl Rng) -> Option<&'a T> {
    items.get(index(items.len(), rng))
}

/// An index below `length`, or 0.
fn index(length: usize, rng: &mut impl Rng) -> usize {
    rng.random_range(0..length.max(1))
}

fn random(rng: &mut impl Rng) -> Vec<u8> {
    let longest = [8, 64, 512, MAX_INPUT][index(4, rng)];
    let mut bytes = vec![0; index(longest, rng)];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// The beginning of one input and the end of another.
fn splice(first: &[u8], second: &[u8], rng: &mut impl Rng) -> Vec<u8> {
    [&first[..index(first.len() + 1, rng)], &second[index(second.len() + 1, rng)..]].concat()
}

fn change(bytes: &mut Vec<u8>, rng: &mut impl Rng) {
    let at = index(bytes.len(), rng);
    match rng.random_range(0..10) {
        0 => bytes.truncate(at),
        1 => insert(bytes, at, rng),
        2 => drop(bytes.drain(at..span(bytes, at, rng))),
        3 => repeat(bytes, at, rng),
        4 => set_length(bytes, at, rng),
        5 | 6 => set(bytes, at, |_| INTERESTING[index(INTERESTING.len(), rng)]),
        7 => set(bytes, at, |_| rng.random()),
        8 => set(bytes, at, |byte| byte ^ 1 << rng.random_range(0..8)),
        _ => set(bytes, at, |byte| byte.wrapping_add(rng.random_range(0..5)).wrapping_sub(2)),
    }
}

fn set(bytes: &mut [u8], at: usize, value: impl FnOnce(u8) -> u8) {
    if let Some(byte) = bytes.get_mut(at) {
        *byte = value(*byte);
    }
}

/// The end of a short stretch that begins at `at`.
fn span(bytes: &[u8], at: usize, rng: &mut impl Rng) -> usize {
    (at + index([2, 16, 256][index(3, rng)], rng)).min(bytes.len())
}

fn insert(bytes: &mut Vec<u8>, at: usize, rng: &mut impl Rng) {
    let mut inserted = vec![INTERESTING[index(INTERESTING.len(), rng)]; index(40, rng)];
    if rng.random() {
        rng.fill_bytes(&mut inserted);
    }
    bytes.splice(at..at, inserted);
}

/// Repeats a stretch, a few times or very often: what makes lists long and values nested.
fn repeat(bytes: &mut Vec<u8>, at: usize, rng: &mut impl Rng) {
    let stretch = bytes[at..span(bytes, at, rng)].to_vec();
    let most = if rng.random_range(0..8) == 0 { MAX_INPUT / stretch.len().max(1) } else { 4 };
    let room = MAX_INPUT.saturating_sub(bytes.len()) / stretch.len().max(1);
    let times = index(most, rng).min(room);
    bytes.splice(at..at, stretch.repeat(times));
}

/// Writes a number of two bytes that is close to what a length there could be.
fn set_length(bytes: &mut [u8], at: usize, rng: &mut impl Rng) {
    let left = bytes.len().saturating_sub(at + 2);
    let value = [left, left + 1, left.saturating_sub(1), 0, 0xffff, 0x8000][index(6, rng)];
    for (byte, new) in bytes[at..].iter_mut().zip((value as u16).to_be_bytes()) {
        *byte = new;
    }
}
