//! Preferences: what a side allows, with all that it did not say, and what follows from both sides.

use serde_json::{Map, Value, json};
use smp_chat::profile::{Allow, Feature};
use smp_protocol::chat::Profile;

/// The features in the order of the interface.
const FEATURES: [Feature; 6] = [
    Feature::TimedMessages,
    Feature::FullDelete,
    Feature::Reactions,
    Feature::Voice,
    Feature::Files,
    Feature::Calls,
];

/// Live sessions: nobody has them here.
const SESSIONS: &str = "sessions";

/// All that a profile allows.
#[must_use]
pub fn full(profile: Option<&Profile>) -> Value {
    let mut all: Map<String, Value> =
        FEATURES.iter().map(|feature| (feature.name().to_owned(), word(*feature, profile))).collect();
    all.insert(SESSIONS.to_owned(), json!({ "allow": "no" }));
    all.insert("commands".to_owned(), commands(profile));
    all.into()
}

/// Features that the user and a contact may use: by the profile that the contact has of the user, in which these features were named for this
/// contact.
#[must_use]
pub fn merged(own: &Profile, for_contact: &Map<String, Value>, contact: Option<&Profile>) -> Value {
    let mut all = Map::new();
    let of = |feature: Feature| if for_contact.contains_key(feature.name()) { "contact" } else { "user" };
    for feature in FEATURES {
        let (ours, theirs) = (feature.allowed_by(Some(own)), feature.allowed_by(contact));
        let is_both = feature == Feature::TimedMessages;
        let enabled = |asks: Allow, grants: Allow| match (asks, grants) {
            (_, Allow::No) => false,
            (Allow::No, Allow::Always) => !is_both,
            (Allow::No, Allow::Yes) => false,
            _ => true,
        };
        let preference = json!({
            "enabled": { "forUser": enabled(ours, theirs), "forContact": enabled(theirs, ours) },
            "userPreference": { "type": of(feature), "preference": word(feature, Some(own)) },
            "contactPreference": word(feature, contact),
        });
        all.insert(feature.name().to_owned(), preference);
    }
    let no = json!({ "allow": "no" });
    let sessions = json!({
        "enabled": { "forUser": false, "forContact": false },
        "userPreference": { "type": "user", "preference": no },
        "contactPreference": no,
    });
    all.insert(SESSIONS.to_owned(), sessions);
    all.insert("commands".to_owned(), commands(contact));
    all.into()
}

/// The word of a profile about a feature.
fn word(feature: Feature, profile: Option<&Profile>) -> Value {
    let allow = match feature.allowed_by(profile) {
        Allow::Always => "always",
        Allow::Yes => "yes",
        Allow::No => "no",
    };
    let ttl = || profile?.other.get("preferences")?.get(feature.name())?.get("ttl")?.as_u64();
    match ttl() {
        Some(ttl) => json!({ "allow": allow, "ttl": ttl }),
        None => json!({ "allow": allow }),
    }
}

fn commands(profile: Option<&Profile>) -> Value {
    let commands =
        || profile?.other.get("preferences")?.get("commands").filter(|commands| commands.is_array());
    commands().cloned().unwrap_or_else(|| json!([]))
}
