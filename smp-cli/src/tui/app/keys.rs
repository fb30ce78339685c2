//! Keys, by the part of the screen that they go to.

use crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use smp_chat::conversation::Side;
use smp_chat::{Contact, Status};

use super::dialog::line_key;
use super::{App, Dialog, Focus, From, MAX_TYPED, Purpose, Question, Request, Sure};
use crate::tui::editor::Editor;

impl App {
    pub(super) fn key(&mut self, key: KeyEvent) -> Vec<Request> {
        if key.kind == KeyEventKind::Release {
            return Vec::new();
        }
        let control = key.modifiers.contains(KeyModifiers::CONTROL);
        if control && matches!(key.code, KeyCode::Char('c' | 'q')) {
            return vec![Request::Quit];
        }
        if let Some(dialog) = self.dialog.take() {
            return self.dialog_key(dialog, key);
        }
        match key.code {
            KeyCode::F(1) => self.dialog = Some(Dialog::Help { scroll: 0 }),
            KeyCode::Char('k') if control => {
                self.dialog = Some(Dialog::Jump { editor: Editor::default(), chosen: 0 });
            }
            KeyCode::Char('n') if control => return self.walk(1, true),
            KeyCode::Char('p') if control => return self.walk(-1, true),
            KeyCode::Tab => return self.turn(&[Focus::Contacts, Focus::Messages, Focus::Editor]),
            KeyCode::BackTab => return self.turn(&[Focus::Editor, Focus::Messages, Focus::Contacts]),
            _ => {
                return match self.focus {
                    Focus::Contacts => self.contacts_key(key, control),
                    Focus::Messages => self.messages_key(key, control),
                    Focus::Editor => self.editor_key(key, control),
                };
            }
        }
        Vec::new()
    }

    /// To the next part of the screen in this order.
    fn turn(&mut self, order: &[Focus; 3]) -> Vec<Request> {
        if self.conversation.is_none() {
            return Vec::new();
        }
        let at = order.iter().position(|focus| *focus == self.focus).unwrap_or_default();
        match order[(at + 1) % order.len()] {
            Focus::Messages => self.choose_last(),
            focus => self.set_focus(focus),
        }
    }

    /// Goes so many contacts down the list; with `enter` into the conversation.
    fn walk(&mut self, by: isize, enter: bool) -> Vec<Request> {
        let Some(last) = self.contacts.len().checked_sub(1) else { return Vec::new() };
        let to = self.position().unwrap_or_default().saturating_add_signed(by).min(last);
        self.go(to, enter)
    }

    fn go(&mut self, position: usize, enter: bool) -> Vec<Request> {
        let Some(entry) = self.contacts.get(position) else { return Vec::new() };
        let id = entry.contact.id;
        let mut requests = self.open(id, From::End);
        if enter {
            requests.extend(self.set_focus(Focus::Editor));
        }
        requests
    }

    fn contacts_key(&mut self, key: KeyEvent, control: bool) -> Vec<Request> {
        let page = isize::try_from(self.page_rows).unwrap_or(1);
        match key.code {
            KeyCode::Char(_) if control => Vec::new(),
            KeyCode::Down | KeyCode::Char('j') => self.walk(1, false),
            KeyCode::Up | KeyCode::Char('k') => self.walk(-1, false),
            KeyCode::PageDown => self.walk(page, false),
            KeyCode::PageUp => self.walk(-page, false),
            KeyCode::Home | KeyCode::Char('g') => self.go(0, false),
            KeyCode::End | KeyCode::Char('G') => self.go(self.contacts.len().saturating_sub(1), false),
            KeyCode::Enter | KeyCode::Right | KeyCode::Char('l') => match self.cursor {
                Some(id) => self.enter(id, From::End, Focus::Editor),
                None => Vec::new(),
            },
            KeyCode::Char('u') => self.next_unread(),
            KeyCode::Char('a') => self.accept(),
            KeyCode::Char('m') => {
                let chosen = self.chosen().map(|entry| &entry.contact);
                let mute = |contact: &Contact| Request::Mute {
                    name: contact.name.clone(),
                    is_muted: !contact.is_muted,
                };
                chosen.map(mute).into_iter().collect()
            }
            _ => {
                self.contacts_dialog(key.code);
                if key.code == KeyCode::Char('q') {
                    return vec![Request::Quit];
                }
                self.code_of_chosen(key.code)
            }
        }
    }

    fn contacts_dialog(&mut self, code: KeyCode) {
        let chosen = self.chosen().map(|entry| (entry.contact.name.clone(), entry.contact.status));
        match (code, chosen) {
            (KeyCode::Char('?'), _) => self.dialog = Some(Dialog::Help { scroll: 0 }),
            (KeyCode::Char('/'), _) => {
                self.dialog = Some(Dialog::Jump { editor: Editor::default(), chosen: 0 });
            }
            (KeyCode::Char('i'), _) => self.ask(Question::Invite, ""),
            (KeyCode::Char('o'), _) => self.ask(Question::Join, ""),
            (KeyCode::Char('s'), _) => self.ask(Question::Find(None), ""),
            (KeyCode::Char('r'), Some((name, _))) => self.ask(Question::Rename(name.clone()), &name),
            (KeyCode::Char('x'), Some((name, Status::Requested))) => {
                self.dialog = Some(Dialog::Sure(Sure::Refuse(name)));
            }
            (KeyCode::Char('d'), Some((name, _))) => self.dialog = Some(Dialog::Sure(Sure::Remove(name))),
            _ => {}
        }
    }

    /// The security code, or the invitation once more.
    fn code_of_chosen(&mut self, code: KeyCode) -> Vec<Request> {
        let Some(contact) = self.chosen().map(|entry| &entry.contact) else { return Vec::new() };
        match (code, contact.status, &contact.link) {
            (KeyCode::Char('v'), Status::Invited, Some(link)) => {
                self.dialog = Some(Dialog::invitation(contact.name.clone(), link.clone()));
                Vec::new()
            }
            (KeyCode::Char('v'), ..) => {
                vec![Request::ShowCode { contact: contact.id, name: contact.name.clone() }]
            }
            _ => Vec::new(),
        }
    }

    fn accept(&mut self) -> Vec<Request> {
        match self.chosen() {
            Some(entry) if entry.contact.status == Status::Requested => {
                vec![Request::Accept(entry.contact.name.clone())]
            }
            _ => {
                self.said = Some("Only somebody who asks to connect can be let in.".to_owned());
                Vec::new()
            }
        }
    }

    /// Into the next conversation with something unread, from the cursor on.
    fn next_unread(&mut self) -> Vec<Request> {
        let from = self.position().unwrap_or_default();
        let count = self.contacts.len();
        let next = (1..=count).map(|by| (from + by) % count).find(|at| self.contacts[*at].unread > 0);
        match next {
            Some(position) => self.go(position, true),
            None => {
                self.said = Some("Everything was read.".to_owned());
                Vec::new()
            }
        }
    }

    fn choose_last(&mut self) -> Vec<Request> {
        let mut requests = self.set_focus(Focus::Messages);
        if let Some(open) = &mut self.conversation
            && open.chosen.is_none()
        {
            requests.extend(open.step(-1));
        }
        requests
    }

    fn messages_key(&mut self, key: KeyEvent, control: bool) -> Vec<Request> {
        if matches!(key.code, KeyCode::Char(_)) && control {
            return Vec::new();
        }
        let Some(open) = &mut self.conversation else { return self.set_focus(Focus::Contacts) };
        let id = open.contact;
        let steps = match key.code {
            KeyCode::Up | KeyCode::Char('k') => -1,
            KeyCode::Down | KeyCode::Char('j') => 1,
            // Each message has a row at least.
            KeyCode::PageUp => -isize::try_from(self.page_rows / 2).unwrap_or(1).max(1),
            KeyCode::PageDown => isize::try_from(self.page_rows / 2).unwrap_or(1).max(1),
            // Through a message that is longer than the screen.
            KeyCode::Right | KeyCode::Char(' ') => {
                open.scroll += self.page_rows.saturating_sub(2).max(1);
                return Vec::new();
            }
            KeyCode::Left => {
                open.scroll = open.scroll.saturating_sub(self.page_rows.saturating_sub(2).max(1));
                return Vec::new();
            }
            KeyCode::Home | KeyCode::Char('g') => {
                let request = Request::Load { contact: id, from: From::At(0), count: super::PAGE };
                open.chosen = Some(0);
                return vec![request];
            }
            KeyCode::End | KeyCode::Char('G') => {
                open.chosen = Some(i64::MAX);
                return vec![Request::Load { contact: id, from: From::End, count: super::PAGE }];
            }
            KeyCode::Esc | KeyCode::Char('h') => return self.set_focus(Focus::Contacts),
            KeyCode::Char('q') => return vec![Request::Quit],
            code => return self.item_key(code, id),
        };
        let mut requests: Vec<Request> = open.step(steps).into_iter().collect();
        requests.extend(self.read());
        requests
    }

    /// A key about the chosen message.
    fn item_key(&mut self, code: KeyCode, id: i64) -> Vec<Request> {
        match code {
            KeyCode::Char('?') => self.dialog = Some(Dialog::Help { scroll: 0 }),
            KeyCode::Char('/') => self.ask(Question::Find(Some(id)), ""),
            KeyCode::Char('s') => self.ask(Question::Find(None), ""),
            KeyCode::Char('i') => return self.set_focus(Focus::Editor),
            _ => {}
        }
        let Some(kept) = self.conversation.as_ref().and_then(|open| open.chosen()) else {
            return Vec::new();
        };
        let Some(name) = self.contact(id).map(|entry| entry.contact.name.clone()) else { return Vec::new() };
        let (number, is_ours) = (kept.number, kept.item.side == Side::Ours);
        let text = kept.item.container().and_then(|container| container.content.text.clone());
        match (code, text) {
            (KeyCode::Enter | KeyCode::Char('r'), Some(_)) => {
                return self.write(Purpose::Reply(number), None);
            }
            (KeyCode::Char('e'), Some(text)) if is_ours => {
                return self.write(Purpose::Edit(number), Some(&text));
            }
            (KeyCode::Char('e'), _) => {
                self.said = Some("Only a text of your own can be edited.".to_owned());
            }
            (KeyCode::Char('d'), _) => {
                let is_ours = is_ours && !kept.item.is_deleted;
                self.dialog = Some(Dialog::Sure(Sure::Delete { name, item: number, is_ours }));
            }
            (KeyCode::Char('+' | 'x'), Some(_)) => self.dialog = Some(Dialog::React { item: number }),
            _ => {}
        }
        Vec::new()
    }

    /// To the text that is typed, which is for this; with these words in it.
    fn write(&mut self, purpose: Purpose, words: Option<&str>) -> Vec<Request> {
        if let Some(open) = &mut self.conversation {
            open.purpose = purpose;
        }
        if let Some(words) = words {
            self.editor = Editor::of(words);
        }
        self.set_focus(Focus::Editor)
    }

    fn editor_key(&mut self, key: KeyEvent, control: bool) -> Vec<Request> {
        let width = self.editor_width;
        let alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if alt => {
                self.editor.insert("\n", MAX_TYPED);
            }
            KeyCode::Char('j') if control => {
                self.editor.insert("\n", MAX_TYPED);
            }
            KeyCode::Enter => return self.send(),
            KeyCode::Esc => return self.leave_editor(),
            KeyCode::Char('f') if control => {
                let contact = self.conversation.as_ref().map(|open| open.contact);
                self.ask(Question::Find(contact), "");
            }
            KeyCode::Up if !self.editor.up(width) => return self.choose_last(),
            KeyCode::PageUp => return self.choose_last(),
            KeyCode::Down => {
                self.editor.down(width);
            }
            _ => {
                line_key(&mut self.editor, key);
            }
        }
        Vec::new()
    }

    /// Gives up an answer or an edit; without one goes to the messages.
    fn leave_editor(&mut self) -> Vec<Request> {
        if let Some(open) = &mut self.conversation
            && open.purpose != Purpose::New
        {
            if matches!(open.purpose, Purpose::Edit(_)) {
                self.editor.take();
            }
            open.purpose = Purpose::New;
            return Vec::new();
        }
        self.choose_last()
    }
}
