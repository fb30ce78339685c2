//! The body of a message between applications: JSON, a batch, or compressed.

use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use smp_protocol::chat::{ChatMessage, MAX_MESSAGES, decode_messages};

use crate::check::join_parts;
use crate::seeds::Vectors;

/// Reads the body, and writes each of its messages.
pub fn run(data: &[u8]) {
    let messages = decode_messages(data);
    assert!((1..=MAX_MESSAGES + 1).contains(&messages.len()));
    messages.iter().flatten().for_each(settles);
}

fn settles(message: &ChatMessage) {
    let written = message.encode();
    match &decode_messages(&written)[..] {
        [Ok(again)] => assert_eq!(again.encode(), written),
        other => panic!("a message is read back as {other:?}"),
    }
}

/// There are no vectors for this layer: each form, as applications send it.
pub fn seeds(_: &Vectors) -> Vec<Vec<u8>> {
    let plain = [
        r#"{"v":"1-16","msgId":"AAECAwQFBgcICQoL","event":"x.msg.new","params":{"content":{"type":"text","text":"hello"}}}"#,
        r#"{"event":"x.info","params":{"profile":{"displayName":"ann","fullName":"Ann","image":"data:,","preferences":{"voice":{"allow":"yes"}}}}}"#,
        r#"{"v":"1","event":"x.contact","params":{"profile":{"displayName":"b","fullName":""},"contactReqId":"AAEC","msgId":"AwQF","content":{"type":"text","text":"hi"}}}"#,
        r#"{"event":"x.msg.update","params":{"msgId":"AAEC","content":{"type":"link","text":"a","preview":{"uri":"b"}},"ttl":3600,"live":true}}"#,
        r#"{"event":"x.msg.new","params":{"content":{"type":"voice","text":"","duration":7},"file":{"fileName":"a.m4a","fileSize":10},"quote":{"msgRef":{"msgId":"AAEC","sentAt":"2024-01-01T00:00:00.5Z","sent":true},"content":{"type":"text","text":"before"}}}}"#,
        r#"{"event":"x.msg.del","params":{"msgId":"AAEC","scope":{"n":1.25e-7}}}"#,
        r#"{"event":"x.direct.del","params":{}}"#,
        r#"{"event":"x.ok","params":{}}"#,
        r#"{"event":"x.grp.inv","params":{"a":[1,-2,3.5,null,true,{"b":[[[]]]}]}}"#,
    ];
    let mut seeds: Vec<Vec<u8>> = plain.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.push(format!("[{}]", plain.join(",")).into_bytes());
    // Many messages that are none.
    seeds.push(format!("[{}1]", "1,".repeat(9000)).into_bytes());
    seeds.push(format!("[{}{{\"\":0}}]", "{\"\":0},".repeat(2200)).into_bytes());
    let item = |text: &&str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
    seeds.push([&b"=\x02"[..], &item(&plain[0]), &item(&plain[7])].concat());
    let short = plain[7].as_bytes();
    seeds.push([&b"X\x010"[..], &[short.len() as u8], short].concat());
    // One message, and eight zeros, as libzstd compresses them.
    let zstd = "580131007428b52ffd60c2015503007246161c6089350684c06fd919f92013d00f1890beda2cdcdc9fc2998e22b002cff38c10\
        73ef80d6995e47f75c97c41ed73de598c3b6106b39dda82b186c8573be4e193d5d78c981284c40481a750c943a37200cb6d30103609c33c7\
        0400495e4ae0b487ca54655c2a0a";
    seeds.extend(hex::decode(zstd));
    seeds.extend(hex::decode("580131001728b52ffd6040007d00004053696d706c655820010035530b17"));
    // Much that is small when compressed: objects, messages that are none, one long text, more than is allowed.
    let event = |params: &str| format!(r#"{{"event":"x.a","params":{{"a":{params}}}}}"#);
    let objects = |count| format!("[{}0]", r#"{"":0},"#.repeat(count));
    for bomb in [
        objects(9000),
        event(&objects(9000)),
        format!("[{}0]", "0,".repeat(32_000)),
        event(&format!("\"{}\"", "a".repeat(65_000))),
        event(&format!("{}{}", "[".repeat(120), "]".repeat(120))),
        " ".repeat(2_000_000),
    ] {
        let frame = compress_to_vec(bomb.as_bytes(), CompressionLevel::Fastest);
        seeds.push([&b"X\x011"[..], &join_parts(&frame, &[])].concat());
    }
    seeds
}
