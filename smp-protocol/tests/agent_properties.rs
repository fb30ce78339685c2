//! Properties of the agent's, the links' and the chat's codecs: what is written is read back, and no input panics.

#![allow(clippy::unwrap_used)]

mod agent_strategies;

use agent_strategies::{
    agent_message, chat_message, connection_request, envelope, fixed_data, invitation, owner, queue_info,
    queue_uri, ratchet_uri, short_link, user_link_data,
};
use proptest::prelude::*;
use smp_protocol::agent::{
    AMessage, AgentEnvelope, AgentMessage, AnyKem, ProposedKem, QueueInfo, QueueUri, RatchetParametersUri,
};
use smp_protocol::chat::decode_messages;
use smp_protocol::command::LinkData;
use smp_protocol::encoding::{from_bytes, from_text, to_bytes, to_text};
use smp_protocol::link::{
    ConnectionLink, ConnectionRequest, FixedLinkData, LinkScheme, OwnerAuth, ShortLink, ShortLinkScheme,
    UserLinkData, open_link_data, seal_fixed_data, seal_user_data,
};

proptest! {
    #[test]
    fn envelopes(value in envelope()) {
        let bytes = to_bytes(&value);
        let read = from_bytes::<AgentEnvelope<'_>>(&bytes);
        prop_assert_eq!(read.clone(), Ok(value));
        prop_assert_eq!(read.map(AgentEnvelope::into_owned), from_bytes(&bytes));
    }

    #[test]
    fn agent_messages(value in agent_message()) {
        let bytes = to_bytes(&value);
        let read = from_bytes::<AgentMessage<'_>>(&bytes);
        prop_assert_eq!(&read, &Ok(value));
        prop_assert_eq!(read.map(AgentMessage::into_owned), from_bytes(&bytes));
    }

    #[test]
    fn queues(info in queue_info(), uri in queue_uri()) {
        prop_assert_eq!(from_bytes::<QueueInfo>(&to_bytes(&info)), Ok(info));
        prop_assert_eq!(from_text::<QueueUri>(&to_text(&uri)), Ok(uri.clone()));
        prop_assert_eq!(from_bytes::<QueueUri>(&to_bytes(&uri)), Ok(uri));
    }

    #[test]
    fn ratchet_parameters(value in ratchet_uri()) {
        prop_assert_eq!(from_bytes::<RatchetParametersUri<ProposedKem>>(&to_bytes(&value)), Ok(value.clone()));
        prop_assert_eq!(from_text::<RatchetParametersUri<ProposedKem>>(&to_text(&value)), Ok(value));
    }

    #[test]
    fn full_links(request in connection_request(), https in any::<bool>()) {
        let scheme = if https { "https://simplex.chat" } else { "simplex:" };
        let scheme: LinkScheme = from_text(scheme).unwrap();
        let uri = request.to_uri(&scheme);
        prop_assert_eq!(ConnectionRequest::from_uri(&uri), Ok((scheme, request.clone())));
        prop_assert_eq!(uri.parse(), Ok(ConnectionLink::Full(request.clone())));
        prop_assert_eq!(from_bytes::<ConnectionRequest>(&to_bytes(&request)), Ok(request));
    }

    #[test]
    fn short_links(link in short_link(), simplex in any::<bool>()) {
        let scheme = if simplex { ShortLinkScheme::Simplex } else { ShortLinkScheme::Https };
        let uri = link.to_uri(scheme);
        prop_assert_eq!(ShortLink::from_uri(&uri), Ok((scheme, link.clone())));
        prop_assert_eq!(uri.parse(), Ok(ConnectionLink::Short(link.clone())));
        prop_assert_eq!(from_bytes::<ShortLink>(&to_bytes(&link)), Ok(link));
    }

    #[test]
    fn link_data(fixed in fixed_data(), user in user_link_data(), owner in owner()) {
        prop_assert_eq!(from_bytes::<FixedLinkData>(&to_bytes(&fixed)), Ok(fixed));
        prop_assert_eq!(from_bytes::<UserLinkData>(&to_bytes(&user)), Ok(user));
        prop_assert_eq!(from_bytes::<OwnerAuth>(&to_bytes(&owner)), Ok(owner));
    }

    #[test]
    fn chat_messages(message in chat_message()) {
        prop_assert_eq!(decode_messages(&message.encode()), vec![Ok(message)]);
    }

    /// A damaged encoding is read as something else or refused, and what is read can be written.
    #[test]
    fn damaged_envelopes(value in envelope(), place in any::<prop::sample::Index>(), bits in 1u8..) {
        let mut bytes = to_bytes(&value);
        bytes[place.index(value_length(&value))] ^= bits;
        if let Ok(read) = from_bytes::<AgentEnvelope<'_>>(&bytes) {
            to_bytes(&read);
        }
        bytes.truncate(place.index(bytes.len()));
        let _ = from_bytes::<AgentEnvelope<'_>>(&bytes);
    }

    #[test]
    fn damaged_links(request in invitation(), place in any::<prop::sample::Index>(), byte in 0x20u8..0x7f) {
        let request = ConnectionRequest::Invitation(Box::new(request));
        let mut uri = request.to_string().into_bytes();
        let place = place.index(uri.len());
        uri[place] = byte;
        if let Ok(read) = String::from_utf8(uri).unwrap().parse::<ConnectionLink>() {
            // Some damage does not show (the letter case of an escape), none makes a link that cannot be written.
            let _ = read.to_string();
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = from_bytes::<AgentEnvelope<'_>>(&bytes);
        let _ = from_bytes::<AgentMessage<'_>>(&bytes);
        let _ = from_bytes::<AMessage<'_>>(&bytes);
        let _ = from_bytes::<RatchetParametersUri<AnyKem>>(&bytes);
        let _ = from_bytes::<ConnectionRequest>(&bytes);
        let _ = from_bytes::<ShortLink>(&bytes);
        let _ = from_bytes::<FixedLinkData>(&bytes);
        let _ = from_bytes::<UserLinkData>(&bytes);
        let _ = decode_messages(&bytes);
        for form in [b'X', b'[', b'=', b'{'] {
            let _ = decode_messages(&[&[form], bytes.as_slice()].concat());
        }
        let zstd = [b"X\x011\x01\x90\x28\xb5\x2f\xfd".as_slice(), &bytes].concat();
        let _ = decode_messages(&zstd);
    }

    #[test]
    fn no_text_panics(text in ".{0,200}", begin in prop::sample::select(vec![
        "", "simplex:/", "simplex:/invitation#/?v=1&smp=smp://", "https://a/i#", "https://a/a#", "simplex:/a#",
    ])) {
        let text = format!("{begin}{text}");
        let _ = text.parse::<ConnectionLink>();
        let _ = from_text::<QueueUri>(&text);
        let _ = from_text::<RatchetParametersUri<AnyKem>>(&text);
        let _ = decode_messages(text.as_bytes());
    }
}

/// The first bytes hold everything but the content.
fn value_length(value: &AgentEnvelope<'_>) -> usize {
    to_bytes(value).len().min(300)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]

    /// Sealed link data is opened with its link, and with no other.
    #[test]
    fn sealed_link_data(mut fixed in fixed_data(), user in user_link_data(), seed in any::<u64>()) {
        use rand::SeedableRng;
        let mut rng = rand_chacha::ChaCha20Rng::seed_from_u64(seed);
        let root = smp_crypto::Ed25519PrivateKey::generate(&mut rng);
        fixed.root_key = root.public_key();
        let link_key = fixed.link_key();
        let key = link_key.invitation_key();
        let (Ok(sealed_fixed), Ok(sealed_user)) = (
            seal_fixed_data(&fixed, &root, &key, &mut rng),
            seal_user_data(&user, &root, &key, &mut rng),
        ) else {
            return Ok(());
        };
        let sealed = LinkData { fixed: sealed_fixed, user: sealed_user };
        let same_kind = matches!(fixed.request, ConnectionRequest::Invitation(_))
            == matches!(user, UserLinkData::Invitation { .. });
        let opened = open_link_data(&link_key, &key, &sealed);
        if same_kind && user.owners().is_empty() {
            let opened = opened.unwrap();
            prop_assert_eq!(opened.fixed, fixed);
            prop_assert_eq!(opened.user, user);
        } else {
            prop_assert!(opened.is_err());
        }
        let other = smp_crypto::link_kdf::LinkKey::of_fixed_data(b"other");
        prop_assert!(open_link_data(&other, &key, &sealed).is_err());
    }
}
