//! Dialogs: something that is asked or shown in front of the conversation.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use smp_chat::{KeptItem, Overview};

use super::{App, Focus, From, MAX_TYPED, Request};
use crate::qr::Drawing;
use crate::tui::editor::Editor;

/// The emoji that SimpleX apps know.
pub(in crate::tui) const EMOJI: [&str; 8] = ["👍", "👎", "😀", "😂", "😢", "❤", "🚀", "✅"];

/// A box in front of the conversation.
#[derive(Debug)]
pub(in crate::tui) enum Dialog {
    /// The keys, from this row on.
    Help { scroll: usize },
    /// A line is to be typed.
    Ask(Ask),
    /// A contact is looked for by a part of the name.
    Jump { editor: Editor, chosen: usize },
    /// Something cannot be taken back.
    Sure(Sure),
    /// An emoji for an item.
    React { item: i64 },
    /// A link and its QR code.
    Invitation { name: String, link: String, drawing: Option<Drawing> },
    /// The security code of a contact.
    Code { contact: i64, code: String },
    /// Items that were found.
    Found { words: String, items: Vec<KeptItem>, chosen: usize },
}

/// A line that is typed for a question.
#[derive(Debug)]
pub(in crate::tui) struct Ask {
    pub(in crate::tui) question: Question,
    pub(in crate::tui) editor: Editor,
}

/// A question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) enum Question {
    /// The name of somebody to be invited.
    Invite,
    /// A link to be joined by.
    Join,
    /// Another name for this contact.
    Rename(String),
    /// The code that this contact reads out.
    Compare(String),
    /// Words to look for: with this contact, or with all.
    Find(Option<i64>),
    /// The file for the QR code of this link.
    File(String),
}

impl Question {
    /// In words.
    pub(in crate::tui) fn words(&self) -> &'static str {
        match self {
            Self::Invite => "Name for the person whom you invite (empty: the one that they tell)",
            Self::Join => "Paste the invitation link, or the contact address",
            Self::Rename(_) => "Another name, here only",
            Self::Compare(_) => "The code that they see; type or paste it",
            Self::Find(Some(_)) => "Words to look for in this conversation",
            Self::Find(None) => "Words to look for in all conversations",
            Self::File(_) => "File for the QR code (.png or .svg)",
        }
    }
}

/// A question before something that cannot be taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tui) enum Sure {
    Remove(String),
    Refuse(String),
    /// A message of ours: for both, or here.
    Delete {
        name: String,
        item: i64,
        is_ours: bool,
    },
}

impl Dialog {
    /// An invitation, with its code if one can hold the link.
    pub(super) fn invitation(name: String, link: String) -> Self {
        let drawing = Drawing::of(&link).ok();
        Self::Invitation { name, link, drawing }
    }

    /// Takes what was pasted, if it takes text at all. Returns whether it fits.
    pub(super) fn paste(&mut self, text: &str) -> bool {
        let line = text.trim().replace(['\r', '\n'], " ");
        match self {
            Self::Ask(Ask { editor, .. }) | Self::Jump { editor, .. } => editor.insert(&line, MAX_TYPED),
            _ => true,
        }
    }
}

/// The contacts whose names have this part, in the order of the list.
pub(in crate::tui) fn matching<'a>(
    contacts: &'a [Overview],
    part: &'a str,
) -> impl Iterator<Item = &'a Overview> {
    let part = part.trim().to_lowercase();
    contacts.iter().filter(move |entry| entry.contact.name.to_lowercase().contains(&part))
}

impl App {
    /// A key while a dialog is open.
    pub(super) fn dialog_key(&mut self, dialog: Dialog, key: KeyEvent) -> Vec<Request> {
        if key.code == KeyCode::Esc {
            return Vec::new();
        }
        match dialog {
            Dialog::Help { scroll } => self.help_key(scroll, key),
            Dialog::Ask(ask) => self.ask_key(ask, key),
            Dialog::Jump { editor, chosen } => self.jump_key(editor, chosen, key),
            Dialog::Sure(sure) => self.sure_key(sure, key),
            Dialog::React { item } => self.react_key(item, key),
            Dialog::Invitation { name, link, drawing } => {
                if key.code == KeyCode::Char('f') {
                    self.ask(Question::File(link), "invitation.png");
                } else if !matches!(key.code, KeyCode::Enter | KeyCode::Char('q')) {
                    self.dialog = Some(Dialog::Invitation { name, link, drawing });
                }
                Vec::new()
            }
            Dialog::Code { contact, code } => {
                match key.code {
                    KeyCode::Char('c') => {
                        if let Some(entry) = self.contact(contact) {
                            let name = entry.contact.name.clone();
                            self.ask(Question::Compare(name), "");
                        }
                    }
                    KeyCode::Enter | KeyCode::Char('q') => {}
                    _ => self.dialog = Some(Dialog::Code { contact, code }),
                }
                Vec::new()
            }
            Dialog::Found { words, items, chosen } => self.found_key(words, items, chosen, key),
        }
    }

    /// Asks for a line.
    pub(super) fn ask(&mut self, question: Question, proposed: &str) {
        self.dialog = Some(Dialog::Ask(Ask { question, editor: Editor::of(proposed) }));
    }

    fn help_key(&mut self, scroll: usize, key: KeyEvent) -> Vec<Request> {
        let scroll = match key.code {
            KeyCode::Down | KeyCode::Char('j') => scroll + 1,
            KeyCode::Up | KeyCode::Char('k') => scroll.saturating_sub(1),
            KeyCode::PageDown | KeyCode::Char(' ') => scroll + self.page_rows,
            KeyCode::PageUp => scroll.saturating_sub(self.page_rows),
            _ => return Vec::new(),
        };
        let scroll = scroll.min(crate::tui::help::KEYS.len().saturating_sub(1));
        self.dialog = Some(Dialog::Help { scroll });
        Vec::new()
    }

    fn ask_key(&mut self, Ask { question, mut editor }: Ask, key: KeyEvent) -> Vec<Request> {
        if key.code != KeyCode::Enter {
            line_key(&mut editor, key);
            self.dialog = Some(Dialog::Ask(Ask { question, editor }));
            return Vec::new();
        }
        let line = editor.text().trim().to_owned();
        if line.is_empty() && question != Question::Invite {
            return Vec::new();
        }
        self.said = match question {
            Question::Invite => Some("The invitation is being made …".to_owned()),
            Question::Join => Some("Connecting …".to_owned()),
            Question::Find(_) => Some("Looking …".to_owned()),
            _ => None,
        };
        vec![match question {
            Question::Invite => Request::Invite((!line.is_empty()).then_some(line)),
            Question::Join => Request::Join(line),
            Question::Rename(name) => Request::Rename { name, new: line },
            Question::Compare(name) => Request::Compare { name, code: line },
            Question::Find(contact) => Request::Find { contact, words: line },
            Question::File(link) => Request::WriteCode { link, path: line },
        }]
    }

    fn jump_key(&mut self, mut editor: Editor, chosen: usize, key: KeyEvent) -> Vec<Request> {
        let count = matching(&self.contacts, editor.text()).count();
        let chosen = match key.code {
            KeyCode::Enter => {
                let found = matching(&self.contacts, editor.text()).nth(chosen).map(|entry| entry.contact.id);
                return match found {
                    Some(id) => self.enter(id, From::End, Focus::Editor),
                    None => Vec::new(),
                };
            }
            KeyCode::Down | KeyCode::Tab => (chosen + 1).min(count.saturating_sub(1)),
            KeyCode::Up | KeyCode::BackTab => chosen.saturating_sub(1),
            _ => {
                line_key(&mut editor, key);
                0
            }
        };
        self.dialog = Some(Dialog::Jump { editor, chosen });
        Vec::new()
    }

    fn sure_key(&mut self, sure: Sure, key: KeyEvent) -> Vec<Request> {
        match (sure, key.code) {
            (Sure::Remove(name), KeyCode::Char('y')) => vec![Request::Remove(name)],
            (Sure::Refuse(name), KeyCode::Char('y')) => vec![Request::Refuse(name)],
            (Sure::Delete { name, item, is_ours }, KeyCode::Char('y')) => {
                vec![Request::Delete { name, item, here: !is_ours }]
            }
            (Sure::Delete { name, item, is_ours: true }, KeyCode::Char('h')) => {
                vec![Request::Delete { name, item, here: true }]
            }
            (_, KeyCode::Char('n' | 'q')) => Vec::new(),
            (sure, _) => {
                self.dialog = Some(Dialog::Sure(sure));
                Vec::new()
            }
        }
    }

    fn react_key(&mut self, item: i64, key: KeyEvent) -> Vec<Request> {
        let digit = match key.code {
            KeyCode::Char(digit) => digit.to_digit(10).and_then(|digit| (digit as usize).checked_sub(1)),
            _ => None,
        };
        let Some(emoji) = digit.and_then(|digit| EMOJI.get(digit)) else {
            if key.code != KeyCode::Char('q') {
                self.dialog = Some(Dialog::React { item });
            }
            return Vec::new();
        };
        let Some(open) = &self.conversation else { return Vec::new() };
        let (Some(entry), Some(kept)) = (self.contact(open.contact), open.item(item)) else {
            return Vec::new();
        };
        let is_given = kept.item.given().any(|given| {
            given.by == smp_chat::conversation::Side::Ours && given.reaction.as_emoji() == Some(emoji)
        });
        vec![Request::React { name: entry.contact.name.clone(), item, emoji, undo: is_given }]
    }

    fn found_key(
        &mut self,
        words: String,
        items: Vec<KeptItem>,
        chosen: usize,
        key: KeyEvent,
    ) -> Vec<Request> {
        let last = items.len().saturating_sub(1);
        let chosen = match key.code {
            KeyCode::Enter => {
                return match items.get(chosen) {
                    Some(kept) if self.contact(kept.contact_id).is_some() => {
                        self.enter(kept.contact_id, From::Around(kept.number), Focus::Messages)
                    }
                    _ => Vec::new(),
                };
            }
            KeyCode::Up | KeyCode::Char('k') => chosen.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => (chosen + 1).min(last),
            KeyCode::PageUp => chosen.saturating_sub(self.page_rows),
            KeyCode::PageDown => (chosen + self.page_rows).min(last),
            KeyCode::Home | KeyCode::Char('g') => 0,
            KeyCode::End | KeyCode::Char('G') => last,
            KeyCode::Char('q') => return Vec::new(),
            _ => chosen,
        };
        self.dialog = Some(Dialog::Found { words, items, chosen });
        Vec::new()
    }

    /// Goes into a conversation.
    pub(super) fn enter(&mut self, id: i64, from: From, focus: Focus) -> Vec<Request> {
        let mut requests = self.open(id, from);
        requests.extend(self.set_focus(focus));
        requests
    }
}

/// A key in a line that is typed. Returns whether it is one for it.
pub(super) fn line_key(editor: &mut Editor, key: KeyEvent) -> bool {
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    let word = control || key.modifiers.contains(KeyModifiers::ALT);
    match key.code {
        KeyCode::Char('a') if control => editor.home(),
        KeyCode::Char('e') if control => editor.end(),
        KeyCode::Char('b') if control => editor.left(),
        KeyCode::Char('u') if control => editor.delete_line(),
        KeyCode::Char('w') if control => editor.delete_word(),
        KeyCode::Char('d') if control => editor.delete(),
        // As some terminals send it.
        KeyCode::Char('h') if control => editor.backspace(),
        KeyCode::Char('b') if word => editor.word_left(),
        KeyCode::Char('f') if word => editor.word_right(),
        KeyCode::Char(character) if !word => {
            editor.insert(character.encode_utf8(&mut [0; 4]), MAX_TYPED);
        }
        KeyCode::Backspace if word => editor.delete_word(),
        KeyCode::Backspace => editor.backspace(),
        KeyCode::Delete => editor.delete(),
        KeyCode::Left if word => editor.word_left(),
        KeyCode::Right if word => editor.word_right(),
        KeyCode::Left => editor.left(),
        KeyCode::Right => editor.right(),
        KeyCode::Home => editor.home(),
        KeyCode::End => editor.end(),
        _ => return false,
    }
    true
}
