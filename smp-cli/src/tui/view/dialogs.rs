//! Dialogs in front of the conversation.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};
use smp_chat::visible;

use super::{BOLD, CHOSEN, DIM, tabless};
use crate::tui::app::{App, Ask, Dialog, EMOJI, Sure, matching};
use crate::tui::editor::Editor;
use crate::tui::help::{COLUMN, KEYS};
use crate::tui::wrap::{cut, wrap};

/// Columns of a box, at most.
const WIDTH: u16 = 76;
/// Rows of the names that are offered.
const NAMES: u16 = 12;

pub(super) fn draw(app: &App, area: Rect, frame: &mut Frame<'_>) {
    match &app.dialog {
        None | Some(Dialog::Invitation { .. }) => {}
        Some(Dialog::Help { scroll }) => help(*scroll, area, frame),
        Some(Dialog::Ask(Ask { question, editor })) => {
            let inner = open("", 3, area, frame);
            let rows = wrap(question.words(), inner.width.into());
            put(&rows, inner, frame);
            let y = inner.y + u16::try_from(rows.len()).unwrap_or(1).min(inner.height.saturating_sub(1));
            line(editor, Rect { y, height: 1, ..inner }, frame);
        }
        Some(Dialog::Jump { editor, chosen }) => jump(app, editor, *chosen, area, frame),
        Some(Dialog::Sure(sure)) => sentence(&words(sure), area, frame),
        Some(Dialog::React { item }) => {
            let emoji: Vec<String> =
                (1..).zip(EMOJI).map(|(digit, emoji)| format!("{digit} {emoji}")).collect();
            sentence(
                &format!("An emoji for #{item}; again takes it back:\n{}", emoji.join("  ")),
                area,
                frame,
            );
        }
        Some(Dialog::Code { contact, code }) => {
            let name = app.contact(*contact).map(|entry| visible(&entry.contact.name)).unwrap_or_default();
            let text = format!(
                "{code}\n\n{name} must see the same code. Compare it in another way than through this program.\nc compares it with the one that they read to you  Esc back"
            );
            sentence(&text, area, frame);
        }
        Some(Dialog::Found { words, items, chosen }) => {
            let inner = open(&cut(&format!("“{}”", visible(words)), 40), area.height, area, frame);
            let rows = usize::from(inner.height);
            let first = chosen.saturating_sub(rows / 2).min(items.len().saturating_sub(rows));
            let shown = items.iter().zip(0_usize..).skip(first).take(rows);
            for ((kept, index), y) in shown.zip(inner.y..) {
                let name = app.contact(kept.contact_id).map(|entry| visible(&entry.contact.name));
                let text = kept.item.line().map(|line| visible(&line.text)).unwrap_or_default();
                let row = format!("#{} {}: {text}", kept.number, cut(&name.unwrap_or_default(), 16));
                let style = if index == *chosen { CHOSEN } else { ratatui::style::Style::new() };
                let row = Line::styled(cut(&row, inner.width.into()), style);
                frame.render_widget(row, Rect { y, height: 1, ..inner });
            }
        }
    }
}

fn words(sure: &Sure) -> String {
    match sure {
        Sure::Remove(name) => {
            format!("Remove {}, with all that was said, and tell them?\ny yes  n no", visible(name))
        }
        Sure::Refuse(name) => format!("Refuse {}? They are not told.\ny yes  n no", visible(name)),
        Sure::Delete { name, item, is_ours: true } => {
            format!("Delete #{item}, for {} too?\ny for both  h only here  n no", visible(name))
        }
        Sure::Delete { name, item, is_ours: false } => {
            format!("Delete #{item} here? {} keeps it.\ny yes  n no", visible(name))
        }
    }
}

fn help(scroll: usize, area: Rect, frame: &mut Frame<'_>) {
    let inner = open("Keys: ↑ ↓ to see all", area.height, area, frame);
    let scroll = scroll.min(KEYS.len().saturating_sub(inner.height.into()));
    let width = usize::from(inner.width);
    let column = (width / 2).min(COLUMN);
    for ((keys, text), y) in KEYS.iter().skip(scroll).take(inner.height.into()).zip(inner.y..) {
        let row = match *keys {
            "" => Line::styled(cut(text, width), BOLD),
            keys => {
                let keys = cut(keys, column);
                let gap = column.saturating_sub(unicode_width::UnicodeWidthStr::width(keys.as_str())) + 1;
                let text = cut(text, width.saturating_sub(column + 1));
                Line::from(vec![Span::raw(keys), Span::raw(" ".repeat(gap)), Span::raw(text)])
            }
        };
        frame.render_widget(row, Rect { y, height: 1, ..inner });
    }
}

fn jump(app: &App, editor: &Editor, chosen: usize, area: Rect, frame: &mut Frame<'_>) {
    let inner = open("To which contact?", NAMES + 3, area, frame);
    line(editor, Rect { height: 1, ..inner }, frame);
    let rows = usize::from(inner.height).saturating_sub(1);
    let first = (chosen + 1).saturating_sub(rows);
    let found = matching(&app.contacts, editor.text()).zip(0_usize..).skip(first).take(rows);
    for ((entry, index), y) in found.zip(inner.y.saturating_add(1)..) {
        let style = if index == chosen { CHOSEN } else { DIM };
        let name = Line::styled(cut(&visible(&entry.contact.name), inner.width.into()), style);
        frame.render_widget(name, Rect { y, height: 1, ..inner });
    }
}

/// A box with a text.
fn sentence(text: &str, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width.min(WIDTH)).saturating_sub(2);
    let rows = wrap(text, width);
    let inner = open("", u16::try_from(rows.len()).unwrap_or(u16::MAX).saturating_add(2), area, frame);
    put(&rows, inner, frame);
}

fn put(rows: &[String], area: Rect, frame: &mut Frame<'_>) {
    for (row, y) in rows.iter().take(area.height.into()).zip(area.y..) {
        frame.render_widget(Line::raw(row.as_str()), Rect { y, height: 1, ..area });
    }
}

/// A line that is typed, with the cursor in it: the part around the cursor.
fn line(editor: &Editor, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width).max(1);
    let rows = editor.rows(width);
    let (row, column) = rows.cursor;
    let text = rows.rows.get(row).and_then(|range| editor.text().get(range.clone())).unwrap_or_default();
    frame.render_widget(Line::raw(tabless(text)), area);
    let column = u16::try_from(column).unwrap_or_default().min(area.width.saturating_sub(1));
    frame.set_cursor_position((area.x + column, area.y));
}

/// Opens a box of this height in the middle, and returns its inside.
fn open(title: &str, height: u16, area: Rect, frame: &mut Frame<'_>) -> Rect {
    let (width, height) = (area.width.min(WIDTH), height.max(4).min(area.height));
    let place =
        Rect { x: area.x + (area.width - width) / 2, y: area.y + (area.height - height) / 2, width, height };
    let block = Block::bordered().title(title.to_owned());
    let inner = block.inner(place);
    frame.render_widget(Clear, place);
    frame.render_widget(block, place);
    inner
}
