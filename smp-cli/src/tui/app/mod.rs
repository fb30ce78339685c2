//! The state of the screen: what is shown, and what a key does. Pure: inputs go in, requests come out, and somebody else draws.
//!
//! It holds the list of contacts and one window of one conversation: a key press never looks at more than these.

mod conversation;
mod dialog;
mod keys;

use std::collections::HashMap;

use crossterm::event::KeyEvent;
use smp_chat::{KeptItem, MAX_UNREAD, Overview, Status, visible};

pub(super) use self::conversation::{Conversation, From, PAGE, Page, Purpose};
pub(super) use self::dialog::{Ask, Dialog, EMOJI, Question, Sure, matching};
use super::editor::Editor;

/// Longest text that is typed or pasted, in bytes: each key looks at all of it.
pub(super) const MAX_TYPED: usize = 64 * 1024;

/// Something that happened.
#[derive(Debug)]
pub(super) enum Input {
    Key(KeyEvent),
    Paste(String),
    /// All contacts, as they are now.
    Contacts(Vec<Overview>),
    /// A part of a conversation.
    Page(Page),
    /// Troubles of a contact, in words.
    Troubles(i64, Vec<String>),
    /// Something to be read in the line at the bottom.
    Said(String),
    /// A text was not taken.
    NotSent {
        contact: i64,
        text: String,
        reason: String,
    },
    /// An invitation was made.
    Invited {
        name: String,
        link: String,
    },
    /// The security code of a contact.
    Code {
        contact: i64,
        code: String,
    },
    /// Items with words that were looked for.
    Found {
        words: String,
        items: Vec<KeptItem>,
    },
}

/// Something to be done.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Request {
    /// A part of a conversation is wanted.
    Load {
        contact: i64,
        from: From,
        count: u32,
    },
    /// The conversation was read up to this item.
    Read {
        contact: i64,
        item: i64,
    },
    Send {
        contact: i64,
        text: String,
        answered: Option<i64>,
    },
    Edit {
        name: String,
        item: i64,
        text: String,
    },
    Delete {
        name: String,
        item: i64,
        here: bool,
    },
    React {
        name: String,
        item: i64,
        emoji: &'static str,
        undo: bool,
    },
    Accept(String),
    Refuse(String),
    Remove(String),
    Rename {
        name: String,
        new: String,
    },
    Mute {
        name: String,
        is_muted: bool,
    },
    Invite(Option<String>),
    Join(String),
    ShowCode {
        contact: i64,
        name: String,
    },
    Compare {
        name: String,
        code: String,
    },
    /// Words are looked for: with one contact, or with all.
    Find {
        contact: Option<i64>,
        words: String,
    },
    /// The QR code of a link is to be in a file.
    WriteCode {
        link: String,
        path: String,
    },
    Quit,
}

/// The part of the screen that keys go to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Focus {
    Contacts,
    Messages,
    Editor,
}

/// The state.
#[derive(Debug)]
pub(super) struct App {
    pub(super) contacts: Vec<Overview>,
    /// The contact under the cursor of the list.
    pub(super) cursor: Option<i64>,
    pub(super) conversation: Option<Conversation>,
    pub(super) focus: Focus,
    pub(super) dialog: Option<Dialog>,
    pub(super) editor: Editor,
    /// Texts that were begun, of the other contacts.
    drafts: HashMap<i64, (Editor, Purpose)>,
    /// Said at the bottom until the next key.
    pub(super) said: Option<String>,
    /// Columns and rows of the text that is typed, and of the messages, as last drawn.
    pub(super) editor_width: usize,
    pub(super) page_rows: usize,
    /// Whether colours are wanted.
    pub(super) colours: bool,
}

impl App {
    pub(super) fn new(colours: bool) -> Self {
        Self {
            contacts: Vec::new(),
            cursor: None,
            conversation: None,
            focus: Focus::Contacts,
            dialog: None,
            editor: Editor::default(),
            drafts: HashMap::new(),
            said: None,
            editor_width: 40,
            page_rows: 10,
            colours,
        }
    }

    /// Takes an input, and says what is to be done now.
    pub(super) fn take(&mut self, input: Input) -> Vec<Request> {
        match input {
            Input::Key(key) => {
                self.said = None;
                self.key(key)
            }
            Input::Paste(text) => self.paste(&text),
            Input::Contacts(contacts) => self.take_contacts(contacts),
            Input::Page(page) => self.take_page(page),
            Input::Troubles(contact, troubles) => {
                if let Some(open) = self.conversation.as_mut().filter(|open| open.contact == contact) {
                    open.troubles = troubles;
                }
                Vec::new()
            }
            Input::Said(sentence) => {
                self.said = (!sentence.is_empty()).then(|| visible(&sentence));
                Vec::new()
            }
            Input::NotSent { contact, text, reason } => self.give_back(contact, &text, &reason),
            Input::Invited { name, link } => {
                self.dialog = Some(Dialog::invitation(name, link));
                Vec::new()
            }
            Input::Code { contact, code } => {
                self.dialog = Some(Dialog::Code { contact, code });
                Vec::new()
            }
            Input::Found { words, items } => {
                if items.is_empty() {
                    self.said = Some(format!("Nothing was found with “{}”.", visible(&words)));
                } else {
                    let chosen = items.len() - 1;
                    self.dialog = Some(Dialog::Found { words, items, chosen });
                }
                Vec::new()
            }
        }
    }

    /// The contact of this number.
    pub(super) fn contact(&self, id: i64) -> Option<&Overview> {
        self.contacts.iter().find(|entry| entry.contact.id == id)
    }

    /// The contact under the cursor of the list.
    pub(super) fn chosen(&self) -> Option<&Overview> {
        self.contact(self.cursor?)
    }

    /// How much is unread in all, but for those who are muted.
    pub(super) fn unread(&self) -> u32 {
        let heard = self.contacts.iter().filter(|entry| !entry.contact.is_muted);
        heard.map(|entry| entry.unread).sum::<u32>().min(MAX_UNREAD)
    }

    /// The position of the cursor in the list.
    pub(super) fn position(&self) -> Option<usize> {
        let cursor = self.cursor?;
        self.contacts.iter().position(|entry| entry.contact.id == cursor)
    }

    fn take_contacts(&mut self, contacts: Vec<Overview>) -> Vec<Request> {
        let before = self.position().unwrap_or_default();
        self.contacts = contacts;
        if self.cursor.is_none_or(|id| self.contact(id).is_none()) {
            // The one that was there is gone: its neighbour takes its place.
            let next = self.contacts.get(before).or(self.contacts.last());
            self.cursor = next.map(|entry| entry.contact.id);
        }
        let open = self.conversation.as_ref().map(|open| open.contact);
        match open {
            Some(id) if self.contact(id).is_some() => self.reload(),
            _ => {
                if open.is_some() {
                    self.conversation = None;
                    self.editor.take();
                    self.focus = Focus::Contacts;
                }
                self.follow_cursor()
            }
        }
    }

    /// The same part of the conversation again, as it is now.
    fn reload(&self) -> Vec<Request> {
        self.conversation.iter().map(Conversation::reload).collect()
    }

    /// Shows the conversation with the contact under the cursor.
    fn follow_cursor(&mut self) -> Vec<Request> {
        match self.cursor {
            Some(id) => self.open(id, From::End),
            None => Vec::new(),
        }
    }

    /// Goes to the conversation with a contact. The text that was begun for another one waits.
    fn open(&mut self, id: i64, from: From) -> Vec<Request> {
        self.cursor = Some(id);
        if let Some(open) = &self.conversation {
            if open.contact == id && from == From::End && !open.has_later {
                return Vec::new();
            }
            if open.contact != id && !self.editor.is_empty() {
                let draft = Editor::of(&self.editor.take());
                self.drafts.insert(open.contact, (draft, open.purpose));
            }
        }
        if self.conversation.as_ref().is_none_or(|open| open.contact != id) {
            let (editor, purpose) = self.drafts.remove(&id).unwrap_or_default();
            self.editor = editor;
            self.conversation = Some(Conversation::of(id, purpose));
        }
        vec![Request::Load { contact: id, from, count: PAGE }]
    }

    fn take_page(&mut self, page: Page) -> Vec<Request> {
        match self.conversation.as_mut().filter(|open| open.contact == page.contact) {
            Some(open) => {
                open.take(page);
                self.read()
            }
            // Another one is shown by now.
            None => Vec::new(),
        }
    }

    /// Notes that what is shown was read: not while somebody only passes by in the list.
    fn read(&mut self) -> Vec<Request> {
        if self.focus == Focus::Contacts {
            return Vec::new();
        }
        let Some(open) = &mut self.conversation else { return Vec::new() };
        let Some(item) = open.newest().filter(|item| *item > open.read_to) else { return Vec::new() };
        open.read_to = item;
        vec![Request::Read { contact: open.contact, item }]
    }

    fn set_focus(&mut self, focus: Focus) -> Vec<Request> {
        self.focus = focus;
        if focus != Focus::Messages
            && let Some(open) = &mut self.conversation
        {
            open.chosen = None;
            open.scroll = 0;
        }
        self.read()
    }

    /// A text that was not taken is where it was, unless another one was begun meanwhile.
    fn give_back(&mut self, contact: i64, text: &str, reason: &str) -> Vec<Request> {
        self.said = Some(visible(&format!("Not sent: {reason}.")));
        if self.conversation.as_ref().is_some_and(|open| open.contact == contact) {
            if self.editor.is_empty() {
                self.editor = Editor::of(text);
            }
        } else {
            self.drafts.entry(contact).or_insert_with(|| (Editor::of(text), Purpose::New));
        }
        Vec::new()
    }

    fn paste(&mut self, text: &str) -> Vec<Request> {
        let fits = match (&mut self.dialog, self.focus) {
            (Some(dialog), _) => dialog.paste(text),
            (None, Focus::Editor) => self.editor.insert(text, MAX_TYPED),
            // A link that is pasted anywhere is one to be joined by.
            (None, _) => {
                let mut editor = Editor::default();
                let fits = editor.insert(text.trim(), MAX_TYPED);
                if fits {
                    self.dialog = Some(Dialog::Ask(Ask { question: Question::Join, editor }));
                }
                fits
            }
        };
        if !fits {
            self.said = Some(format!("That is more than {MAX_TYPED} bytes; use `smp send NAME -` for it."));
        }
        Vec::new()
    }

    /// Sends what was typed.
    fn send(&mut self) -> Vec<Request> {
        let Some(open) = &mut self.conversation else { return Vec::new() };
        let Some(entry) = self.contacts.iter().find(|entry| entry.contact.id == open.contact) else {
            return Vec::new();
        };
        if self.editor.text().trim().is_empty() {
            return Vec::new();
        }
        let (id, name) = (entry.contact.id, entry.contact.name.clone());
        if let Some(reason) = refusal(entry.contact.status) {
            self.said = Some(visible(&format!("{name} {reason}; nothing was sent.")));
            return Vec::new();
        }
        let text = self.editor.take();
        let purpose = std::mem::take(&mut open.purpose);
        open.chosen = None;
        let mut requests = vec![match purpose {
            Purpose::Edit(item) => Request::Edit { name, item, text },
            Purpose::Reply(item) => Request::Send { contact: id, text, answered: Some(item) },
            Purpose::New => Request::Send { contact: id, text, answered: None },
        }];
        if open.has_later {
            requests.push(Request::Load { contact: id, from: From::End, count: PAGE });
        }
        requests
    }
}

/// Why nothing can be sent to a contact of this status.
fn refusal(status: Status) -> Option<&'static str> {
    match status {
        Status::Connected => None,
        Status::Requested => Some("asks to connect, and is not let in yet (Esc, Esc, then a)"),
        Status::Invited => Some("has not used the invitation yet"),
        Status::Joining => Some("is not connected yet"),
        Status::Ended => Some("is gone"),
    }
}

#[cfg(test)]
mod tests;
