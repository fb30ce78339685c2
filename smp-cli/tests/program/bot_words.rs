//! Words of bots about their user and about one contact.

use serde_json::{Value, json};

use crate::bots::{Daemon, with_alice};
use crate::common::{Person, TestRelay};

#[test]
fn a_bot_has_words_for_one_contact() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (owner, alice, daemon, mut bot, id) = with_alice(folder.path(), &relay);
    // Preferences, which alice learns.
    let words =
        r#"{"timedMessages":{"allow":"yes","ttl":60},"reactions":{"allow":"no"},"calls":{"allow":"yes"}}"#;
    let updated = bot.ok(&format!("/_set prefs @{id} {words}"), "contactPrefsUpdated");
    assert_eq!(updated["fromContact"]["userPreferences"], json!({}));
    let merged =
        |contact: &Value, feature: &str| contact["mergedPreferences"][feature]["userPreference"].clone();
    let now = &updated["toContact"];
    assert_eq!(
        now["userPreferences"],
        json!({ "timedMessages": { "allow": "yes", "ttl": 60 }, "reactions": { "allow": "no" } })
    );
    assert_eq!(
        merged(now, "timedMessages"),
        json!({ "type": "contact", "preference": { "allow": "yes", "ttl": 60 } })
    );
    assert_eq!(merged(now, "calls")["type"], "user");
    let mut listener = alice.listen();
    assert_eq!(listener.until("disappearing")["after"], 60);
    // A new profile takes nothing of it back.
    let profile = r#"{"displayName":"Echo Bot","fullName":"An echo"}"#;
    let updated = bot.ok(&format!("/_profile 1 {profile}"), "userProfileUpdated");
    assert_eq!(updated["updateSummary"]["updateSuccesses"], 1);
    let sent = bot
        .ok(&format!(r#"/_send @{id} json [{{"msgContent":{{"type":"text","text":"x"}}}}]"#), "newChatItems");
    assert_eq!(sent["chatItems"][0]["chatItem"]["meta"]["itemTimed"]["ttl"], 60);
    while !listener.until("message")["text"].as_str().unwrap().ends_with('x') {}
    drop(listener);
    assert!(alice.ok(&["disappear", "Echo Bot"]).contains("1 minute"));
    // An alias and data, which alice does not learn.
    bot.ok(&format!("/_set alias @{id} Alice from work"), "contactAliasUpdated");
    bot.ok(&format!(r#"/_set custom @{id} {{"score": 7}}"#), "cmdOk");
    // The security code.
    let code =
        bot.ok(&format!("/_get code @{id}"), "contactCode")["connectionCode"].as_str().unwrap().to_owned();
    let shown: Value = serde_json::from_str(&alice.ok(&["--json", "verify", "Echo Bot"])).unwrap();
    assert_eq!(shown["code"], code.as_str());
    for (given, verified) in [("1", false), (code.as_str(), true), ("", false)] {
        let answer = bot.ok(&format!("/_verify code @{id} {given}"), "connectionVerified");
        assert_eq!(
            (&answer["verified"], &answer["expectedCode"]),
            (&json!(verified), &json!(code)),
            "{given}"
        );
    }
    assert_eq!(bot.ok(&format!("/_info @{id}"), "contactInfo")["connectionStats"]["ratchetSyncState"], "ok");
    daemon.kill();
    let daemon = Daemon::start(&owner, &[]);
    let mut bot = daemon.bot();
    let contacts = bot.ok("/_contacts 1", "contactsList")["contacts"].clone();
    let contact = &contacts[0];
    assert_eq!(contact["profile"]["localAlias"], "Alice from work");
    assert_eq!(
        (&contact["localDisplayName"], &contact["customData"]),
        (&json!("alice"), &json!({ "score": 7 }))
    );
    assert_eq!(contact["userPreferences"]["reactions"]["allow"], "no");
    bot.ok(&format!("/_set alias @{id}"), "contactAliasUpdated");
    bot.ok(&format!("/_set custom @{id}"), "cmdOk");
    let contacts = bot.ok("/_contacts 1", "contactsList")["contacts"].clone();
    assert_eq!(
        (&contacts[0]["profile"]["localAlias"], &contacts[0]["customData"]),
        (&json!(""), &Value::Null)
    );
    // Impossible things are refused.
    for command in [
        format!(r#"/_set prefs @{id} {{"reactions":{{"allow":"perhaps"}}}}"#),
        format!("/_set custom @{id} 7"),
        format!(r#"/_set custom @{id} {{"a":"{}"}}"#, "x".repeat(20_000)),
        format!("/_set alias @{id} {}", "x".repeat(2_000)),
        "/_group 1 {}".to_owned(),
        "/incognito on".to_owned(),
        "/_set accept member contacts 1 on".to_owned(),
    ] {
        let error = bot.ok(&command, "chatCmdError");
        assert_eq!(error["chatError"]["errorType"]["type"], "commandError", "{error}");
    }
    let error = bot.ok("/_set custom @99 {}", "chatCmdError");
    assert_eq!(error["chatError"]["storeError"], json!({ "type": "contactNotFound", "contactId": 99 }));
    bot.ok("/_set accept member contacts 1 off", "cmdOk");
    let error = bot.ok("/_delete user 1 del_smp=on", "chatCmdError");
    assert_eq!(error["chatError"]["errorType"], json!({ "type": "cantDeleteActiveUser", "userId": 1 }));
}

#[test]
fn a_changed_profile_is_told_with_the_one_before() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (owner, alice, daemon, bot, _) = with_alice(folder.path(), &relay);
    // Nobody is there when it comes, and it comes twice.
    drop(bot);
    daemon.kill();
    let hers = Daemon::start(&alice, &[]);
    let mut at_alice = hers.bot();
    for (full, name) in [("A.", "alice"), ("A. B.", "Alicia")] {
        let profile = json!({ "displayName": name, "fullName": full });
        at_alice.ok(&format!("/_profile 1 {profile}"), "userProfileUpdated");
    }
    let daemon = Daemon::start(&owner, &[]);
    let mut bot = daemon.bot();
    bot.ok("/u", "activeUser");
    let name = |contact: &Value| {
        let profile = &contact["profile"];
        (
            profile["displayName"].as_str().unwrap().to_owned(),
            profile["fullName"].as_str().unwrap().to_owned(),
        )
    };
    let mut seen = Vec::new();
    while seen.last() != Some(&("Alicia".to_owned(), "A. B.".to_owned())) {
        let event = bot.until("contactUpdated")["resp"].clone();
        // Each begins where the last one ended.
        let (from, to) = (name(&event["fromContact"]), name(&event["toContact"]));
        assert_eq!(from, seen.last().cloned().unwrap_or(("alice".to_owned(), String::new())));
        assert_eq!(event["toContact"]["localDisplayName"], "alice");
        seen.push(to);
    }
}

#[test]
fn a_bot_names_the_user_that_nobody_knows_yet() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("me", folder.path().join("bot"), &relay);
    let daemon = Daemon::start(&owner, &[]);
    let mut bot = daemon.bot();
    let create = |name: &str| {
        format!(
            r#"/_create user {{"profile":{{"displayName":"{name}","fullName":""}},"pastTimestamp":false}}"#
        )
    };
    let kind = |answer: Value| answer["chatError"]["errorType"]["type"].clone();
    assert_eq!(kind(bot.ask(&create("me"))), "userExists");
    assert_eq!(kind(bot.ask(&create("@x"))), "invalidDisplayName");
    assert_eq!(kind(bot.ask(r#"/_create user {"profile":null}"#)), "commandError");
    let user = bot.ok(&create("Robot"), "activeUser");
    assert_eq!((&user["user"]["userId"], &user["user"]["localDisplayName"]), (&json!(1), &json!("Robot")));
    let link = bot.ok("/_connect 1", "invitation")["connReqInvitation"].as_str().unwrap().to_owned();
    bot.ok(&create("Robot 2"), "activeUser");
    daemon.kill();
    let daemon = Daemon::start(&owner, &[]);
    let mut bot = daemon.bot();
    assert_eq!(bot.ok("/users", "usersList")["users"][0]["user"]["localDisplayName"], "Robot 2");
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    assert_eq!(alice.ok(&["join", "--timeout", "60", &link]).trim(), "Robot 2");
    let refused = bot.ask(&create("Robot 3"));
    assert!(
        refused["chatError"]["errorType"]["message"].as_str().unwrap().contains("whom people know"),
        "{refused}"
    );
}
