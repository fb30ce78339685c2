//! A bot that is a command.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Stdio};

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use crate::common::{Person, TestRelay, connected};

/// `smp bot --exec`, and the objects that it prints.
fn bot(person: &Person, args: &[&str]) -> (Child, impl Iterator<Item = Value> + use<>) {
    let args = [&["--json", "bot"], args].concat();
    let mut child = person.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut objects = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    assert!(objects.any(|object| object["event"] == "serving"));
    (child, objects)
}

fn kill(mut child: Child) {
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn each_message_runs_a_command_whose_output_is_the_answer() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let command = r#"text=$(cat); case $text in
        fail) exit 3 ;;
        slow) sleep 600 & sleep 600 ;;
        long) yes ;;
        quiet) ;;
        *) printf '%s said %s' "$SMP_CONTACT" "$text" ;;
    esac"#;
    let (child, mut objects) = bot(&bob, &["--exec", command, "--timeout", "1", "--max-output", "100"]);
    let mut listener = alice.listen();
    // No shell reads what somebody writes.
    alice.ok(&["send", "bob", "hello $(id) `id` '"]);
    let answer = listener.until("message");
    assert!(answer["text"].as_str().unwrap().ends_with("alice said hello $(id) `id` '"), "{answer}");
    for (text, reason) in [("fail", "exit status: 3"), ("slow", "longer than 1 s")] {
        alice.ok(&["send", "bob", text]);
        let told = objects.find(|object| object["event"] == "not_answered").unwrap();
        assert!(told["item"].is_i64(), "{reason}: {told}");
    }
    alice.ok(&["send", "bob", "quiet"]);
    alice.ok(&["send", "bob", "long"]);
    let answer = listener.until("message");
    assert!(answer["text"].as_str().unwrap().ends_with(&"y\n".repeat(50).trim_end()), "{answer}");
    kill(child);
}

#[test]
fn a_killed_bot_answers_each_message_once() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let runs = folder.path().join("runs");
    let command = format!("cat >> {0}; echo >> {0}; echo done", runs.display());
    for round in 0..4 {
        alice.ok(&["send", "bob", &format!("round {round}")]);
        let (child, mut objects) = bot(&bob, &["--exec", &command]);
        // Killed as soon as it has answered, or right away.
        if round % 2 == 0 {
            objects.find(|object| object["event"] == "answered");
        }
        kill(child);
    }
    let (child, _objects) = bot(&bob, &["--exec", &command]);
    let answers = alice.ok(&["listen", "--count", "4", "--for", "60"]);
    assert_eq!(answers.matches("done").count(), 4, "{answers}");
    assert_eq!(alice.run(&["--json", "listen", "--count", "1", "--for", "1"]).status.code(), Some(3));
    assert!(std::fs::read_to_string(&runs).unwrap().contains("round 3"));
    kill(child);
}

const SECRET: &str = "a secret of both sides";

fn signature(time: &str, body: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    mac.update(format!("{time}.{body}").as_bytes());
    format!("sha256={}", hex::encode(mac.finalize().into_bytes()))
}

/// The headers, in small letters, and the body of a request or an answer.
fn read(stream: &mut TcpStream) -> (String, String) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        let line = line.to_lowercase();
        if let Some(value) = line.strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn header(head: &str, name: &str) -> String {
    let line = head.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")));
    line.unwrap().trim().to_owned()
}

/// Takes one request, and answers it.
pub(crate) fn serve(server: &TcpListener, status: &str, answer: &str) -> (String, String) {
    let (mut stream, _) = server.accept().unwrap();
    let request = read(&mut stream);
    let length = answer.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\n\r\n{answer}").unwrap();
    request
}

#[test]
fn a_server_is_asked_and_sends_by_signed_requests() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let file = folder.path().join("secret");
    std::fs::write(&file, SECRET).unwrap();
    let secret = file.to_str().unwrap();
    let (_, sentence) =
        bob.refused(&["bot", "--webhook", "http://example.com/x", "--webhook-secret-file", secret]);
    assert!(sentence.contains("not on this machine"), "{sentence}");
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook?a=b", server.local_addr().unwrap());
    let args = [
        "--json",
        "bot",
        "--webhook",
        &url,
        "--webhook-secret-file",
        secret,
        "--webhook-listen",
        "127.0.0.1:0",
    ];
    let mut child = bob.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut objects = lines.map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap());
    let serving = objects.find(|object| object["event"] == "serving").unwrap();
    std::thread::spawn(move || objects.for_each(drop));

    let mut listener = alice.listen();
    alice.ok(&["send", "bob", "ping"]);
    // One that is away for a moment gets it again.
    let (head, body) = serve(&server, "503 Later", "");
    assert!(head.starts_with("post /hook?a=b "), "{head}");
    assert_eq!(header(&head, "x-smp-signature"), signature(&header(&head, "x-smp-timestamp"), &body));
    let again = serve(&server, "200 OK", r#"{"reply":"pong"}"#).1;
    assert_eq!(again, body);
    let message: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&message["contact"], &message["text"]), (&json!("alice"), &json!("ping")));
    assert!(listener.until("message")["text"].as_str().unwrap().ends_with("pong"));

    // The other direction.
    let post = |body: &str, time: i64, signature: &str| {
        let mut stream = TcpStream::connect(serving["listens"].as_str().unwrap()).unwrap();
        let length = body.len();
        write!(
            stream,
            "POST / HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\nx-smp-timestamp: {time}\r\nx-smp-signature: {signature}\r\n\r\n{body}"
        )
        .unwrap();
        let (head, body) = read(&mut stream);
        (head.split(' ').nth(1).unwrap().to_owned(), body)
    };
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let body = json!({ "contact": "alice", "text": "from outside" }).to_string();
    let (status, _) = post(&body, now, &signature(&now.to_string(), &body));
    assert_eq!(status, "200");
    assert_eq!(listener.until("message")["text"], "from outside");
    let old = now - 1000;
    let other = body.replace("outside", "nobody");
    for (body, time, signature) in [
        (&other, now, signature(&now.to_string(), &body)),
        (&body, old, signature(&old.to_string(), &body)),
        (&body, now, String::new()),
    ] {
        assert_eq!(post(body, time, &signature).0, "401");
    }
    let unknown = json!({ "contact": "nobody", "text": "x" }).to_string();
    assert_eq!(post(&unknown, now, &signature(&now.to_string(), &unknown)).0, "422");
    kill(child);
}
