//! The conversation on the screen: a window of its items, of a bounded size.

use smp_chat::KeptItem;

use super::Request;

/// Items that are asked for at a time.
pub(in crate::tui) const PAGE: u32 = 50;
/// Items that are held at most.
pub(in crate::tui) const WINDOW: usize = 200;

/// The place in a conversation from which items are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::tui) enum From {
    /// The last ones.
    End,
    /// Those before this item.
    Before(i64),
    /// Those behind this item.
    After(i64),
    /// Those around this item, which is to be chosen.
    Around(i64),
    /// Those from this item on, instead of what is there.
    At(i64),
}

/// Items of a conversation, oldest first.
#[derive(Debug)]
pub(in crate::tui) struct Page {
    pub(in crate::tui) contact: i64,
    pub(in crate::tui) from: From,
    pub(in crate::tui) items: Vec<KeptItem>,
    /// Whether there may be more before them, and behind them.
    pub(in crate::tui) has_earlier: bool,
    pub(in crate::tui) has_later: bool,
}

/// Purpose of the text that is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::tui) enum Purpose {
    #[default]
    New,
    /// An answer to this item.
    Reply(i64),
    /// Other words for this item.
    Edit(i64),
}

/// A conversation, as far as it is on the screen.
#[derive(Debug)]
pub(in crate::tui) struct Conversation {
    pub(in crate::tui) contact: i64,
    pub(in crate::tui) items: Vec<KeptItem>,
    pub(in crate::tui) has_earlier: bool,
    pub(in crate::tui) has_later: bool,
    /// The item that keys are about. None at the end of the conversation.
    pub(in crate::tui) chosen: Option<i64>,
    /// Rows of the chosen item that have gone off the screen: it may be longer than that.
    pub(in crate::tui) scroll: usize,
    pub(in crate::tui) purpose: Purpose,
    pub(in crate::tui) troubles: Vec<String>,
    /// The item up to which it was read here.
    pub(super) read_to: i64,
    /// Whether more was asked for, and has not come yet.
    waits: bool,
}

impl Conversation {
    pub(super) fn of(contact: i64, purpose: Purpose) -> Self {
        Self {
            contact,
            items: Vec::new(),
            has_earlier: false,
            has_later: false,
            chosen: None,
            scroll: 0,
            purpose,
            troubles: Vec::new(),
            read_to: 0,
            waits: false,
        }
    }

    /// The request for the same part of the conversation.
    pub(super) fn reload(&self) -> Request {
        let held = u32::try_from(self.items.len().min(WINDOW)).unwrap_or(PAGE);
        let count = held.max(PAGE);
        let from = match self.items.first() {
            Some(first) if self.has_later => From::At(first.number),
            _ => From::End,
        };
        Request::Load { contact: self.contact, from, count }
    }

    pub(super) fn take(&mut self, page: Page) {
        match page.from {
            From::Before(number) => {
                self.waits = false;
                if self.items.first().is_none_or(|first| first.number != number) {
                    return;
                }
                self.items.splice(0..0, page.items);
                self.has_earlier = page.has_earlier;
                self.has_later |= self.items.len() > WINDOW;
                self.items.truncate(WINDOW);
            }
            From::After(number) => {
                self.waits = false;
                if self.items.last().is_none_or(|last| last.number != number) {
                    return;
                }
                self.items.extend(page.items);
                self.has_later = page.has_later;
                let surplus = self.items.len().saturating_sub(WINDOW);
                self.has_earlier |= surplus > 0;
                self.items.drain(..surplus);
            }
            From::End | From::Around(_) | From::At(_) => {
                self.waits = false;
                self.items = page.items;
                self.has_earlier = page.has_earlier;
                self.has_later = page.has_later;
                if let From::Around(number) = page.from {
                    self.chosen = Some(number);
                    self.scroll = 0;
                }
            }
        }
        if let Some(chosen) = self.chosen
            && self.index(chosen).is_none()
        {
            // It was deleted: the next one takes its place.
            let next = self.items.iter().find(|kept| kept.number > chosen).or(self.items.last());
            self.chosen = next.map(|kept| kept.number);
            self.scroll = 0;
        }
    }

    /// The last item, if the window is at the end.
    pub(super) fn newest(&self) -> Option<i64> {
        self.items.last().map(|kept| kept.number)
    }

    fn index(&self, number: i64) -> Option<usize> {
        self.items.binary_search_by_key(&number, |kept| kept.number).ok()
    }

    /// The item that keys are about.
    pub(in crate::tui) fn chosen(&self) -> Option<&KeptItem> {
        self.items.get(self.index(self.chosen?)?)
    }

    /// The position of the chosen item.
    pub(in crate::tui) fn chosen_index(&self) -> Option<usize> {
        self.index(self.chosen?)
    }

    /// An item of the window.
    pub(in crate::tui) fn item(&self, number: i64) -> Option<&KeptItem> {
        self.items.get(self.index(number)?)
    }

    /// Chooses the item so many before (or behind) the one that is chosen. Asks for more where the window ends.
    pub(super) fn step(&mut self, by: isize) -> Option<Request> {
        let last = self.items.len().checked_sub(1)?;
        let from = self.chosen_index().unwrap_or(if by < 0 { last + 1 } else { last });
        let to = from.saturating_add_signed(by).min(last);
        self.chosen = self.items.get(to).map(|kept| kept.number);
        self.scroll = 0;
        self.more(to)
    }

    /// A request for more, if this position is near an end of the window behind which there is more.
    fn more(&mut self, position: usize) -> Option<Request> {
        const NEAR: usize = 15;
        let (first, last) = (self.items.first()?.number, self.items.last()?.number);
        let from = if position < NEAR && self.has_earlier {
            From::Before(first)
        } else if position + NEAR >= self.items.len() && self.has_later {
            From::After(last)
        } else {
            return None;
        };
        if std::mem::replace(&mut self.waits, true) {
            return None;
        }
        Some(Request::Load { contact: self.contact, from, count: PAGE })
    }
}
