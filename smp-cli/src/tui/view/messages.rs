//! The messages of a conversation: only as many are looked at as the screen has room for.

use std::collections::VecDeque;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use smp_chat::conversation::{Item, Side};
use smp_chat::{Contact, KeptItem, Status, visible};
use time::OffsetDateTime;
use time::macros::format_description;
use unicode_width::UnicodeWidthStr as _;

use super::{BOLD, CHOSEN, DIM};
use crate::tui::app::App;
use crate::tui::wrap::{cut, wrap};

/// Columns of the time, and of what is set in below it.
const INDENT: usize = 6;
/// Columns of a name in front of a message.
const NAME: usize = 16;

pub(super) fn draw(app: &mut App, head: Rect, body: Rect, frame: &mut Frame<'_>) {
    let Some(open) = &mut app.conversation else { return };
    let Some(entry) = app.contacts.iter().find(|entry| entry.contact.id == open.contact) else { return };
    frame.render_widget(heading(&entry.contact, &open.troubles, head.width.into()), head);
    let rows = Rows { items: &open.items, name: &visible(&entry.contact.name), width: body.width.into() };
    let height = usize::from(body.height);
    let (lines, scroll) = rows.around(open.chosen_index(), open.scroll, height);
    open.scroll = scroll;
    let blank = height.saturating_sub(lines.len());
    let first = body.y.saturating_add(u16::try_from(blank).unwrap_or_default());
    for (line, y) in lines.into_iter().zip(first..) {
        frame.render_widget(line, Rect { y, height: 1, ..body });
    }
}

/// The contact, how far the connection has come, and what is wrong with it.
fn heading(contact: &Contact, troubles: &[String], width: usize) -> Line<'static> {
    let status = match (contact.status, contact.verified_code.is_some()) {
        (Status::Invited, _) => "invited; has not used the link yet (v shows it)",
        (Status::Requested, _) => "asks to connect: a lets them in, x refuses",
        (Status::Joining, _) => "connecting; waits for the other side",
        (Status::Connected, true) => "verified",
        (Status::Connected, false) => "not verified yet: v in the list",
        (Status::Ended, _) => "gone",
    };
    let name = cut(&visible(&contact.name), width);
    let mut rest = format!("  {status}");
    for trouble in troubles {
        rest = format!("  {}", visible(trouble));
    }
    let rest = cut(&rest, width.saturating_sub(name.width()));
    Line::from(vec![Span::styled(name, BOLD), Span::styled(rest, DIM)])
}

struct Rows<'a> {
    items: &'a [KeptItem],
    name: &'a str,
    width: usize,
}

impl Rows<'_> {
    /// The rows that are shown, with the chosen item in the middle, and how far it is scrolled in earnest. Without one the last rows.
    fn around(&self, chosen: Option<usize>, scroll: usize, height: usize) -> (Vec<Line<'static>>, usize) {
        let Some(chosen) = chosen else {
            let mut lines = self.before(self.items.len(), height);
            let surplus = lines.len().saturating_sub(height);
            return (lines.drain(surplus..).collect(), 0);
        };
        let item: Vec<Line<'static>> =
            self.of(chosen).into_iter().map(|line| line.patch_style(CHOSEN)).collect();
        let length = item.len();
        if length >= height {
            let scroll = scroll.min(length - height);
            return (item.into_iter().skip(scroll).take(height).collect(), scroll);
        }
        let above = self.before(chosen, height);
        let middle = above.len();
        let mut lines: Vec<Line<'static>> = above.into_iter().chain(item).collect();
        for index in chosen + 1..self.items.len() {
            if lines.len() >= middle + length + height {
                break;
            }
            lines.extend(self.of(index));
        }
        let start = middle.saturating_sub((height - length) / 2).min(lines.len().saturating_sub(height));
        (lines.into_iter().skip(start).take(height).collect(), 0)
    }

    /// The rows in front of this position: as many as are needed, or a few more.
    fn before(&self, end: usize, needed: usize) -> VecDeque<Line<'static>> {
        let mut lines = VecDeque::new();
        for index in (0..end).rev() {
            if lines.len() >= needed {
                break;
            }
            for line in self.of(index).into_iter().rev() {
                lines.push_front(line);
            }
        }
        lines
    }

    /// The rows of an item, and before it the day if it is another one than that of the item before.
    fn of(&self, index: usize) -> Vec<Line<'static>> {
        let Some(kept) = self.items.get(index) else { return Vec::new() };
        let before = index.checked_sub(1).and_then(|before| self.items.get(before));
        let mut lines = Vec::new();
        let today = day(kept.item.at);
        if before.is_none_or(|before| day(before.item.at) != today) {
            lines.push(Line::styled(cut(&format!("── {today} ──"), self.width), DIM));
        }
        lines.extend(self.item(&kept.item));
        lines
    }

    fn item(&self, item: &Item) -> Vec<Line<'static>> {
        let by = match item.side {
            Side::Ours => format!("you {}", item.delivery.tick()),
            Side::Theirs => cut(self.name, NAME),
        };
        let by = format!("{by}:");
        let text = match item.line() {
            _ if item.is_deleted => "(deleted)".to_owned(),
            Some(line) => visible(&line.text),
            None => String::new(),
        };
        let edited = if item.is_edited() && !item.is_deleted { " (edited)" } else { "" };
        let width = self.width.saturating_sub(INDENT).max(1);
        // Room for the name, which cannot be broken.
        let filler = "\u{a0}".repeat(by.width().min(width));
        let mut rows = wrap(&format!("{filler} {text}{edited}"), width).into_iter();
        let first = rows.next().unwrap_or_default();
        let first = first.strip_prefix(&filler).unwrap_or_default().to_owned();
        let set_in = " ".repeat(INDENT);
        let mut lines = vec![Line::from(vec![
            Span::styled(format!("{} ", clock(item.at)), DIM),
            Span::styled(cut(&by, width), BOLD),
            Span::raw(first),
        ])];
        lines.extend(rows.map(|row| {
            let style = if row.starts_with("> ") { DIM } else { Style::new() };
            Line::from(vec![Span::raw(set_in.clone()), Span::styled(row, style)])
        }));
        let emoji: Vec<&str> = item.given().filter_map(|given| given.reaction.as_emoji()).collect();
        if !emoji.is_empty() {
            lines.push(Line::raw(format!("{set_in}{}", cut(&visible(&emoji.join(" ")), width))));
        }
        lines
    }
}

fn clock(unix_millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_millis.div_euclid(1000));
    let clock = time.ok().and_then(|time| time.format(format_description!("[hour]:[minute]")).ok());
    clock.unwrap_or_else(|| "--:--".to_owned())
}

fn day(unix_millis: i64) -> String {
    let time = OffsetDateTime::from_unix_timestamp(unix_millis.div_euclid(1000));
    let day = time.ok().and_then(|time| time.format(format_description!("[year]-[month]-[day]")).ok());
    day.unwrap_or_else(|| "no day".to_owned())
}
