//! `smp tui` in a terminal.

use crate::common::{Person, TestRelay, connected};
use nix::sys::signal::Signal;
use smp_bench::conversations::{Size, fill, name};
use smp_bench::terminal::Terminal;

/// `smp tui` in a terminal of this size, with the list on it.
fn start(person: &Person, rows: u16, columns: u16) -> Terminal {
    let mut terminal = Terminal::start(person.command(&["tui"]), rows, columns).unwrap();
    terminal.until_shown("contact").unwrap();
    terminal
}

/// The exit code. The terminal must be as it was.
fn ended(mut terminal: Terminal) -> i32 {
    let status = terminal.ended().unwrap();
    assert!(!terminal.is_raw().unwrap(), "the terminal was left in raw mode");
    assert!(!terminal.cells().alternate_screen() && !terminal.cells().hide_cursor());
    assert!(!terminal.cells().bracketed_paste());
    status.code().unwrap()
}

/// The screen as a picture: each cell has two dots, one above the other, in the colours of the cell; all else is white.
fn photograph(terminal: &Terminal) -> image::GrayImage {
    const DOT: u32 = 4;
    let cells = terminal.cells();
    let (rows, columns) = cells.size();
    image::GrayImage::from_fn(u32::from(columns.get()) * DOT, 2 * u32::from(rows.get()) * DOT, |x, y| {
        let (x, y) = (x / DOT, y / DOT);
        let cell = cells.cell(u16::try_from(y / 2).unwrap(), u16::try_from(x).unwrap()).unwrap();
        let is_front = match cell.contents() {
            "█" => true,
            "▀" => y % 2 == 0,
            "▄" => y % 2 == 1,
            _ => false,
        };
        let colour = if is_front { cell.fgcolor() } else { cell.bgcolor() };
        image::Luma([if format!("{colour:?}") == "Idx(16)" { 0 } else { 255 }])
    })
}

#[test]
fn two_people_talk() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, bob) = connected(folder.path(), &relay);
    let mut hers = start(&alice, 24, 80);
    assert!(hers.is_raw().unwrap());
    let mut his = start(&bob, 60, 200);
    hers.press("\r").unwrap();
    hers.until_shown("Enter sends").unwrap();
    hers.press("hello bob\r").unwrap();
    // He only passes by: it stays unread until he goes into the conversation.
    his.until_shown("1 contact, 1 new").unwrap();
    his.until_shown("hello bob").unwrap();
    his.press("\r").unwrap();
    his.until(|screen| !screen.contains("1 new")).unwrap();
    his.paste("two lines\nfrom bob").unwrap();
    his.until_shown("from bob").unwrap();
    his.press("\r").unwrap();
    hers.until_shown("from bob").unwrap();
    hers.until_shown("you ✓✓: hello bob").unwrap();
    // She answers it, and the window changes meanwhile.
    hers.press("\u{1b}").unwrap();
    hers.until_shown("r answer").unwrap();
    hers.press("r").unwrap();
    hers.until_shown("answer to #").unwrap();
    hers.resize(30, 50).unwrap();
    hers.until(|screen| !screen.contains('│')).unwrap();
    hers.press("yes\r").unwrap();
    his.until_shown("> two lines").unwrap();
    his.until_shown("yes").unwrap();
    hers.resize(5, 18).unwrap();
    hers.until_shown("The window is too").unwrap();
    hers.resize(24, 80).unwrap();
    hers.until_shown("> two lines").unwrap();
    // He gives it an emoji, and edits what he wrote.
    his.press("\u{1b}").unwrap();
    his.until_shown("r answer").unwrap();
    his.press("+").unwrap();
    his.until_shown("An emoji").unwrap();
    his.press("1").unwrap();
    hers.until_shown("👍").unwrap();
    his.press("ke").unwrap();
    his.until_shown("edit of #").unwrap();
    his.press(" and more\r").unwrap();
    hers.until_shown("and more (edited)").unwrap();
    // Another process works with the same directory, and it shows.
    alice.ok(&["send", "bob", "from beside"]);
    hers.until_shown("from beside").unwrap();
    his.until_shown("from beside").unwrap();
    let (code, sentence) = alice.refused(&["tui"]);
    assert!(code == 1 && sentence.contains("needs a terminal"), "{sentence}");
    let mut second = Terminal::start(alice.command(&["tui"]), 24, 80).unwrap();
    second.until_shown("`smp tui` (process").unwrap();
    assert_eq!(second.ended().unwrap().code(), Some(1));
    // Deleted for both.
    his.press("\u{1b}").unwrap();
    his.until_shown("r answer").unwrap();
    his.press("kd").unwrap();
    his.until_shown("n no").unwrap();
    his.press("y").unwrap();
    hers.until_shown("from beside").unwrap();
    hers.press("\u{3}").unwrap();
    assert_eq!(ended(hers), 0);
    his.press("\u{1b}").unwrap();
    his.until_shown("Enter talk").unwrap();
    his.press("q").unwrap();
    assert_eq!(ended(his), 0);
    assert!(alice.ok(&["contacts"]).contains("connected\n"));
}

#[test]
fn the_terminal_is_given_back_however_it_ends() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let (alice, _bob) = connected(folder.path(), &relay);
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let mut terminal = start(&alice, 24, 80);
        terminal.press("\rhalf a li").unwrap();
        terminal.until_shown("half a li").unwrap();
        terminal.signal(signal).unwrap();
        assert_eq!(ended(terminal), 0, "{signal}");
    }
    // An error: the table that it reads from has gone. It is told on the screen that was before.
    let mut terminal = start(&alice, 60, 200);
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        use sqlx::{ConnectOptions as _, Connection as _};
        let file = alice.dir().join("chat.db");
        let mut book = sqlx::sqlite::SqliteConnectOptions::new().filename(file).connect().await.unwrap();
        sqlx::query("ALTER TABLE contacts RENAME TO gone").execute(&mut book).await.unwrap();
        book.close().await.unwrap();
    });
    terminal.press("\r").unwrap();
    terminal.until_shown("smp: ").unwrap();
    assert_eq!(ended(terminal), 1);
}

#[test]
fn terminals_that_cannot_show_it_are_told_what_to_use() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let mut command = alice.command(&["tui"]);
    command.env("TERM", "dumb");
    let mut terminal = Terminal::start(command, 24, 80).unwrap();
    terminal.until_shown("use `smp chat CONTACT`").unwrap();
    assert_eq!(ended(terminal), 1);
    let mut terminal = Terminal::start(alice.command(&["-v", "tui"]), 24, 80).unwrap();
    terminal.until_shown("2> FILE").unwrap();
    assert_eq!(ended(terminal), 1);
    assert!(alice.refused(&["tui"]).1.contains("smp listen"));
    // Without colours there is not one code for them.
    let mut command = alice.command(&["tui"]);
    command.env("NO_COLOR", "1");
    let mut terminal = Terminal::start(command, 24, 80).unwrap();
    terminal.until_shown("There is nobody yet").unwrap();
    terminal.press("i").unwrap();
    terminal.until_shown("Name for the person").unwrap();
    terminal.press("bob\r").unwrap();
    terminal.until_shown("Invitation for bob").unwrap();
    terminal.until_shown("▀").unwrap();
    let written = String::from_utf8_lossy(terminal.raw()).into_owned();
    assert!(!written.contains("[38;5;") && !written.contains("[48;5;"), "{written}");
    terminal.press("f").unwrap();
    terminal.until_shown("File for the QR code").unwrap();
    let file = folder.path().join("code.png");
    terminal.press(&format!("\u{15}{}\r", file.display())).unwrap();
    terminal.until_shown("The QR code is in").unwrap();
    assert!(std::fs::metadata(&file).unwrap().len() > 100);
    terminal.press("q").unwrap();
    assert_eq!(ended(terminal), 0);
}

#[test]
fn contacts_are_made_verified_renamed_and_removed() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    let bob = Person::create("bob", folder.path().join("bob"), &relay);
    alice.ok(&["address", "create"]);
    let address = alice.ok(&["--json", "address", "show"]);
    let address: serde_json::Value = serde_json::from_str(address.lines().next().unwrap()).unwrap();
    let mut hers = start(&alice, 24, 80);
    let mut his = start(&bob, 24, 80);
    // He pastes her address, with words around it; she lets him in.
    his.paste(&format!("here: {}\n", address["link"].as_str().unwrap())).unwrap();
    his.until_shown("Paste the invitation link").unwrap();
    his.press("\r").unwrap();
    hers.until_shown("? bob").unwrap();
    hers.press("a").unwrap();
    hers.until_shown("not verified yet").unwrap();
    his.until_shown("not verified yet").unwrap();
    // The code is the same on both sides.
    hers.press("v").unwrap();
    hers.until_shown("must see the same code").unwrap();
    let digits: String =
        hers.screen().lines().skip(5).take(12).flat_map(str::chars).filter(char::is_ascii_digit).collect();
    hers.press("\u{1b}").unwrap();
    his.press("v").unwrap();
    his.until_shown("must see the same code").unwrap();
    his.press("c").unwrap();
    his.until_shown("The code that they see").unwrap();
    his.press(&format!("{digits}\r")).unwrap();
    his.until_shown("is verified").unwrap();
    his.press("r\u{15}her\r").unwrap();
    his.until_shown("✓ her").unwrap();
    // Hostile text of hers stays text.
    alice.ok(&["send", "bob", "a\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}b"]);
    his.until_shown("her: a]0;owned[2Jb").unwrap();
    assert!(!String::from_utf8_lossy(his.raw()).contains("\u{1b}]0;owned"));
    his.press("d").unwrap();
    his.until_shown("Remove her").unwrap();
    his.press("y").unwrap();
    his.until_shown("There is nobody yet").unwrap();
    hers.until_shown("✗ bob").unwrap();
    // Somebody scans the code of an invitation off her screen.
    hers.press("icarol\r").unwrap();
    // The line at the bottom is drawn last.
    hers.until(|screen| screen.contains("it works once") && !screen.contains("being made")).unwrap();
    let picture = folder.path().join("screen.png");
    photograph(&hers).save(&picture).unwrap();
    let carol = Person::create("carol", folder.path().join("carol"), &relay);
    assert_eq!(carol.ok(&["join", &picture.display().to_string()]), "alice\n");
    hers.press("\u{1b}").unwrap();
    hers.until_shown("  carol").unwrap();
    for mut terminal in [hers, his] {
        terminal.press("q").unwrap();
        assert_eq!(ended(terminal), 0);
    }
}

#[test]
fn a_thousand_contacts_and_a_hundred_thousand_messages() {
    let folder = tempfile::tempdir().unwrap();
    let relay = TestRelay::start(&folder.path().join("relay"));
    let alice = Person::create("alice", folder.path().join("alice"), &relay);
    alice.ok(&["contacts"]);
    let size = Size { contacts: 1000, messages: 100_000 };
    let book = alice.dir().join("chat.db");
    tokio::runtime::Runtime::new().unwrap().block_on(fill(&book, size, 1)).unwrap();
    for (rows, columns) in [(24, 80), (60, 200)] {
        let mut terminal = start(&alice, rows, columns);
        terminal.until_shown("1000 contacts, ").unwrap();
        terminal.until_shown(&format!("│{}", name(1000))).unwrap();
        terminal.press("jjj").unwrap();
        terminal.until_shown(&format!("│{}", name(997))).unwrap();
        terminal.press("G").unwrap();
        terminal.until_shown(&format!("│{}", name(1))).unwrap();
        terminal.press("/son 0500\r").unwrap();
        terminal.until_shown(&format!("│{}", name(500))).unwrap();
        terminal.until_shown("message 20:").unwrap();
        // To the beginning of the conversation, and back.
        terminal.press("\u{1b}").unwrap();
        terminal.until_shown("r answer").unwrap();
        terminal.press("g").unwrap();
        terminal.until_shown("── 2023-11-14 ──").unwrap();
        terminal.press("G").unwrap();
        terminal.until(|screen| !screen.contains("2023-11-14")).unwrap();
        terminal.press("/message 7:\r").unwrap();
        terminal.until_shown("“message 7:”").unwrap();
        terminal.press("\u{3}").unwrap();
        assert_eq!(ended(terminal), 0);
    }
}
