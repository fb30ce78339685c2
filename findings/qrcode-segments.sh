#!/usr/bin/env bash
# The crate qrcode cuts a text into segments, and the pieces can need a larger symbol than the text in one piece.
#
# Links in base64url that just fit a version as one byte segment are drawn one version larger in a third of all cases, never
# smaller: a short run of digits or capitals becomes a segment of its own although its header costs more than it saves. On
# a terminal of 80 columns these four modules can be what does not fit; `Bits::push_byte_data` avoids them.
set -euo pipefail

qrcode=0.14.1
seen='134 characters: 106 of 300 drawn larger than one byte segment needs, 0 smaller
140 characters: 0 of 300 drawn larger than one byte segment needs, 0 smaller
154 characters: 103 of 300 drawn larger than one byte segment needs, 0 smaller'

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
mkdir src
cat >Cargo.toml <<TOML
[package]
name = "segments"
version = "0.0.0"
edition = "2024"

[dependencies]
qrcode = { version = "=$qrcode", default-features = false }
TOML
cat >src/main.rs <<'RUST'
use qrcode::bits::Bits;
use qrcode::{EcLevel, QrCode, Version};

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

fn drawn(link: &str) -> i16 {
    match QrCode::with_error_correction_level(link, EcLevel::L).unwrap().version() {
        Version::Normal(version) | Version::Micro(version) => version,
    }
}

fn needed(link: &str) -> i16 {
    let fits = |version: &i16| {
        let mut bits = Bits::new(Version::Normal(*version));
        bits.push_byte_data(link.as_bytes()).is_ok() && bits.push_terminator(EcLevel::L).is_ok()
    };
    (1..=40).find(fits).unwrap()
}

fn main() {
    let mut state = 88_172_645_463_325_252_u64;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        BASE64URL[(state >> 20) as usize % 64] as char
    };
    // 134 and 154 bytes are what versions 6 and 7 hold at level L.
    for length in [134, 140, 154] {
        let links = (0..300).map(|_| format!("https://{}", (8..length).map(|_| random()).collect::<String>()));
        let (mut larger, mut smaller) = (0, 0);
        for link in links {
            larger += usize::from(drawn(&link) > needed(&link));
            smaller += usize::from(drawn(&link) < needed(&link));
        }
        println!("{length} characters: {larger} of 300 drawn larger than one byte segment needs, {smaller} smaller");
    }
}
RUST
output=$(cargo run --quiet)
printf 'qrcode %s\n%s\n' "$qrcode" "$output"
[ "$output" = "$seen" ] || { printf 'changed; it was:\n%s\n' "$seen"; exit 1; }
