//! The screen, drawn from the state. Nothing that a contact wrote gets there but as visible text, and backgrounds stay those of the
//! terminal.

mod contacts;
mod dialogs;
mod invitation;
mod messages;

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;
use smp_chat::visible;

use super::app::{App, Dialog, Focus, Purpose};
use super::wrap::{cut, wrap};

/// From this width on contacts and conversation are beside each other.
const TWO_PANES: u16 = 60;
/// The least that anything can be shown in.
const LEAST: (u16, u16) = (20, 6);
/// Rows of the text that is typed, at most.
const TYPED_ROWS: usize = 6;

pub(super) const BOLD: Style = Style::new().add_modifier(Modifier::BOLD);
pub(super) const DIM: Style = Style::new().add_modifier(Modifier::DIM);
pub(super) const CHOSEN: Style = Style::new().add_modifier(Modifier::REVERSED);

/// Draws everything, and notes in the state how much room there is.
pub(super) fn draw(app: &mut App, frame: &mut Frame<'_>) {
    let area = frame.area();
    if area.width < LEAST.0 || area.height < LEAST.1 {
        let sentence = format!("The window is too small: {} x {} is needed.", LEAST.0, LEAST.1);
        paragraph(&wrap(&sentence, area.width.into()), area, frame);
        return;
    }
    if let Some(Dialog::Invitation { name, link, drawing }) = &app.dialog {
        invitation::draw(name, link, drawing.as_ref(), app.colours, area, frame);
        return;
    }
    let [body, bar] = Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(area);
    app.page_rows = usize::from(body.height).saturating_sub(4).max(1);
    let has_both = area.width >= TWO_PANES;
    if has_both {
        let width = (area.width / 3).clamp(20, 36);
        let [list, line, rest] =
            Layout::horizontal([Constraint::Length(width), Constraint::Length(1), Constraint::Min(1)])
                .areas(body);
        contacts::draw(app, list, frame);
        let rule: Vec<String> = (0..line.height).map(|_| "│".to_owned()).collect();
        paragraph(&rule, line, frame);
        conversation(app, rest, frame);
    } else if app.focus == Focus::Contacts {
        contacts::draw(app, body, frame);
    } else {
        conversation(app, body, frame);
    }
    status(app, bar, frame);
    dialogs::draw(app, body, frame);
}

/// The messages, and below them the text that is typed.
fn conversation(app: &mut App, area: Rect, frame: &mut Frame<'_>) {
    if app.conversation.is_none() {
        let sentence = match app.contacts.is_empty() {
            true => {
                "There is nobody yet.\n\ni  invites somebody: a link and a QR code\no  connects by a link that you got\n?  lists all keys"
            }
            false => "Choose a contact.",
        };
        paragraph(&wrap(sentence, area.width.into()), area, frame);
        return;
    }
    let width = usize::from(area.width).saturating_sub(2).max(1);
    app.editor_width = width;
    let rows = app.editor.rows(width);
    let most = TYPED_ROWS.min(usize::from(area.height) / 3).max(1);
    let shown = rows.rows.len().min(most);
    let [head, body, rule, typed] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(1),
        Constraint::Length(1),
        Constraint::Length(u16::try_from(shown).unwrap_or(1)),
    ])
    .areas(area);
    app.page_rows = usize::from(body.height).max(1);
    messages::draw(app, head, body, frame);
    frame.render_widget(Line::styled(purpose(app, rule.width.into()), DIM), rule);
    // The rows around the cursor.
    let first = (rows.cursor.0 + 1).saturating_sub(shown);
    let mark = if app.focus == Focus::Editor { "> " } else { "  " };
    for (row, at) in rows.rows.iter().skip(first).take(shown).zip(typed.y..) {
        let line = Line::from(vec![Span::raw(mark), Span::raw(tabless(&app.editor.text()[row.clone()]))]);
        frame.render_widget(line, Rect { y: at, height: 1, ..typed });
    }
    if app.focus == Focus::Editor && app.dialog.is_none() {
        let at = |column: usize| u16::try_from(column).unwrap_or(u16::MAX);
        let column = typed.x + 2 + at(rows.cursor.1.min(width.saturating_sub(1)));
        frame.set_cursor_position((column, typed.y + at(rows.cursor.0 - first)));
    }
}

/// A tabulator has one column where a text is typed.
fn tabless(text: &str) -> String {
    text.replace('\t', " ")
}

/// The line above the text that is typed: what it is for.
fn purpose(app: &App, width: usize) -> String {
    let begun = app.conversation.as_ref().and_then(|open| {
        let (word, item) = match open.purpose {
            Purpose::New => return None,
            Purpose::Reply(item) => ("answer to", item),
            Purpose::Edit(item) => ("edit of", item),
        };
        let text = open.item(item).and_then(|kept| kept.item.line()).map(|line| visible(&line.text));
        Some(format!("── {word} #{item}: {} ", cut(&text.unwrap_or_default(), 30)))
    });
    let begun = begun.unwrap_or_default();
    cut(&format!("{begun}{}", "─".repeat(width)), width).replace('…', "─")
}

/// The line at the bottom: what was said last, or the next keys.
fn status(app: &App, area: Rect, frame: &mut Frame<'_>) {
    let width = usize::from(area.width);
    if let Some(said) = &app.said {
        frame.render_widget(Line::styled(cut(said, width), BOLD), area);
        return;
    }
    let keys = match (&app.dialog, app.focus) {
        (Some(_), _) => "Esc back",
        (None, Focus::Contacts) => "Enter talk  / find  u unread  i invite  o join  ? all keys  q end",
        (None, Focus::Messages) => "r answer  e edit  d delete  + emoji  / search  Tab type  ? all keys",
        (None, Focus::Editor) => "Enter sends  Ctrl-J new line  Ctrl-K contact  Esc messages  F1 keys",
    };
    frame.render_widget(Line::styled(cut(keys, width), DIM), area);
}

fn paragraph(rows: &[String], area: Rect, frame: &mut Frame<'_>) {
    let lines: Vec<Line<'_>> = rows.iter().map(|row| Line::raw(row.as_str())).collect();
    frame.render_widget(Paragraph::new(lines), area);
}

#[cfg(test)]
mod tests;
