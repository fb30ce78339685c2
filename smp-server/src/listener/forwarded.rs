//! The PROXY protocol, versions 1 and 2 (HAProxy's `proxy-protocol.txt`): how a program that forwards connections says from whom
//! each of them comes.
//!
//! The header stands before everything else and is read to its last byte and not beyond. It is believed from sources that the
//! operator trusts (`server.proxy_protocol`), and demanded of them: guessing whether there is one would let clients write one.

use std::net::IpAddr;

use proxy_header::{ParseConfig, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// The first bytes of version 2, as long as which every header is.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, its line break included.
const MAX_TEXT: usize = 107;

/// The longest header of version 2: addresses and what a forwarder has to say about TLS fit in.
const MAX_BINARY: usize = 2_048;

/// There is no header that can be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoHeader;

/// Reads the header. Returns the address of the client; `None` if the forwarder connects for itself (to see whether the relay is
/// there), or does not know.
pub(super) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> Result<Option<IpAddr>, NoHeader> {
    let mut header = Vec::with_capacity(MAX_TEXT);
    read_more(stream, &mut header, SIGNATURE.len()).await?;
    if header == SIGNATURE {
        read_more(stream, &mut header, 4).await?;
        let length = header.last_chunk().map_or(0, |length| usize::from(u16::from_be_bytes(*length)));
        if header.len() + length > MAX_BINARY {
            return Err(NoHeader);
        }
        read_more(stream, &mut header, length).await?;
    } else if header.starts_with(b"PROXY ") {
        while !header.ends_with(b"\n") && header.len() < MAX_TEXT {
            header.push(stream.read_u8().await.map_err(|_| NoHeader)?);
        }
    } else {
        return Err(NoHeader);
    }
    let config = ParseConfig { include_tlvs: false, ..ParseConfig::default() };
    match ProxyHeader::parse(&header, config) {
        Ok((parsed, length)) if length == header.len() => {
            Ok(parsed.proxied_address().map(|address| address.source.ip()))
        }
        _ => Err(NoHeader),
    }
}

async fn read_more(
    stream: &mut (impl AsyncRead + Unpin),
    header: &mut Vec<u8>,
    count: usize,
) -> Result<(), NoHeader> {
    let read = header.len();
    header.resize(read + count, 0);
    stream.read_exact(&mut header[read..]).await.map(drop).map_err(|_| NoHeader)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use proxy_header::ProxiedAddress;

    use super::*;

    /// The header in these bytes, and the rest of them.
    fn read(bytes: &[u8]) -> (Result<Option<IpAddr>, NoHeader>, &[u8]) {
        let mut rest = bytes;
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let read = runtime.block_on(read_header(&mut rest));
        (read, rest)
    }

    fn binary(client: &str, relay: &str) -> Vec<u8> {
        let address = ProxiedAddress::stream(client.parse().unwrap(), relay.parse().unwrap());
        let mut header = Vec::new();
        ProxyHeader::with_address(address).encode_v2(&mut header).unwrap();
        header
    }

    #[test]
    fn headers_are_read_to_their_end_and_not_beyond() {
        let ip = |text: &str| Some(text.parse().unwrap());
        let mut with_more = binary("192.0.2.7:4", "192.0.2.1:5223");
        with_more[15] += 7;
        with_more.extend(b"\x04\0\x04pads");
        for (header, client) in [
            (b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 5223\r\n".to_vec(), ip("192.0.2.7")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::1 1234 5223\r\n".to_vec(), ip("2001:db8::7")),
            (b"PROXY UNKNOWN\r\n".to_vec(), None),
            (b"PROXY UNKNOWN ffff::f ffff::f 65535 65535\r\n".to_vec(), None),
            (binary("192.0.2.7:4", "192.0.2.1:5223"), ip("192.0.2.7")),
            (binary("[2001:db8::7]:4", "[2001:db8::1]:5223"), ip("2001:db8::7")),
            (with_more, ip("192.0.2.7")),
            ([&SIGNATURE[..], b"\x20\0\0\0"].concat(), None),
        ] {
            let bytes = [&header[..], b"\x16\x03\x01 begins TLS"].concat();
            let (read, rest) = read(&bytes);
            assert_eq!(read, Ok(client), "{header:?}");
            assert_eq!(rest, b"\x16\x03\x01 begins TLS", "{header:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let long = [b"PROXY UNKNOWN ".as_slice(), &[b'x'; 200], b"\r\n"].concat();
        let mut huge = [&SIGNATURE[..], b"\x21\x11\xff\xff"].concat();
        huge.resize(70_000, 0);
        for bytes in [
            b"".as_slice(),
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03 hello",
            b"GET / HTTP/1.1\r\n\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 1234\r\n",
            b"PROXY TCP4 relay.example 192.0.2.1 1234 5223\r\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 5223\n",
            b"PROXY TCP4 192.0.2.7 192.0.2.1 1234 99999\r\n",
            &long,
            &huge,
            &[&SIGNATURE[..], b"\x31\x11\0\x0c"].concat(),
            &binary("192.0.2.7:4", "192.0.2.1:5223")[..20],
        ] {
            assert_eq!(read(bytes).0, Err(NoHeader), "{bytes:?}");
        }
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(
            begin in prop::sample::select(vec![b"".as_slice(), b"PROXY TCP4 ", b"PROXY TCP6 ", &SIGNATURE]),
            more in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let _ = read(&[begin, &more].concat());
        }
    }
}
