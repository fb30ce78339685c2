//! As much of DER (ITU-T X.690) as certificates and signed keys need.

/// Tag of SEQUENCE.
pub(super) const SEQUENCE: u8 = 0x30;
/// Tag of BIT STRING.
pub(super) const BIT_STRING: u8 = 0x03;
/// Tag of `[0]`, the version in certificates.
pub(super) const CONTEXT_0: u8 = 0xa0;
/// AlgorithmIdentifier of Ed25519, without its SEQUENCE (RFC 8410).
pub(super) const ED25519: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x70];
/// AlgorithmIdentifier of Ed448, without its SEQUENCE (RFC 8410).
pub(super) const ED448: &[u8] = &[0x06, 3, 0x2b, 0x65, 0x71];

/// One element: its tag, its contents, and all of it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    pub(super) contents: &'a [u8],
    pub(super) whole: &'a [u8],
}

/// Takes the first element from `input`.
pub(super) fn take<'a>(input: &mut &'a [u8]) -> Option<Element<'a>> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81..=0x83 => long_length(rest, usize::from(first & 0x7f))?,
        // Indefinite lengths are not DER, longer ones do not occur.
        _ => return None,
    };
    let (contents, after) = rest.split_at_checked(length)?;
    let whole = &input[..input.len() - after.len()];
    *input = after;
    Some(Element { tag, contents, whole })
}

/// A length of `bytes` bytes that could not have been written shorter.
fn long_length(input: &[u8], bytes: usize) -> Option<(usize, &[u8])> {
    let (digits, rest) = input.split_at_checked(bytes)?;
    let length = digits.iter().fold(0, |length, &digit| length << 8 | usize::from(digit));
    let minimum = if bytes == 1 { 0x80 } else { 1 << (8 * (bytes - 1)) };
    (length >= minimum).then_some((length, rest))
}

/// Takes the first element from `input` if it has this tag.
pub(super) fn take_tag<'a>(input: &mut &'a [u8], tag: u8) -> Option<Element<'a>> {
    take(input).filter(|element| element.tag == tag)
}

/// The only element of `input`, with this tag.
pub(super) fn only<'a>(mut input: &'a [u8], tag: u8) -> Option<Element<'a>> {
    take_tag(&mut input, tag).filter(|_| input.is_empty())
}

/// An element with these contents. They are shorter than 65536 bytes: signed keys have two keys' lengths at most.
pub(super) fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let length: usize = contents.iter().map(|part| part.len()).sum();
    let mut der = vec![tag];
    match length {
        0..=0x7f => der.push(length as u8),
        0x80..=0xff => der.extend_from_slice(&[0x81, length as u8]),
        _ => der.extend_from_slice(&[0x82, (length >> 8) as u8, length as u8]),
    }
    contents.iter().for_each(|part| der.extend_from_slice(part));
    der
}

/// The form of certificates and signed keys: `SEQUENCE { signed, algorithm, signature }`.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedObject<'a> {
    /// The signed part, with its tag and length.
    pub(super) signed: Element<'a>,
    /// The contents of the AlgorithmIdentifier.
    pub(super) algorithm: &'a [u8],
    /// The signature.
    pub(super) signature: &'a [u8],
}

impl<'a> SignedObject<'a> {
    pub(super) fn parse(der: &'a [u8]) -> Option<Self> {
        let mut input = only(der, SEQUENCE)?.contents;
        let signed = take_tag(&mut input, SEQUENCE)?;
        let algorithm = take_tag(&mut input, SEQUENCE)?.contents;
        let signature = bits(only(input, BIT_STRING)?.contents)?;
        Some(SignedObject { signed, algorithm, signature })
    }
}

/// The bytes of a BIT STRING without unused bits.
pub(super) fn bits(contents: &[u8]) -> Option<&[u8]> {
    contents.strip_prefix(&[0])
}
