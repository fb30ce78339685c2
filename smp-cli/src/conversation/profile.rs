//! Our profile: a name, and what we can do.

use rand::CryptoRng;
use serde_json::{Value, json};
use smp_protocol::chat::{ChatEvent, ChatMessage, ContactRequest, Profile, SharedMessageId};

/// Preferences by which an app decides what to offer to its user: nobody shall call, speak or send files into the void.
fn preferences() -> Value {
    let no = json!({ "allow": "no" });
    json!({
        "calls": no, "commands": [], "files": no, "fullDelete": no, "reactions": { "allow": "yes" }, "sessions": no,
        "timedMessages": no, "voice": no,
    })
}

fn profile(name: &str) -> Profile {
    let mut profile = Profile::new(name);
    profile.other.insert("preferences".into(), preferences());
    profile
}

/// `x.info`, as contacts get it while connecting.
pub(crate) fn own_profile(name: &str) -> Vec<u8> {
    ChatMessage::new(None, ChatEvent::Info(profile(name))).encode()
}

/// `x.contact`, as the owner of a contact address gets it with our request to connect.
pub(crate) fn contact_request(name: &str, rng: &mut impl CryptoRng) -> Vec<u8> {
    let mut request = ContactRequest::new(profile(name));
    request.request_id = Some(SharedMessageId::generate(rng));
    ChatMessage::new(None, ChatEvent::Contact(request)).encode()
}

/// The content of our short link, in the form that SimpleX apps put there.
pub(crate) fn shown_with_link(name: &str) -> Vec<u8> {
    let profile = json!({ "displayName": name, "fullName": "", "preferences": preferences() });
    json!({ "profile": profile, "business": false }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use smp_protocol::chat::decode_messages;

    use super::*;

    #[test]
    fn a_profile_says_what_we_cannot_do() {
        let messages = decode_messages(&own_profile("alice"));
        let Ok(ChatMessage { event: ChatEvent::Info(profile), .. }) = &messages[0] else {
            panic!("{messages:?}")
        };
        assert_eq!((profile.display_name.as_str(), profile.full_name.as_str()), ("alice", ""));
        for what in ["calls", "files", "voice", "timedMessages", "fullDelete", "sessions"] {
            assert_eq!(profile.other["preferences"][what]["allow"], "no", "{what}");
        }
        assert_eq!(profile.other["preferences"]["commands"], json!([]));
        let requests = decode_messages(&contact_request("alice", &mut rand::rng()));
        let Ok(ChatMessage { event: ChatEvent::Contact(request), .. }) = &requests[0] else {
            panic!("{requests:?}")
        };
        assert!(request.profile == *profile && request.request_id.is_some());
        let shown: Value = serde_json::from_slice(&shown_with_link("alice")).unwrap();
        assert_eq!(shown["profile"]["preferences"], profile.other["preferences"]);
    }
}
