//! The conversation in a terminal.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use crate::common::{Person, TestRelay, connected};
use nix::pty::openpty;
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

/// Longer than anything here takes on a busy machine.
const TIMEOUT: Duration = Duration::from_secs(60);

/// `smp chat` in a terminal.
struct Chat {
    keyboard: File,
    /// Our own handle of the terminal, to look at its mode.
    terminal: OwnedFd,
    screen: Receiver<Vec<u8>>,
    seen: String,
    child: Child,
}

impl Chat {
    fn start(person: &Person, contact: &str) -> Self {
        let pty = openpty(None, None).unwrap();
        let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
        let mut command = person.command(&["chat", contact]);
        command.env("TERM", "xterm").stdin(stdio()).stdout(stdio()).stderr(stdio());
        let child = command.spawn().unwrap();
        let keyboard = File::from(pty.master);
        let mut master = keyboard.try_clone().unwrap();
        let (sender, screen) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = master.read(&mut buffer) {
                if sender.send(buffer[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        let mut chat = Self { keyboard, terminal: pty.slave, screen, seen: String::new(), child };
        chat.until(&format!("{contact}> "));
        chat
    }

    /// Waits for a text on the screen, and forgets what was before it.
    fn until(&mut self, text: &str) {
        loop {
            if let Some(index) = self.seen.find(text) {
                self.seen.drain(..index + text.len());
                return;
            }
            let more = self.screen.recv_timeout(TIMEOUT);
            let more = more.unwrap_or_else(|_| panic!("“{text}” does not come: {:?}", self.seen));
            self.seen.push_str(&String::from_utf8_lossy(&more));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    fn is_raw(&self) -> bool {
        !tcgetattr(&self.terminal).unwrap().local_flags.contains(LocalFlags::ICANON | LocalFlags::ECHO)
    }

    /// The exit code. The terminal must be as it was.
    fn ended(mut self) -> i32 {
        let deadline = Instant::now() + TIMEOUT;
        let code = loop {
            match self.child.try_wait().unwrap() {
                Some(status) => break status.code().unwrap(),
                None => assert!(Instant::now() < deadline, "it does not end: {:?}", self.seen),
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(!self.is_raw(), "the terminal was left in raw mode");
        // Pasting is as it was too.
        self.until("\u{1b}[?2004l");
        code
    }
}

impl Drop for Chat {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_terminal_is_given_back_however_the_conversation_ends() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    for keys in ["/quit\r", "\u{3}", "\u{4}"] {
        let mut chat = Chat::start(&alice, "bob");
        assert!(chat.is_raw());
        chat.press(keys);
        assert_eq!(chat.ended(), 0, "{keys:?}");
    }
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let mut chat = Chat::start(&alice, "bob");
        chat.press("half a li");
        chat.until("half a li");
        kill(Pid::from_raw(i32::try_from(chat.child.id()).unwrap()), signal).unwrap();
        assert_eq!(chat.ended(), 0, "{signal}");
    }
}

#[test]
fn lines_go_out_and_come_in() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut chat = Chat::start(&alice, "bob");
    chat.press("hello bob\r");
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("hello bob"));
    chat.press("half a li");
    bob.ok(&["send", "alice", "hello alice"]);
    chat.until("bob: hello alice");
    // The line that was being typed is there again.
    chat.until("bob> half a li");
    // Typed ahead, or pasted: the second line is not lost with the first.
    chat.press("ne\r/quit\r");
    assert_eq!(chat.ended(), 0);
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("half a line"));
}

#[test]
fn what_begins_with_a_slash_stays_here() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut chat = Chat::start(&alice, "bob");
    for line in ["/hlep", "/remove bob", "/quit now"] {
        chat.press(&format!("{line}\r"));
        chat.until("nothing was sent");
    }
    chat.press("/help\r");
    chat.until("//text sends a text that begins with a slash");
    chat.press("/verify 12345\r");
    chat.until("not a whole security code");
    chat.press("//etc is a directory\r");
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("alice: /etc is a directory"));
    // Others work meanwhile.
    bob.ok(&["send", "alice", "still there?"]);
    chat.until("bob: still there?");
    alice.ok(&["send", "bob", "from beside"]);
    chat.press("/exit\r");
    assert_eq!(chat.ended(), 0);
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("from beside"));
}

#[test]
fn messages_are_answered_and_changed_by_their_numbers() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    bob.ok(&["send", "alice", "shall we?"]);
    alice.ok(&["listen", "--count", "1", "--for", "60"]);
    // Messages of before are shown at the beginning.
    let mut chat = Chat::start(&alice, "bob");
    let number = |text: &str| -> String {
        let items = alice.ok(&["--json", "search", text]);
        let item: serde_json::Value = serde_json::from_str(items.lines().next().unwrap()).unwrap();
        item["item"].to_string()
    };
    chat.press(&format!("/reply {} yes, lte\r", number("shall we?")));
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("> shall we?\n         yes, lte"));
    let answer = number("yes, lte");
    chat.press(&format!("/edit {answer} yes, let us\r"));
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("(edited) yes, let us"));
    chat.press(&format!("/react {} 👍\r", number("shall we?")));
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("(reacted 👍 to “shall we?”)"));
    chat.press("/edit 9999 none\r");
    chat.until("Not changed: The conversation with bob has no message 9999");
    chat.press(&format!("/delete {answer}\r"));
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("(deleted a message)"));
    chat.press("/quit\r");
    assert_eq!(chat.ended(), 0);
    let mut chat = Chat::start(&alice, "bob");
    chat.until("(deleted)");
    chat.press("\u{3}");
    assert_eq!(chat.ended(), 0);
}

/// The output of `smp invite bob` on a terminal of this size.
fn invited(person: &Person, size: nix::pty::Winsize) -> String {
    let pty = openpty(Some(&size), None).unwrap();
    let stdio = || Stdio::from(pty.slave.try_clone().unwrap());
    let mut command = person.command(&["invite", "bob"]);
    let mut child = command.stdin(stdio()).stdout(stdio()).stderr(stdio()).spawn().unwrap();
    drop((command, pty.slave));
    let mut screen = Vec::new();
    // The end of a terminal that nobody has open any more is an error.
    let _ = File::from(pty.master).read_to_end(&mut screen);
    assert!(child.wait().unwrap().success());
    String::from_utf8(screen).unwrap()
}

#[test]
fn a_code_looks_at_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let size = |ws_row, ws_col| nix::pty::Winsize { ws_row, ws_col, ws_xpixel: 0, ws_ypixel: 0 };
    let small = invited(&alice, size(24, 80));
    assert!(
        small.contains("needs a terminal window of 47 columns and 25 lines; this one has 80 and 24"),
        "{small}"
    );
    assert!(small.contains("smp invite bob --qr code.png") && !small.contains('▀'), "{small}");
    // Asked for again, it is the same invitation, black on white.
    let large = invited(&alice, size(50, 80));
    assert_eq!(large.lines().next(), small.lines().next());
    let code: Vec<&str> = large.lines().filter(|line| line.contains('▀') || line.contains('▄')).collect();
    assert!(
        code.len() >= 23
            && large.lines().filter(|line| line.starts_with("\u{1b}[38;5;16;48;5;231m")).count() == 24,
        "{large}"
    );
    assert!(large.trim_end().ends_with("\u{1b}[0m"));
    assert_eq!(alice.ok(&["contacts"]).lines().count(), 1);
    // In a pipe there are no colours.
    let piped = alice.ok(&["invite", "bob"]);
    assert!(piped.contains('▀') && !piped.contains('\u{1b}'));
}

#[test]
fn what_could_not_be_sent_is_told_at_the_end() {
    let folder = tempfile::tempdir().unwrap();
    let mut relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    relay.down();
    let mut chat = Chat::start(&alice, "bob");
    chat.press("hello later\r/quit\r");
    chat.until("Not sent yet, and kept");
    assert_eq!(chat.child.wait().unwrap().code(), Some(3));
    relay.up();
    let _listener = alice.listen();
    assert!(bob.ok(&["listen", "--count", "1", "--for", "60"]).contains("hello later"));
}

#[test]
fn programs_are_sent_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    let output = alice.run(&["--json", "chat", "bob"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("smp --json listen"));
    let (_, sentence) = alice.refused(&["chat", "carol"]);
    assert!(sentence.contains("there are: bob"), "{sentence}");
}
