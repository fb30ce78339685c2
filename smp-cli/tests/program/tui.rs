//! `smp tui` in a terminal.

use crate::common::{Person, TestRelay, connected};
use smp_bench::terminal::Terminal;

/// `smp tui` in a terminal of this size, with the list on it.
fn start(person: &Person, rows: u16, columns: u16) -> Terminal {
    let mut terminal = Terminal::start(person.command(&["tui"]), rows, columns).unwrap();
    terminal.until_shown("contacts").unwrap();
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
    his.until_shown("1 contacts, 1 new").unwrap();
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
