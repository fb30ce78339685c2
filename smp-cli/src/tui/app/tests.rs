use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use smp_chat::{Book, compose};

use super::conversation::WINDOW;
use super::*;

/// A book with contacts, in each conversation so many messages of ours; the number of each contact is that of its connection.
async fn book(contacts: i64, messages: i64) -> (tempfile::TempDir, Book) {
    let folder = tempfile::tempdir().unwrap();
    let book = Book::open(&folder.path().join("chat.db"), None, true).await.unwrap();
    for id in 1..=contacts {
        let contact = book.add(id, Some(&format!("person {id}")), Status::Connected, None).await.unwrap();
        for number in 0..messages {
            let text = format!("text {number} to {id}");
            let outgoing = compose::messages(&text, None, None, true, &mut rand::rng()).unwrap().remove(0);
            book.write(&contact, &outgoing, 0).await.unwrap();
        }
    }
    (folder, book)
}

fn key(code: KeyCode) -> Input {
    Input::Key(KeyEvent::new(code, KeyModifiers::NONE))
}

fn control(character: char) -> Input {
    Input::Key(KeyEvent::new(KeyCode::Char(character), KeyModifiers::CONTROL))
}

/// The state with a book behind it.
struct Person {
    app: App,
    book: Book,
    _folder: tempfile::TempDir,
}

impl Person {
    async fn new(contacts: i64, messages: i64) -> Self {
        let (folder, book) = book(contacts, messages).await;
        let mut person = Self { app: App::new(true), book, _folder: folder };
        let contacts = person.book.overview().await.unwrap();
        person.take(Input::Contacts(contacts)).await;
        person
    }

    /// Takes an input, reads what is asked for, and returns the other requests.
    async fn take(&mut self, input: Input) -> Vec<Request> {
        let mut inputs = vec![input];
        let mut others = Vec::new();
        while let Some(input) = inputs.pop() {
            let requests = self.app.take(input);
            assert!(requests.len() <= 3, "{requests:?}");
            for request in requests {
                match request {
                    Request::Load { contact, from, count } => {
                        assert!(count as usize <= WINDOW);
                        inputs.push(Input::Page(self.page(contact, from, count).await));
                    }
                    request => others.push(request),
                }
            }
        }
        let held = self.app.conversation.as_ref().map_or(0, |open| open.items.len());
        assert!(held <= WINDOW, "{held} items are held");
        others
    }

    async fn page(&self, id: i64, from: From, count: u32) -> Page {
        let contact = self.book.by_number(id).await.unwrap().unwrap();
        let (items, has_earlier, has_later) = match from {
            From::End => (self.book.history(&contact, None, count, 0).await.unwrap(), true, false),
            From::Before(number) => {
                let items = self.book.history(&contact, Some(number), count, 0).await.unwrap();
                let more = items.len() == count as usize;
                (items, more, true)
            }
            From::After(number) => {
                let items = self.book.history_after(&contact, number, count, 0).await.unwrap();
                let more = items.len() == count as usize;
                (items, true, more)
            }
            From::At(number) | From::Around(number) => {
                (self.book.history_after(&contact, number - 1, count, 0).await.unwrap(), number > 0, true)
            }
        };
        Page { contact: id, from, items, has_earlier, has_later }
    }

    fn chosen(&self) -> String {
        let kept = self.app.conversation.as_ref().and_then(|open| open.chosen()).unwrap();
        kept.item.line().unwrap().text
    }

    async fn keys(&mut self, keys: &str) -> Vec<Request> {
        let mut requests = Vec::new();
        for character in keys.chars() {
            requests.extend(self.take(key(KeyCode::Char(character))).await);
        }
        requests
    }
}

#[tokio::test]
async fn a_conversation_is_walked_through_in_windows() {
    let mut person = Person::new(1, 1000).await;
    person.take(key(KeyCode::Enter)).await;
    person.take(key(KeyCode::Esc)).await;
    assert_eq!(person.chosen(), "text 999 to 1");
    for number in (0..999).rev() {
        person.take(key(KeyCode::Up)).await;
        assert_eq!(person.chosen(), format!("text {number} to 1"));
    }
    person.take(key(KeyCode::Up)).await;
    for number in 1..1000 {
        person.take(key(KeyCode::Down)).await;
        assert_eq!(person.chosen(), format!("text {number} to 1"));
    }
    person.keys("g").await;
    assert_eq!(person.chosen(), "text 0 to 1");
    person.keys("G").await;
    assert_eq!(person.chosen(), "text 999 to 1");
}

#[tokio::test]
async fn a_text_is_typed_sent_answered_and_edited() {
    let mut person = Person::new(2, 3).await;
    let id = person.app.cursor.unwrap();
    // To be on the list is not to read.
    assert!(person.keys("").await.is_empty());
    let read = person.take(key(KeyCode::Enter)).await;
    assert!(matches!(read.as_slice(), [Request::Read { contact, .. }] if *contact == id));
    assert!(person.keys("hello").await.is_empty());
    person.take(control('j')).await;
    person.take(Input::Paste("there\r\n".to_owned())).await;
    let text = "hello\nthere\n".to_owned();
    assert_eq!(
        person.take(key(KeyCode::Enter)).await,
        [Request::Send { contact: id, text: text.clone(), answered: None }]
    );
    // Nothing is nothing to send.
    assert!(person.take(key(KeyCode::Enter)).await.is_empty());
    // It comes back if it was not taken.
    person.take(Input::NotSent { contact: id, text: text.clone(), reason: "no".to_owned() }).await;
    assert_eq!(person.app.editor.text(), text);
    assert!(person.app.said.as_ref().unwrap().contains("Not sent: no."));
    person.app.editor.take();
    person.take(key(KeyCode::Esc)).await;
    let last = person.app.conversation.as_ref().unwrap().chosen.unwrap();
    person.keys("ryes").await;
    assert_eq!(
        person.take(key(KeyCode::Enter)).await,
        [Request::Send { contact: id, text: "yes".to_owned(), answered: Some(last) }]
    );
    person.take(key(KeyCode::Esc)).await;
    person.keys("e!").await;
    let edited = person.take(key(KeyCode::Enter)).await;
    assert!(
        matches!(edited.as_slice(), [Request::Edit { item, text, .. }] if *item == last && text.ends_with('!')),
        "{edited:?}"
    );
    // An edit is given up, and its words with it.
    person.take(key(KeyCode::Esc)).await;
    person.keys("e").await;
    person.take(key(KeyCode::Esc)).await;
    assert!(person.app.editor.is_empty());
    person.take(key(KeyCode::Esc)).await;
    person.keys("+").await;
    assert!(matches!(person.keys("1").await.as_slice(), [Request::React { emoji: "👍", undo: false, .. }]));
    person.keys("d").await;
    assert!(matches!(person.keys("h").await.as_slice(), [Request::Delete { here: true, .. }]));
}

#[tokio::test]
async fn texts_that_were_begun_wait_for_their_contacts() {
    let mut person = Person::new(2, 1).await;
    let first = person.app.cursor.unwrap();
    person.take(key(KeyCode::Enter)).await;
    person.keys("half").await;
    person.take(control('n')).await;
    assert_ne!(person.app.cursor.unwrap(), first);
    assert!(person.app.editor.is_empty());
    person.keys("other").await;
    person.take(control('p')).await;
    assert_eq!((person.app.cursor.unwrap(), person.app.editor.text()), (first, "half"));
    // The contact is removed by another process: the neighbour takes its place, and the text goes nowhere else.
    let contact = person.book.by_number(first).await.unwrap().unwrap();
    person.book.remove(&contact).await.unwrap();
    let contacts = person.book.overview().await.unwrap();
    person.take(Input::Contacts(contacts)).await;
    assert_ne!(person.app.cursor.unwrap(), first);
    assert_eq!((person.app.focus, person.app.editor.text()), (Focus::Contacts, "other"));
}

#[tokio::test]
async fn contacts_are_found_by_a_part_of_the_name() {
    let mut person = Person::new(30, 0).await;
    person.take(control('k')).await;
    person.keys("ON 17").await;
    person.take(key(KeyCode::Enter)).await;
    assert_eq!(person.app.chosen().unwrap().contact.name, "person 17");
    assert_eq!(person.app.focus, Focus::Editor);
    person.take(control('k')).await;
    person.keys("nobody").await;
    assert!(person.take(key(KeyCode::Enter)).await.is_empty());
    assert_eq!(person.app.chosen().unwrap().contact.name, "person 17");
}

#[tokio::test]
async fn contacts_are_managed_by_keys() {
    let mut person = Person::new(1, 0).await;
    let name = "person 1".to_owned();
    let typed = |name: &str| name.to_owned();
    person.keys("i").await;
    person.keys("carol").await;
    assert_eq!(person.take(key(KeyCode::Enter)).await, [Request::Invite(Some(typed("carol")))]);
    person.keys("i").await;
    assert_eq!(person.take(key(KeyCode::Enter)).await, [Request::Invite(None)]);
    // A link that is pasted is one to be joined by.
    person.take(Input::Paste("simplex:/i#x\n".to_owned())).await;
    assert_eq!(person.take(key(KeyCode::Enter)).await, [Request::Join(typed("simplex:/i#x"))]);
    person.keys("r").await;
    person.keys("x").await;
    let renamed = Request::Rename { name: name.clone(), new: typed("person 1x") };
    assert_eq!(person.take(key(KeyCode::Enter)).await, [renamed]);
    person.keys("d").await;
    assert!(person.keys("z").await.is_empty() && person.app.dialog.is_some());
    assert_eq!(person.keys("y").await, [Request::Remove(name.clone())]);
    person.keys("d").await;
    assert!(person.keys("n").await.is_empty() && person.app.dialog.is_none());
    assert!(matches!(person.keys("v").await.as_slice(), [Request::ShowCode { .. }]));
    person.take(Input::Code { contact: 1, code: "12345".to_owned() }).await;
    person.keys("c").await;
    person.keys("123").await;
    assert_eq!(
        person.take(key(KeyCode::Enter)).await,
        [Request::Compare { name: name.clone(), code: typed("123") }]
    );
    // Nobody asks.
    assert!(person.keys("a").await.is_empty() && person.app.said.is_some());
    let mut contacts = person.book.overview().await.unwrap();
    contacts[0].contact.status = Status::Requested;
    person.take(Input::Contacts(contacts)).await;
    assert_eq!(person.keys("a").await, [Request::Accept(name.clone())]);
    person.keys("x").await;
    assert_eq!(person.keys("y").await, [Request::Refuse(name)]);
    // Nothing can be sent to somebody who asks.
    person.take(key(KeyCode::Enter)).await;
    person.keys("hello").await;
    assert!(person.take(key(KeyCode::Enter)).await.is_empty());
    assert_eq!(person.app.editor.text(), "hello");
    assert_eq!(person.take(control('c')).await, [Request::Quit]);
}

#[tokio::test]
async fn a_found_message_is_shown_where_it_was_said() {
    let mut person = Person::new(2, 300).await;
    person.keys("s").await;
    person.keys("text 7").await;
    let found = person.take(key(KeyCode::Enter)).await;
    assert_eq!(found, [Request::Find { contact: None, words: "text 7".to_owned() }]);
    let items = person.book.search(None, "text 7 ", 10, 0).await.unwrap();
    assert_eq!(items.len(), 2);
    person.take(Input::Found { words: "text 7 ".to_owned(), items }).await;
    person.take(key(KeyCode::Up)).await;
    person.take(key(KeyCode::Enter)).await;
    assert_eq!((person.chosen().as_str(), person.app.focus), ("text 7 to 1", Focus::Messages));
    person.take(Input::Found { words: "x".to_owned(), items: Vec::new() }).await;
    assert!(person.app.said.as_ref().unwrap().contains("Nothing was found"));
    // A new text goes to the end, which is shown then.
    person.keys("ihello").await;
    person.take(key(KeyCode::Enter)).await;
    assert!(!person.app.conversation.as_ref().unwrap().has_later);
}

proptest::proptest! {
    // Each makes a book, which waits for the disk.
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(12))]
    /// No key breaks anything, and what is held and asked for stays bounded.
    #[test]
    fn any_keys_in_any_order(keys in proptest::collection::vec(0_usize..40, 1..400)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut person = Person::new(3, 5).await;
            let mut terminal =
                ratatui::Terminal::new(ratatui::backend::TestBackend::new(70, 20)).unwrap();
            for number in keys {
                let letters = "jkgGreduiosavx+/?qhl1y ";
                let input = match letters.chars().nth(number) {
                    Some(letter) => key(KeyCode::Char(letter)),
                    None => match number - letters.len() {
                        0 => key(KeyCode::Enter),
                        1 => key(KeyCode::Esc),
                        2 => key(KeyCode::Tab),
                        3 => key(KeyCode::BackTab),
                        4 => key(KeyCode::Up),
                        5 => key(KeyCode::Down),
                        6 => key(KeyCode::PageUp),
                        7 => key(KeyCode::PageDown),
                        8 => key(KeyCode::F(1)),
                        9 => control('k'),
                        10 => control('n'),
                        11 => control('f'),
                        12 => Input::Paste("x\ny\u{1b}[2J".to_owned()),
                        13 => Input::Code { contact: 1, code: "1".repeat(77) },
                        14 => Input::Invited { name: "x".to_owned(), link: "simplex:/i#x".to_owned() },
                        _ => Input::Contacts(person.book.overview().await.unwrap()),
                    },
                };
                person.take(input).await;
                terminal.draw(|frame| crate::tui::view::draw(&mut person.app, frame)).unwrap();
            }
        });
    }
}
