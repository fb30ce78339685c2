//! Links of all kinds, as people paste them.

use smp_protocol::agent::{AnyKem, ProposedKem, QueueUri, RatchetParametersUri};
use smp_protocol::encoding::{TextDecode, TextEncode, from_text, to_bytes, to_text};
use smp_protocol::link::{ConnectionLink, ConnectionRequest, LinkScheme, ShortLink, ShortLinkScheme};

use crate::check::{settles, text_settles, uri_settles};
use crate::seeds::Vectors;

/// Reads the text as each type of link.
pub fn run(data: &[u8]) {
    settles!(ConnectionRequest, data, |request| request.queues().iter().all(uri_settles));
    settles!(ShortLink, data);
    let Ok(text) = std::str::from_utf8(data) else { return };
    if let Ok(link) = text.parse::<ConnectionLink>() {
        match &link {
            ConnectionLink::Full(request) => full(request, text),
            ConnectionLink::Short(link) => short(link, text),
        }
    }
    queue_settles(text);
    parameters_settle::<RatchetParametersUri<ProposedKem>>(text);
    parameters_settle::<RatchetParametersUri<AnyKem>>(text);
}

fn full(request: &ConnectionRequest, text: &str) {
    text_settles!(ConnectionRequest, text);
    let Ok((scheme, _)) = ConnectionRequest::from_uri(text) else { panic!("the link was read before") };
    for scheme in [&scheme, &LinkScheme::Simplex] {
        let written = request.to_uri(scheme);
        assert_eq!(ConnectionRequest::from_uri(&written), Ok((scheme.clone(), request.clone())));
    }
    let _ = to_bytes(request);
}

fn short(link: &ShortLink, text: &str) {
    text_settles!(ShortLink, text);
    for scheme in [ShortLinkScheme::Simplex, ShortLinkScheme::Https] {
        assert_eq!(ShortLink::from_uri(&link.to_uri(scheme)), Ok((scheme, link.clone())));
    }
    let _ = (link.data_credentials(), to_bytes(link));
}

fn queue_settles(text: &str) {
    if text.parse::<QueueUri>().is_ok() {
        text_settles!(QueueUri, text);
    }
}

fn parameters_settle<T: TextDecode + TextEncode>(text: &str) {
    if let Ok(parameters) = from_text::<T>(text) {
        let written = to_text(&parameters);
        let Ok(again) = from_text::<T>(&written) else { panic!("parameters are not read back") };
        assert_eq!(to_text(&again), written);
    }
}

/// Links of the vectors.
pub fn seeds(vectors: &Vectors) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for kind in ["connection_request", "short_link", "e2e_params_uri"] {
        seeds.extend(vectors.texts("links", &[kind], "str_encoded"));
        seeds.extend(vectors.bytes("links", &[kind], "smp_encoded"));
    }
    for kind in ["connection_request_read", "short_link_read", "e2e_params_uri_read", "any_link_read"] {
        seeds.extend(vectors.texts("links", &[kind], "input"));
    }
    seeds.extend(vectors.bytes("links", &["connection_request_binary_read"], "input"));
    seeds.extend(vectors.texts("agent_messages", &["queue_uri"], "str_encoded"));
    seeds
}
