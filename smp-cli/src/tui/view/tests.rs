use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::style::Color;
use smp_chat::conversation::Side;
use smp_chat::{Book, KeptItem, Overview, Status};
use smp_protocol::chat::decode_messages;

use super::*;
use crate::tui::app::{From, Input, Page, Request};
use crate::tui::help::KEYS;

/// A state with one contact who has written these texts, and the conversation open.
async fn app(name: &str, texts: &[&str]) -> (tempfile::TempDir, App) {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("chat.db"), None, true).await.unwrap();
    let contact = book.add(1, Some(name), Status::Connected, None).await.unwrap();
    for (number, text) in (1_i64..).zip(texts) {
        let message = serde_json::json!({ "v": "1-17", "msgId": "AAAAAAAAAAAAAAAA", "event": "x.msg.new",
            "params": { "content": { "type": "text", "text": text } } });
        let mut message = message;
        message["msgId"] =
            smp_protocol::chat::SharedMessageId::from_bytes([u8::try_from(number).unwrap(); 12])
                .to_string()
                .into();
        let messages = decode_messages(message.to_string().as_bytes()).into_iter().map(Result::unwrap);
        book.receive(&contact, number, 86_400_000 * (number / 3), (0..).zip(messages).collect())
            .await
            .unwrap();
    }
    let mut app = App::new(true);
    let contacts: Vec<Overview> = book.overview().await.unwrap();
    app.take(Input::Contacts(contacts));
    let items: Vec<KeptItem> = book.history(&contact, None, 50, 0).await.unwrap();
    assert!(items.iter().all(|kept| kept.item.side == Side::Theirs));
    let page = Page { contact: contact.id, from: From::End, items, has_earlier: false, has_later: false };
    app.take(Input::Page(page));
    (folder, app)
}

fn drawn(app: &mut App, columns: u16, rows: u16) -> (String, Terminal<TestBackend>) {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    terminal.draw(|frame| draw(app, frame)).unwrap();
    let buffer = terminal.backend().buffer();
    let row = |y| (0..columns).map(|x| buffer[(x, y)].symbol().to_owned()).collect::<String>();
    let text = (0..rows).map(row).map(|row: String| format!("{}\n", row.trim_end())).collect();
    (text, terminal)
}

fn press(app: &mut App, code: KeyCode) -> Vec<Request> {
    app.take(Input::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}

#[tokio::test]
async fn contacts_and_conversation_are_beside_each_other_where_there_is_room() {
    let (_folder, mut app) = app("bob", &["hello", "how are you?", "> quoted\nyes"]).await;
    let (text, _) = drawn(&mut app, 80, 12);
    let expected = [
        "1 contact, 3 new          │bob  not verified yet: v in the list",
        "  bob                    3│",
        "                          │",
        "                          │── 1970-01-01 ──",
        "                          │00:00 bob: hello",
        "                          │00:00 bob: how are you?",
        "                          │── 1970-01-02 ──",
        "                          │00:00 bob: > quoted",
        "                          │      yes",
    ];
    for (row, expected) in text.lines().zip(expected) {
        assert_eq!(row, expected, "{text}");
    }
    // Narrow: one at a time.
    let (text, _) = drawn(&mut app, 40, 12);
    assert!(text.contains("  bob") && !text.contains("hello"), "{text}");
    press(&mut app, KeyCode::Enter);
    let (text, _) = drawn(&mut app, 40, 12);
    assert!(text.contains("bob: hello") && !text.contains("1 contact"), "{text}");
    for (columns, rows) in [(19, 10), (80, 5), (1, 1), (5, 3)] {
        let (text, _) = drawn(&mut app, columns, rows);
        assert!(!text.contains("bob"), "{text}");
    }
    assert!(drawn(&mut app, 19, 10).0.starts_with("The window is too"));
}

#[tokio::test]
async fn every_size_is_drawn_in_every_state() {
    let long = "word ".repeat(400);
    let (_folder, mut app) =
        app("bob", &["漢字".repeat(30).as_str(), &long, "e\u{301}", "x\u{1f469}\u{200d}\u{1f467}"]).await;
    let keys = ["", "\r", "\u{1b}", "r", "\u{1b}", "+", "\u{1b}", "d", "\u{1b}", "/", "\u{1b}", "?"];
    for key in keys {
        match key {
            "\r" => drop(press(&mut app, KeyCode::Enter)),
            "\u{1b}" => drop(press(&mut app, KeyCode::Esc)),
            key => key.chars().for_each(|key| drop(press(&mut app, KeyCode::Char(key)))),
        }
        for columns in (1..90).step_by(3) {
            for rows in [1, 2, 5, 6, 7, 9, 24, 60] {
                drawn(&mut app, columns, rows);
            }
        }
    }
}

#[tokio::test]
async fn nothing_of_a_contact_moves_the_terminal_or_looks_like_another_message() {
    let texts = ["a\u{1b}[2J\u{9b}1mb\u{202e}c", "hi\n00:00 you ✓✓: I owe you 100\n\u{200f}x", "tab\there"];
    let (_folder, mut app) = app("bob", &texts).await;
    let (text, terminal) = drawn(&mut app, 80, 20);
    assert!(text.contains("bob: a[2J1mbc"), "{text}");
    assert!(text.contains("│      00:00 you ✓✓: I owe you 100"), "{text}");
    for cell in terminal.backend().buffer().content() {
        assert!(!cell.symbol().chars().any(|character| character.is_control() || character == '\u{202e}'));
        // No background of ours: light and dark terminals stay as they are.
        assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
    }
}

#[tokio::test]
async fn a_message_longer_than_the_screen_is_scrolled() {
    let long: String = (0..60).map(|number| format!("line {number}\n")).collect();
    let (_folder, mut app) = app("bob", &["before", &long]).await;
    drawn(&mut app, 80, 14);
    press(&mut app, KeyCode::Tab);
    let (text, _) = drawn(&mut app, 80, 14);
    assert!(text.contains("bob: line 0") && !text.contains("line 20"), "{text}");
    for _ in 0..20 {
        press(&mut app, KeyCode::Right);
        drawn(&mut app, 80, 14);
    }
    let (text, _) = drawn(&mut app, 80, 14);
    assert!(text.contains("line 59") && !text.contains("line 0\n"), "{text}");
    for _ in 0..20 {
        press(&mut app, KeyCode::Left);
    }
    assert!(drawn(&mut app, 80, 14).0.contains("line 0"));
}

#[tokio::test]
async fn the_code_of_an_invitation_is_whole_or_not_there() {
    let (_folder, mut app) = app("bob", &[]).await;
    let link = format!("simplex:/i#{}", "x".repeat(142));
    app.take(Input::Invited { name: "carol".to_owned(), link });
    let (text, terminal) = drawn(&mut app, 80, 24);
    // The last row is white.
    assert_eq!(text.lines().filter(|line| line.contains('▀') || line.contains('▄')).count(), 23, "{text}");
    assert_eq!(terminal.backend().buffer()[(46, 23)].bg, Color::Indexed(231));
    let first = &terminal.backend().buffer()[(0, 0)];
    assert_eq!((first.fg, first.bg), (Color::Indexed(16), Color::Indexed(231)));
    assert!(text.contains("Invitation for carol"));
    // Below it, where it is narrow and high.
    assert!(drawn(&mut app, 50, 60).0.contains('▀'));
    for (columns, rows) in [(60, 23), (46, 60), (79, 23)] {
        let (text, _) = drawn(&mut app, columns, rows);
        assert!(!text.contains('▀') && text.contains("QR code needs a"), "{text}");
        assert!(text.replace('\n', "").contains("simplex:/i#"), "{text}");
    }
    // Without colours white is drawn.
    app.colours = false;
    let (text, terminal) = drawn(&mut app, 80, 24);
    assert!(text.starts_with('█') || text.starts_with('▀'), "{text}");
    assert_eq!(terminal.backend().buffer()[(0, 0)].bg, Color::Reset);
    press(&mut app, KeyCode::Esc);
    assert!(app.dialog.is_none());
}

#[tokio::test]
async fn the_keys_are_listed_whole() {
    let (_folder, mut app) = app("bob", &[]).await;
    press(&mut app, KeyCode::Char('?'));
    let (text, _) = drawn(&mut app, 80, 60);
    for (keys, does) in KEYS {
        assert!(text.contains(keys) && text.contains(does), "{keys}: {does}\n{text}");
    }
}
