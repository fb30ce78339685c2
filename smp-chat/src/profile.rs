//! Profiles: a name, and preferences: what its owner allows others to do.

use std::num::NonZero;

use rand::CryptoRng;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use smp_protocol::chat::{ChatEvent, ChatMessage, ContactRequest, MessageContent, Profile, SharedMessageId};

use crate::kept;

/// A feature of conversations that both sides have to allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Feature {
    /// Audio and video calls.
    Calls,
    /// Files and media.
    Files,
    /// Deleting messages without a trace.
    FullDelete,
    /// Reactions to messages.
    Reactions,
    /// Messages that disappear.
    TimedMessages,
    /// Voice messages.
    Voice,
}

/// The word of one side about a feature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Allow {
    /// The other side may, whatever they allow.
    Always,
    /// The other side may if they allow it too.
    Yes,
    /// Neither may.
    No,
}

impl Feature {
    /// Its name in the JSON of preferences.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Calls => "calls",
            Self::Files => "files",
            Self::FullDelete => "fullDelete",
            Self::Reactions => "reactions",
            Self::TimedMessages => "timedMessages",
            Self::Voice => "voice",
        }
    }

    /// The meaning of a profile without a word about it.
    fn usual(self) -> Allow {
        match self {
            Self::FullDelete => Allow::No,
            Self::Files => Allow::Always,
            Self::Calls | Self::Reactions | Self::TimedMessages | Self::Voice => Allow::Yes,
        }
    }

    /// Our own word: nobody shall call into the void. Voice messages are files here.
    fn ours(self) -> Allow {
        match self {
            Self::Files => Allow::Always,
            Self::Reactions | Self::TimedMessages | Self::Voice => Allow::Yes,
            Self::Calls | Self::FullDelete => Allow::No,
        }
    }

    /// The word of a contact, by their profile; none is known before they have sent one.
    #[must_use]
    pub fn allowed_by(self, profile: Option<&Profile>) -> Allow {
        let preference = || profile?.other.get("preferences")?.get(self.name())?.get("allow")?.as_str();
        match preference() {
            Some("always") => Allow::Always,
            Some("yes") => Allow::Yes,
            Some("no") => Allow::No,
            _ => self.usual(),
        }
    }

    /// Whether we may do it towards a contact with this profile.
    #[must_use]
    pub fn is_ours_with(self, profile: Option<&Profile>) -> bool {
        match (self.ours(), self.allowed_by(profile)) {
            (_, Allow::No) => false,
            // Messages disappear on both sides, or on neither.
            (Allow::No, Allow::Always) => self != Self::TimedMessages,
            (Allow::No, Allow::Yes) => false,
            _ => true,
        }
    }
}

/// A word of one side on disappearing messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disappearing {
    /// They stay.
    Never,
    /// They are forgotten so many seconds after they were read, or sent.
    After(NonZero<u32>),
}

impl Disappearing {
    /// The word as a number of seconds, 0 for never.
    #[must_use]
    pub fn of_seconds(seconds: u32) -> Self {
        NonZero::new(seconds).map_or(Self::Never, Self::After)
    }

    /// The number of seconds, 0 for never.
    #[must_use]
    pub fn seconds(self) -> u32 {
        match self {
            Self::Never => 0,
            Self::After(seconds) => seconds.get(),
        }
    }

    /// The word of a contact, by their profile.
    #[must_use]
    pub fn of_profile(profile: Option<&Profile>) -> Self {
        let seconds = || profile?.other.get("preferences")?.get("timedMessages")?.get("ttl")?.as_u64();
        seconds().and_then(|seconds| u32::try_from(seconds).ok()).map_or(Self::Never, Self::of_seconds)
    }
}

/// After how many seconds our messages to a contact with this profile disappear: as the user has said, and otherwise as the contact
/// wishes. Nothing disappears if the contact's app does not allow it.
#[must_use]
pub fn disappear_after(ours: Option<Disappearing>, profile: Option<&Profile>) -> Option<u32> {
    if !Feature::TimedMessages.is_ours_with(profile) {
        return None;
    }
    match ours.unwrap_or_else(|| Disappearing::of_profile(profile)) {
        Disappearing::Never => None,
        Disappearing::After(seconds) => Some(seconds.get()),
    }
}

/// Preferences by which an app decides what to offer to its user.
fn preferences() -> Value {
    let features = [
        Feature::Calls,
        Feature::Files,
        Feature::FullDelete,
        Feature::Reactions,
        Feature::TimedMessages,
        Feature::Voice,
    ];
    let allow = |allow| match allow {
        Allow::Always => "always",
        Allow::Yes => "yes",
        Allow::No => "no",
    };
    let mut preferences: Map<String, Value> = features
        .iter()
        .map(|feature| (feature.name().to_owned(), json!({ "allow": allow(feature.ours()) })))
        .collect();
    preferences.insert("commands".to_owned(), json!([]));
    preferences.insert("sessions".to_owned(), json!({ "allow": "no" }));
    preferences.into()
}

/// Features that nobody has here, whatever a profile says of them.
const ABSENT: [&str; 2] = ["calls", "sessions"];

/// Our profile under this name: as it was given, or with nothing but the name. It allows nothing that we cannot do.
#[must_use]
pub fn ours(name: &str, given: Option<Profile>) -> Profile {
    let mut profile = given.unwrap_or_else(|| Profile::new(name));
    profile.display_name = name.to_owned();
    let mut allowed = preferences();
    let given = profile.other.get("preferences").and_then(Value::as_object);
    for (feature, preference) in given.into_iter().flatten() {
        if !ABSENT.contains(&feature.as_str()) {
            allowed[feature] = preference.clone();
        }
    }
    profile.other.insert("preferences".into(), allowed);
    profile
}

/// A profile as JSON, to be kept.
pub(crate) fn json_of(profile: &Profile) -> String {
    kept::written(ChatEvent::Info(profile.clone()))
}

/// A profile that was kept.
pub(crate) fn profile_of(json: &str) -> Option<Profile> {
    match kept::read(json)? {
        ChatEvent::Info(profile) => Some(profile),
        _ => None,
    }
}

/// `x.info`, as contacts get it while connecting.
#[must_use]
pub fn own_profile(profile: &Profile) -> Vec<u8> {
    ChatMessage::new(None, ChatEvent::Info(profile.clone())).encode()
}

/// Words on features for one contact, where they are others than for everybody.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ContactPreferences(Map<String, Value>);

impl ContactPreferences {
    /// Preferences as programs write them. Features that nobody has here are left out. None if one of them is no word.
    #[must_use]
    pub fn of_json(json: &Value) -> Option<Self> {
        let mut words = Map::new();
        for (feature, word) in json.as_object()? {
            if word.is_null() || !FOR_ONE.iter().any(|known| known.name() == feature) {
                continue;
            }
            let allow =
                word.get("allow")?.as_str().filter(|allow| ["always", "yes", "no"].contains(allow))?;
            let mut kept = json!({ "allow": allow });
            if let Some(ttl) = word.get("ttl").filter(|ttl| !ttl.is_null()) {
                kept["ttl"] = u32::try_from(ttl.as_u64()?).ok()?.into();
            }
            words.insert(feature.clone(), kept);
        }
        Some(Self(words))
    }

    /// The words, each under the name of its feature.
    #[must_use]
    pub fn words(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The word on messages that disappear, if there is one.
    #[must_use]
    pub fn disappearing(&self) -> Option<Disappearing> {
        let word = self.0.get(Feature::TimedMessages.name())?;
        let seconds = word["ttl"].as_u64().filter(|_| word["allow"] != "no");
        Some(
            seconds
                .and_then(|seconds| u32::try_from(seconds).ok())
                .map_or(Disappearing::Never, Disappearing::of_seconds),
        )
    }
}

/// Features on which there can be a word for one contact.
const FOR_ONE: [Feature; 5] =
    [Feature::Files, Feature::FullDelete, Feature::Reactions, Feature::TimedMessages, Feature::Voice];

/// Our profile as one contact gets it: with our words to this contact, and the last one on messages that disappear.
#[must_use]
pub fn profile_for(
    mut profile: Profile,
    preferences: Option<&ContactPreferences>,
    disappearing: Option<Disappearing>,
) -> Profile {
    let Some(allowed) = profile.other.get_mut("preferences").and_then(Value::as_object_mut) else {
        return profile;
    };
    for (feature, word) in preferences.iter().flat_map(|preferences| preferences.words()) {
        allowed.insert(feature.clone(), word.clone());
    }
    let timed = allowed.get_mut(Feature::TimedMessages.name()).and_then(Value::as_object_mut);
    if let (Some(disappearing), Some(timed)) = (disappearing, timed) {
        match disappearing {
            Disappearing::Never => drop(timed.remove("ttl")),
            Disappearing::After(seconds) => {
                timed.insert("ttl".into(), seconds.get().into());
                if timed.get("allow").is_some_and(|allow| allow == "no") {
                    timed.insert("allow".into(), "yes".into());
                }
            }
        }
    }
    profile
}

/// `x.contact`, as the owner of a contact address gets it with our request to connect, and with a message.
#[must_use]
pub fn contact_request(
    profile: &Profile,
    message: Option<(SharedMessageId, MessageContent)>,
    rng: &mut impl CryptoRng,
) -> Vec<u8> {
    let mut request = ContactRequest::new(profile.clone());
    request.message = message;
    request.request_id = Some(SharedMessageId::generate(rng));
    ChatMessage::new(None, ChatEvent::Contact(request)).encode()
}

/// The content of our short link, in the form that SimpleX apps put there.
#[must_use]
pub fn shown_with_link(profile: &Profile) -> Vec<u8> {
    json!({ "profile": profile.to_json(), "business": false }).to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use smp_protocol::chat::decode_messages;

    use super::*;

    #[test]
    fn a_profile_says_what_we_cannot_do() {
        let messages = decode_messages(&own_profile(&ours("alice", None)));
        let Ok(ChatMessage { event: ChatEvent::Info(profile), .. }) = &messages[0] else {
            panic!("{messages:?}")
        };
        assert_eq!((profile.display_name.as_str(), profile.full_name.as_str()), ("alice", ""));
        for what in ["calls", "fullDelete", "sessions"] {
            assert_eq!(profile.other["preferences"][what]["allow"], "no", "{what}");
        }
        assert_eq!(profile.other["preferences"]["files"]["allow"], "always");
        for what in ["reactions", "timedMessages", "voice"] {
            assert_eq!(profile.other["preferences"][what]["allow"], "yes", "{what}");
        }
        assert_eq!(profile.other["preferences"]["commands"], json!([]));
        assert_eq!(profile_of(&json_of(profile)).as_ref(), Some(profile));
        let requests = decode_messages(&contact_request(&ours("alice", None), None, &mut rand::rng()));
        let Ok(ChatMessage { event: ChatEvent::Contact(request), .. }) = &requests[0] else {
            panic!("{requests:?}")
        };
        assert!(request.profile == *profile && request.request_id.is_some());
        let shown: Value = serde_json::from_slice(&shown_with_link(&ours("alice", None))).unwrap();
        assert_eq!(shown["profile"]["preferences"], profile.other["preferences"]);
    }

    #[test]
    fn a_given_profile_keeps_what_it_says_and_promises_nothing() {
        let mut given = Profile::new("other");
        given.full_name = "Alice".into();
        let preferences = json!({ "reactions": { "allow": "no" }, "calls": { "allow": "yes" }, "commands": [{ "type": "command" }] });
        given.other =
            Map::from_iter([("preferences".into(), preferences), ("peerType".into(), "bot".into())]);
        let profile = ours("alice", Some(given));
        assert_eq!((profile.display_name.as_str(), profile.full_name.as_str()), ("alice", "Alice"));
        assert_eq!(profile.other["peerType"], "bot");
        let preferences = &profile.other["preferences"];
        assert_eq!(
            (&preferences["reactions"]["allow"], &preferences["calls"]["allow"]),
            (&json!("no"), &json!("no"))
        );
        assert_eq!(preferences["commands"][0]["type"], "command");
        assert_eq!(preferences["timedMessages"]["allow"], "yes");
    }

    #[test]
    fn a_feature_needs_both_sides() {
        let with = |preferences: Value| {
            let mut profile = Profile::new("bob");
            profile.other.insert("preferences".into(), preferences);
            profile
        };
        let reacts = |allow: &str| {
            Feature::Reactions.is_ours_with(Some(&with(json!({ "reactions": { "allow": allow } }))))
        };
        assert!(reacts("yes") && reacts("always") && !reacts("no") && reacts("perhaps"));
        assert!(Feature::Reactions.is_ours_with(None) && !Feature::FullDelete.is_ours_with(None));
        let timed = |allow: &str, ttl: Value| {
            disappear_after(None, Some(&with(json!({ "timedMessages": { "allow": allow, "ttl": ttl } }))))
        };
        assert_eq!(timed("yes", json!(3600)), Some(3600));
        for (allow, ttl) in
            [("no", json!(3600)), ("yes", json!(0)), ("yes", json!(null)), ("yes", json!(u64::MAX))]
        {
            assert_eq!(timed(allow, ttl), None);
        }
        assert_eq!(disappear_after(None, None), None);
        // The user's word stands before the contact's, but not against what their app allows.
        let wish = |allow: &str| with(json!({ "timedMessages": { "allow": allow, "ttl": 3600 } }));
        let day = Some(Disappearing::of_seconds(86_400));
        assert_eq!(disappear_after(day, Some(&wish("yes"))), Some(86_400));
        assert_eq!(disappear_after(day, None), Some(86_400));
        assert_eq!(disappear_after(Some(Disappearing::Never), Some(&wish("yes"))), None);
        assert_eq!(disappear_after(day, Some(&wish("no"))), None);
    }

    #[test]
    fn a_wish_for_disappearing_messages_is_in_the_profile() {
        for seconds in [0, 60, u32::MAX] {
            let wish = Disappearing::of_seconds(seconds);
            let profile = profile_for(ours("alice", None), None, Some(wish));
            assert_eq!((Disappearing::of_profile(Some(&profile)), wish.seconds()), (wish, seconds));
            let timed = &profile.other["preferences"]["timedMessages"];
            assert_eq!((&timed["allow"], timed.get("ttl").is_some()), (&json!("yes"), seconds > 0));
        }
    }

    #[test]
    fn words_to_one_contact_stand_before_those_to_everybody() {
        let given = json!({ "timedMessages": { "allow": "yes", "ttl": 60 }, "reactions": { "allow": "no" }, "calls": { "allow": "yes" }, "fullDelete": null, "x": 1 });
        let preferences = ContactPreferences::of_json(&given).unwrap();
        assert_eq!(preferences.words().len(), 2);
        assert_eq!(preferences.disappearing(), Some(Disappearing::of_seconds(60)));
        let profile = profile_for(ours("alice", None), Some(&preferences), preferences.disappearing());
        let allowed = &profile.other["preferences"];
        assert_eq!(allowed["timedMessages"], json!({ "allow": "yes", "ttl": 60 }));
        assert_eq!(
            (&allowed["reactions"]["allow"], &allowed["calls"]["allow"]),
            (&json!("no"), &json!("no"))
        );
        // The last word on disappearing messages may be another one meanwhile.
        for (wish, timed) in [
            (Some(Disappearing::Never), json!({ "allow": "yes" })),
            (Some(Disappearing::of_seconds(7)), json!({ "allow": "yes", "ttl": 7 })),
            (None, json!({ "allow": "yes", "ttl": 60 })),
        ] {
            let profile = profile_for(ours("alice", None), Some(&preferences), wish);
            assert_eq!(profile.other["preferences"]["timedMessages"], timed);
        }
        let none =
            ContactPreferences::of_json(&json!({ "timedMessages": { "allow": "no", "ttl": 60 } })).unwrap();
        assert_eq!(none.disappearing(), Some(Disappearing::Never));
        assert_eq!(ContactPreferences::of_json(&json!({})).unwrap().disappearing(), None);
        for wrong in [
            json!([]),
            json!({ "reactions": {} }),
            json!({ "reactions": { "allow": "perhaps" } }),
            json!({ "timedMessages": { "allow": "yes", "ttl": -1 } }),
        ] {
            assert_eq!(ContactPreferences::of_json(&wrong), None, "{wrong}");
        }
    }
}
