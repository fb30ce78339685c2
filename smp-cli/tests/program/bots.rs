//! The interface for bots: commands and events, over kills of the daemon and of the bot.

use std::io::{BufRead as _, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Stdio};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::common::{Person, TestRelay};

/// `smp daemon --bot-api`, on a port of its own.
pub(crate) struct Daemon {
    child: Child,
    address: String,
}

impl Daemon {
    pub(crate) fn start(person: &Person, args: &[&str]) -> Self {
        let args = [&["--json", "daemon", "--bot-api", "127.0.0.1:0"], args].concat();
        let mut command = person.command(&args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut objects = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
        let serving = objects.find(|object| object["event"] == "serving").unwrap();
        // Otherwise it waits when the pipe is full.
        std::thread::spawn(move || objects.for_each(drop));
        let (_, address) = serving["bots"][0].as_str().unwrap().split_once("://").unwrap();
        let address = address.to_owned();
        Self { child, address }
    }

    pub(crate) fn bot(&self) -> Bot {
        self.connect("/", &[]).unwrap()
    }

    /// A connection with these headers.
    fn connect(&self, path: &str, headers: &[(&'static str, &str)]) -> Result<Bot, tungstenite::Error> {
        let stream = TcpStream::connect(&self.address).unwrap();
        let mut request = format!("ws://{}{path}", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Bot::new(socket)),
            Err(tungstenite::HandshakeError::Failure(error)) => Err(error),
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    pub(crate) fn port(&self) -> &str {
        self.address.rsplit_once(':').unwrap().1
    }

    pub(crate) fn kill(mut self) {
        self.end();
    }

    pub(crate) fn end(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(crate) struct Bot<S = TcpStream> {
    socket: WebSocket<S>,
    next: u64,
    events: Vec<Value>,
}

impl<S: Read + Write> Bot<S> {
    pub(crate) fn new(socket: WebSocket<S>) -> Self {
        Self { socket, next: 0, events: Vec::new() }
    }

    fn read(&mut self) -> Value {
        match self.socket.read().unwrap() {
            Message::Text(text) => serde_json::from_str(&text).unwrap(),
            message => panic!("{message:?}"),
        }
    }

    /// The answer to a command. Events that come before it are kept.
    pub(crate) fn ask(&mut self, command: &str) -> Value {
        self.next += 1;
        let correlation = self.next.to_string();
        let frame = json!({ "corrId": correlation, "cmd": command }).to_string();
        self.socket.send(Message::text(frame)).unwrap();
        loop {
            let frame = self.read();
            if frame["corrId"] == correlation.as_str() {
                return frame["resp"].clone();
            }
            self.events.push(frame);
        }
    }

    /// The answer, which must be of this type.
    pub(crate) fn ok(&mut self, command: &str, kind: &str) -> Value {
        let answer = self.ask(command);
        assert_eq!(answer["type"], kind, "{command}: {answer}");
        answer
    }

    /// The next event of this type, with its frame; others are passed over.
    pub(crate) fn until(&mut self, kind: &str) -> Value {
        loop {
            let found = self.events.iter().position(|frame| frame["resp"]["type"] == kind);
            if let Some(at) = found {
                return self.events.remove(at);
            }
            let frame = self.read();
            assert!(frame["corrId"].is_null(), "{frame}");
            self.events.push(frame);
        }
    }

    /// The next message of a contact: its text and its number.
    fn message(&mut self) -> (String, i64) {
        let event = self.until("newChatItems");
        let item = &event["resp"]["chatItems"][0]["chatItem"];
        assert_eq!(item["content"]["type"], "rcvMsgContent", "{event}");
        (item["meta"]["itemText"].as_str().unwrap().to_owned(), item["meta"]["itemId"].as_i64().unwrap())
    }
}

/// A bot with a contact address that lets everybody in, and alice, who is connected.
pub(crate) fn with_alice(folder: &std::path::Path, relay: &TestRelay) -> (Person, Person, Daemon, Bot, i64) {
    let owner = Person::create("Echo Bot", folder.join("bot"), relay);
    let daemon = Daemon::start(&owner, &[]);
    let mut bot = daemon.bot();
    let missing = bot.ask("/_show_address 1");
    assert_eq!(
        missing,
        json!({ "type": "chatCmdError", "chatError": { "type": "errorStore", "storeError": { "type": "userContactLinkNotFound" } } })
    );
    let created = bot.ok("/_address 1", "userContactLinkCreated");
    let link = created["connReqContact"].as_str().unwrap();
    assert_eq!(created["connLinkContact"]["connFullLink"], link);
    bot.ok(
        r#"/_address_settings 1 {"businessAddress":false,"autoAccept":{"acceptIncognito":false},"autoReply":{"type":"text","text":"Welcome"}}"#,
        "userContactLinkUpdated",
    );
    let alice = Person::create("alice", folder.join("alice"), relay);
    alice.ok(&["join", "--timeout", "60", link]);
    bot.until("acceptingContactRequest");
    let connected = bot.until("contactConnected");
    let contact = &connected["resp"]["contact"];
    assert_eq!(
        (&contact["localDisplayName"], &contact["profile"]["displayName"]),
        (&json!("alice"), &json!("alice"))
    );
    assert!(alice.ok(&["listen", "--count", "1", "--for", "60"]).contains("Welcome"));
    let id = contact["contactId"].as_i64().unwrap();
    (owner, alice, daemon, bot, id)
}

#[test]
fn a_bot_talks_changes_and_is_changed_with() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (_owner, alice, _daemon, mut bot, id) = with_alice(folder.path(), &relay);
    let mut listener = alice.listen();
    alice.ok(&["send", "Echo Bot", "hello"]);
    let (text, number) = bot.message();
    assert_eq!(text, "hello");
    // An answer that quotes, and disappears.
    let sent = bot.ok(
        &format!(r#"/_send @{id} ttl=3600 json [{{"quotedItemId":{number},"msgContent":{{"type":"text","text":"echo"}},"mentions":{{}}}}]"#),
        "newChatItems",
    );
    let item = &sent["chatItems"][0]["chatItem"];
    assert_eq!(
        (&item["quotedItem"]["itemId"], &item["meta"]["itemTimed"]["ttl"]),
        (&json!(number), &json!(3600))
    );
    let echo = item["meta"]["itemId"].as_i64().unwrap();
    let shown = listener.until("message");
    assert!(shown["text"].as_str().unwrap().ends_with("echo"), "{shown}");
    let status =
        |event: Value| event["resp"]["chatItems"][0]["chatItem"]["meta"]["itemStatus"]["type"].clone();
    while status(bot.until("chatItemsStatusesUpdated")) != "sndRcvd" {}
    // Changed by the bot.
    let update = |text: &str| {
        format!(
            r#"/_update item @{id} {echo} json {{"msgContent":{{"type":"text","text":"{text}"}},"mentions":{{}}}}"#
        )
    };
    bot.ok(&update("other"), "chatItemUpdated");
    assert_eq!(listener.until("message")["kind"], "edited");
    bot.ok(&update("other"), "chatItemNotChanged");
    bot.ok(&format!(r#"/_reaction @{id} {number} on {{"type":"emoji","emoji":"👍"}}"#), "chatItemReaction");
    assert_eq!(listener.until("message")["kind"], "reaction");
    let error = bot.ask(&format!(r#"/_reaction @{id} {number} on {{"type":"emoji","emoji":"no emoji"}}"#));
    assert!(error["chatError"]["errorType"]["message"].as_str().unwrap().contains("apps drop"), "{error}");
    bot.ok(&format!("/_delete item @{id} {echo} broadcast"), "chatItemsDeleted");
    assert_eq!(listener.until("message")["kind"], "deleted");
    // Changed by alice.
    let hers = alice.ok(&["--json", "history", "Echo Bot"]);
    let hers = hers.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let hers = hers.into_iter().find(|item| item["text"] == "hello").unwrap()["item"].to_string();
    alice.ok(&["edit", "Echo Bot", &hers, "hello there"]);
    let updated = bot.until("chatItemUpdated");
    assert_eq!(updated["resp"]["chatItem"]["chatItem"]["meta"]["itemText"], "hello there");
    alice.ok(&["delete", "Echo Bot", &hers]);
    let deleted = bot.until("chatItemsDeleted");
    let item = &deleted["resp"]["chatItemDeletions"][0]["deletedChatItem"]["chatItem"];
    assert_eq!(item["meta"]["itemId"], number);
    // Typed live, then whole.
    let live = bot.ok(
        &format!(r#"/_send @{id} live=on json [{{"msgContent":{{"type":"text","text":"ty"}}}}]"#),
        "newChatItems",
    );
    let live = live["chatItems"][0]["chatItem"]["meta"]["itemId"].as_i64().unwrap();
    bot.ok(
        &format!(r#"/_update item @{id} {live} json {{"msgContent":{{"type":"text","text":"typed"}},"mentions":{{}}}}"#),
        "chatItemUpdated",
    );
    assert_eq!(listener.until("message")["text"], "typed");
    // The pages of the chat.
    let page = bot.ok(&format!("/_get chat @{id} count=2"), "apiChat");
    let items = page["chat"]["chatItems"].as_array().unwrap();
    assert_eq!((items.len(), &items[1]["meta"]["itemText"]), (2, &json!("typed")));
    let page =
        bot.ok(&format!("/_get chat @{id} before={} count=100", items[0]["meta"]["itemId"]), "apiChat");
    assert!(!page["chat"]["chatItems"].as_array().unwrap().is_empty());
    let chats = bot.ok("/chats", "chats");
    assert_eq!(chats["chats"][0]["chatInfo"]["contact"]["contactId"], id);
    bot.ok(&format!("/_read chat @{id}"), "cmdOk");
}

#[test]
fn a_bot_has_its_profile_and_its_links() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (_owner, alice, _daemon, mut bot, id) = with_alice(folder.path(), &relay);
    let profile = r#"{"displayName":"Robot","fullName":"","preferences":{"commands":[{"type":"command","keyword":"help","label":"Help"}]},"peerType":"bot"}"#;
    let updated = bot.ok(&format!("/_profile 1 {profile}"), "userProfileUpdated");
    assert_eq!(
        (&updated["toProfile"]["peerType"], &updated["updateSummary"]["updateSuccesses"]),
        (&json!("bot"), &json!(1))
    );
    bot.ok(&format!("/_profile 1 {profile}"), "userProfileNoChange");
    let user = bot.ok("/u", "activeUser");
    assert_eq!(user["user"]["fullPreferences"]["commands"][0]["keyword"], "help");
    bot.ok("/_profile_address 1 on", "userProfileUpdated");
    assert!(alice.ok(&["--json", "listen", "--for", "2"]).contains("Robot"));
    let refused = bot.ask(r#"/_profile 1 {"displayName":"@x","fullName":""}"#);
    assert_eq!(refused["chatError"]["errorType"]["type"], "invalidDisplayName");
    // An invitation of the bot, and one of alice.
    let invitation = bot.ok("/_connect 1", "invitation");
    let link = invitation["connLinkInvitation"]["connShortLink"].as_str().unwrap();
    assert_eq!(
        bot.ok(&format!("/_connect plan 1 {link}"), "connectionPlan")["connectionPlan"]["invitationLinkPlan"]
            ["type"],
        "ownLink"
    );
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    bob.ok(&["join", "--timeout", "60", link]);
    assert_eq!(bot.until("contactConnecting")["resp"]["contact"]["localDisplayName"], "bob");
    bot.until("contactConnected");
    let carol = Person::create("carol", folder.path().join("carol"), &relay);
    let link = carol.invite("bot");
    assert_eq!(
        bot.ok(&format!("/_connect plan 1 {link}"), "connectionPlan")["connectionPlan"]["invitationLinkPlan"]
            ["type"],
        "ok"
    );
    bot.ok(&format!("/_connect 1 {link}"), "sentConfirmation");
    bot.ok(&format!("/_connect 1 {link}"), "contactAlreadyExists");
    let _carol = carol.listen();
    assert_eq!(bot.until("contactConnected")["resp"]["contact"]["localDisplayName"], "carol");
    assert_eq!(bot.ok("/_contacts 1", "contactsList")["contacts"].as_array().unwrap().len(), 3);
    // People who ask are accepted by number, or refused.
    bot.ok("/auto_accept off", "userContactLinkUpdated");
    let address = bot.ok("/show_address", "userContactLink")["contactLink"]["connReqContact"]
        .as_str()
        .unwrap()
        .to_owned();
    for (name, command, answer) in
        [("dave", "/_accept", "acceptingContactRequest"), ("erin", "/_reject", "contactRequestRejected")]
    {
        let person = Person::create(name, folder.path().join(name), &relay);
        person.run(&["join", "--timeout", "1", &address]);
        let request = bot.until("receivedContactRequest");
        assert_eq!(request["resp"]["contactRequest"]["profile"]["displayName"], name);
        let request = &request["resp"]["contactRequest"]["contactRequestId"];
        bot.ok(&format!("{command} {request}"), answer);
    }
    bot.ok(&format!("/_delete @{id} full"), "contactDeleted");
    let gone = bot.ask(&format!(r#"/_send @{id} json [{{"msgContent":{{"type":"text","text":"x"}}}}]"#));
    assert_eq!(gone["chatError"]["storeError"], json!({ "type": "contactNotFound", "contactId": id }));
    // The number is nobody else's.
    let invitation = bot.ok("/_connect 1", "invitation");
    assert!(invitation["connection"]["pccConnId"].as_i64().unwrap() > id);
}

#[test]
fn events_are_kept_until_they_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (owner, alice, daemon, bot, _) = with_alice(folder.path(), &relay);
    // Nobody is there when they come.
    drop(bot);
    for text in ["one", "two"] {
        alice.ok(&["send", "--receipt", "--timeout", "60", "Echo Bot", text]);
    }
    daemon.kill();
    let daemon = Daemon::start(&owner, &[]);
    // One that acknowledges gets again what it did not.
    let mut first = daemon.connect("/?ack=on", &[]).unwrap();
    let one = first.until("newChatItems");
    assert_eq!(one["resp"]["chatItems"][0]["chatItem"]["meta"]["itemText"], "one");
    first.ok(&format!("/_ack {}", one["eventId"]), "cmdOk");
    assert_eq!(first.message().0, "two");
    drop(first);
    daemon.kill();
    let daemon = Daemon::start(&owner, &[]);
    let mut second = daemon.connect("/?ack=on", &[]).unwrap();
    let again = second.until("newChatItems");
    let text = &again["resp"]["chatItems"][0]["chatItem"]["meta"]["itemText"];
    // The first may not have been forgotten when the daemon was killed.
    let two = if text == "one" { second.until("newChatItems") } else { again };
    assert_eq!(two["resp"]["chatItems"][0]["chatItem"]["meta"]["itemText"], "two");
    second.ok(&format!("/_ack {}", two["eventId"]), "cmdOk");
    // Every client gets every event.
    let mut third = daemon.bot();
    third.ok("/u", "activeUser");
    alice.ok(&["send", "Echo Bot", "three"]);
    for bot in [&mut second, &mut third] {
        while bot.message().0 != "three" {}
    }
    // One that has no first answer yet may drop them.
    drop((second, third));
    alice.ok(&["send", "--receipt", "--timeout", "60", "Echo Bot", "four"]);
    daemon.kill();
    let daemon = Daemon::start(&owner, &[]);
    let mut late = daemon.bot();
    late.ok("/u", "activeUser");
    assert_eq!(late.events, Vec::<Value>::new(), "before the first answer");
    while late.message().0 != "four" {}
}

#[test]
fn only_those_who_may_get_in() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("bot", folder.path().join("bot"), &relay);
    let token = "0123456789abcdef0123456789abcdef";
    let file = folder.path().join("token");
    std::fs::write(&file, format!("{token}\n")).unwrap();
    let socket = folder.path().join("bots.sock");
    let args = ["--bot-token-file", file.to_str().unwrap(), "--bot-socket", socket.to_str().unwrap()];
    let daemon = Daemon::start(&owner, &args);
    let status = |headers: &[(&'static str, &str)]| match daemon.connect("/", headers) {
        Ok(_) => 101,
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(error) => panic!("{error}"),
    };
    let bearer = format!("Bearer {token}");
    assert_eq!(status(&[]), 401);
    assert_eq!(status(&[("authorization", "Bearer 0123456789abcdef0123456789abcdeX")]), 401);
    assert_eq!(status(&[("authorization", &bearer)]), 101);
    assert_eq!(status(&[("authorization", &bearer), ("origin", "http://localhost")]), 403);
    // The socket is for processes of the same user.
    let stream = std::os::unix::net::UnixStream::connect(&socket).unwrap();
    let (mut client, _) = tungstenite::client("ws://localhost/", stream).unwrap();
    client.send(Message::text(r#"{"corrId":"a b","cmd":"/v"}"#)).unwrap();
    let answer: Value = serde_json::from_str(client.read().unwrap().to_text().unwrap()).unwrap();
    assert_eq!(
        (&answer["corrId"], &answer["resp"]["versionInfo"]["version"]),
        (&json!("a b"), &json!("7.0.0.0"))
    );
    // Other machines need a token.
    let (_, sentence) =
        Person::create("x", folder.path().join("x"), &relay).refused(&["daemon", "--bot-api", "0.0.0.0:0"]);
    assert!(sentence.contains("--bot-token-file"), "{sentence}");
    // A port of another program is not shared with it by half.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let other = Person::create("y", folder.path().join("y"), &relay);
    let (code, sentence) = other.refused(&["daemon", "--bot-api", &port]);
    assert!(code == 1 && sentence.contains("choose another port"), "{sentence}");
    let (code, sentence) = other.refused(&["daemon", "--bot-token-file", "token"]);
    assert!(code == 2 && sentence.contains("--bot-api"), "{sentence}");
}

#[test]
fn a_hostile_client_is_in_nobodys_way() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let owner = Person::create("bot", folder.path().join("bot"), &relay);
    let daemon = Daemon::start(&owner, &[]);
    let mut good = daemon.bot();
    // Garbage is answered, as by the app.
    let mut bad = daemon.bot();
    for (frame, message) in [
        ("nonsense", "a frame is a JSON object"),
        (r#"{"corrId":1,"cmd":"/u"}"#, "a frame is a JSON object"),
        (r#"{"corrId":"1","cmd":"/nonsense"}"#, "Failed reading: empty"),
    ] {
        bad.socket.send(Message::text(frame)).unwrap();
        let error = bad.read();
        let told = error["resp"]["chatError"]["errorType"]["message"].as_str().unwrap().to_owned();
        assert!(told.starts_with(message), "{error}");
    }
    bad.socket.send(Message::binary(vec![0; 10])).unwrap();
    assert_eq!(bad.read()["resp"]["type"], "chatCmdError");
    // A frame of 100 MB ends the connection before it is read.
    let mut large = daemon.bot();
    let header = [&[0x81, 0xff][..], &100_000_000_u64.to_be_bytes(), &[0; 4]].concat();
    std::io::Write::write_all(large.socket.get_mut(), &header).unwrap();
    let part = vec![b'x'; 1_000_000];
    let refused = (0..100).any(|_| std::io::Write::write_all(large.socket.get_mut(), &part).is_err());
    assert!(refused || large.socket.read().is_err());
    // 10,000 commands without reading: nothing more is read from that client until it does.
    let greedy = daemon.bot();
    let mut stream = greedy.socket.get_ref().try_clone().unwrap();
    let flood = std::thread::spawn(move || {
        let command = br#"{"corrId":"1","cmd":"/users"}"#;
        let length = u8::try_from(command.len()).unwrap();
        let frame = [&[0x81, 0x80 | length][..], &[0; 4], command].concat();
        for _ in 0..10_000 {
            if std::io::Write::write_all(&mut stream, &frame).is_err() {
                break;
            }
        }
    });
    for _ in 0..20 {
        good.ok("/u", "activeUser");
    }
    #[cfg(target_os = "linux")]
    {
        let status = std::fs::read_to_string(format!("/proc/{}/status", daemon.child.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        let kilobytes: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
        assert!(kilobytes < 150_000, "{peak}");
    }
    drop(greedy);
    drop(daemon);
    flood.join().unwrap();
}
