#!/usr/bin/env bash
# The crate tokio-socks reports what Tor says of an onion service as "Unknown auth method".
#
# Tor answers a CONNECT with reply codes of its own, F0 to F7 (its proposal 304, with the flag ExtendedErrors), when a service is not found, is
# down or needs a key. tokio-socks knows the codes of RFC 1928, 00 to 08, and calls every other one by the name of an error of the step before,
# so that people look for a wrong password where an address was mistyped. Codes 01 to 08 are told apart.
set -euo pipefail

tokio_socks=0.5.3
seen='reply 01: General SOCKS server failure
reply 04: Host unreachable
reply f0: Unknown auth method
reply f2: Unknown auth method
reply f6: Unknown auth method'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<TOML
[package]
name = "replies"
version = "0.0.0"
edition = "2024"

[dependencies]
tokio = { version = "1", features = ["io-util", "macros", "net", "rt"] }
tokio-socks = "=$tokio_socks"
TOML
cat >src/main.rs <<'RUST'
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_socks::tcp::Socks5Stream;

/// A proxy that takes no password and answers the first CONNECT with one code.
async fn proxy(listener: TcpListener, code: u8) {
    let (mut client, _) = listener.accept().await.unwrap();
    let mut greeting = [0; 3];
    client.read_exact(&mut greeting).await.unwrap();
    client.write_all(&[5, 0]).await.unwrap();
    let mut request = [0; 5];
    client.read_exact(&mut request).await.unwrap();
    let mut rest = vec![0; usize::from(request[4]) + 2];
    client.read_exact(&mut rest).await.unwrap();
    client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for code in [0x01, 0x04, 0xf0, 0xf2, 0xf6] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_, answer) = tokio::join!(proxy(listener, code), Socks5Stream::connect(address, ("service.onion", 5223)));
        println!("reply {code:02x}: {}", answer.err().unwrap());
    }
}
RUST
output=$(cargo run --quiet)
printf 'tokio-socks %s\n%s\n' "$tokio_socks" "$output"
[ "$output" = "$seen" ] || { printf 'changed; it was:\n%s\n' "$seen"; exit 1; }
