//! Files against vectors: those of the reference, and of libsodium and zlib. Properties for all that is read and written.

#![allow(clippy::unwrap_used)]

mod description;
mod encrypted;
mod handshake;
mod properties;
mod wire;

use smp_vectors::{list, number, run, size, text};

#[test]
fn files() {
    run("files.json", |kind, case| match kind {
        "description" => description::written(case),
        "description_read" => drop(description::read(case)),
        "description_refused" => description::refused(case),
        "link" => description::link(case),
        "web_link" => description::web_link(case),
        "link_refused" => description::link_refused(case),
        "relay_hello" => handshake::relay_hello(case),
        "client_hello" => handshake::client_hello(case),
        "client_hello_read" => drop(handshake::client_hello_read(case)),
        "web_hello" => handshake::web_hello(case),
        "web_hello_refused" => handshake::web_hello_refused(case),
        "identity_proof" => handshake::identity_proof(case),
        "refusal" => handshake::refusal(case),
        "command" => wire::command(case),
        "command_refused" => wire::command_refused(case),
        "command_block_refused" => wire::command_block_refused(case),
        "credentials" => wire::credentials(case),
        "response" => wire::response(case),
        "response_block" => wire::response_block(case),
        "download" => encrypted::download(case),
        "encrypted_file" => encrypted::file(case),
        "chunk_sizes" => {
            let header = encrypted::header(&"a".repeat(size(&case["file_name_length"])));
            let layout =
                smp_protocol::xftp::header::FileLayout::new(&header, number(&case["content_length"]));
            let expected: Vec<u64> = list(&case["chunk_sizes"]).iter().map(number).collect();
            assert!(layout.unwrap().chunks.into_iter().map(u64::from).eq(expected));
        }
        other => panic!("unknown kind {other}: {}", text(&case["name"])),
    });
}
