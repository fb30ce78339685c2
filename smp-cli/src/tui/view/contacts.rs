//! The list of contacts.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use smp_chat::{Contact, MAX_UNREAD, Overview, Status, visible};
use unicode_width::UnicodeWidthStr as _;

use super::{BOLD, CHOSEN, DIM};
use crate::tui::app::{App, Focus};
use crate::tui::wrap::cut;

pub(super) fn draw(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width);
    let contacts = match app.contacts.len() {
        1 => "1 contact".to_owned(),
        contacts => format!("{contacts} contacts"),
    };
    let heading = match app.unread() {
        0 => contacts,
        unread => format!("{contacts}, {} new", count(unread)),
    };
    let style = if app.focus == Focus::Contacts { BOLD } else { DIM };
    frame.render_widget(Line::styled(cut(&heading, width), style), Rect { height: 1, ..area });
    let rows = usize::from(area.height).saturating_sub(1);
    let position = app.position().unwrap_or_default();
    // The cursor is in the middle, but at the ends of the list.
    let first = position.saturating_sub(rows / 2).min(app.contacts.len().saturating_sub(rows));
    for ((entry, index), y) in
        app.contacts.iter().zip(0_usize..).skip(first).take(rows).zip(area.y.saturating_add(1)..)
    {
        let style = match (index == position, app.focus) {
            (true, Focus::Contacts) => CHOSEN,
            (true, _) => BOLD,
            (false, _) => Style::new(),
        };
        frame.render_widget(line(entry, width).patch_style(style), Rect { y, height: 1, ..area });
    }
}

/// Mark, name, and how much is unread.
fn line(entry: &Overview, width: usize) -> Line<'static> {
    let unread = match entry.unread {
        0 => String::new(),
        unread => format!(" {}", count(unread)),
    };
    let room = width.saturating_sub(2 + unread.width());
    let name = cut(&visible(&entry.contact.name), room);
    let gap = " ".repeat(room.saturating_sub(name.width()));
    let style = if entry.unread > 0 { BOLD } else { Style::new() };
    Line::from(vec![
        Span::raw(format!("{} ", mark(&entry.contact))),
        Span::styled(name, style),
        Span::raw(gap),
        Span::styled(unread, style),
    ])
}

fn count(unread: u32) -> String {
    if unread >= MAX_UNREAD { format!("{}+", MAX_UNREAD - 1) } else { unread.to_string() }
}

/// How far the contact has come, in one column.
fn mark(contact: &Contact) -> char {
    match contact.status {
        Status::Requested => '?',
        Status::Invited | Status::Joining => '…',
        Status::Ended => '✗',
        Status::Connected if contact.is_muted => '-',
        Status::Connected if contact.verified_code.is_some() => '✓',
        Status::Connected => ' ',
    }
}
