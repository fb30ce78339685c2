//! An invitation: its QR code where it fits, and its link.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::Line;
use smp_chat::visible;

use super::paragraph;
use crate::qr::Drawing;
use crate::tui::wrap::wrap;

/// Columns of a text beside a code, at least.
const BESIDE: u16 = 24;
/// Rows of a text below a code, at least.
const BELOW: u16 = 8;
/// Black on white by numbers of the palette that no theme changes: many scanners read no inverted code.
const BLACK_ON_WHITE: Style = Style::new().fg(Color::Indexed(16)).bg(Color::Indexed(231));

pub(super) fn draw(
    name: &str,
    link: &str,
    drawing: Option<&Drawing>,
    colours: bool,
    area: Rect,
    frame: &mut Frame<'_>,
) {
    let name = visible(name);
    let size = drawing.map(|drawing| {
        let side = |length: usize| u16::try_from(length).unwrap_or(u16::MAX);
        (side(drawing.columns()), side(drawing.lines().len()))
    });
    let rest = match size {
        Some((columns, rows)) if rows <= area.height && columns.saturating_add(BESIDE) <= area.width => {
            Some(Rect { x: area.x + columns + 1, width: area.width - columns - 1, ..area })
        }
        Some((columns, rows)) if columns <= area.width && rows.saturating_add(BELOW) <= area.height => {
            Some(Rect { y: area.y + rows, height: area.height - rows, ..area })
        }
        _ => None,
    };
    let mut text = format!("Invitation for {name}\n\n");
    match (rest, size) {
        (Some(_), _) => text += "Esc back  f file\n\n",
        (None, Some((columns, rows))) => {
            let (width, height) = (columns.saturating_add(BESIDE), rows);
            text += &format!(
                "The QR code needs a window of {width} columns and {height} lines; this one has {} and {}. Make it larger (or its letters \
                 smaller), or have the code in a file: f.  Esc back\n\n",
                area.width, area.height
            );
        }
        (None, None) => text += "The link is too long for a QR code.  Esc back\n\n",
    }
    text += &format!("{link}\n\nFor one person only, in a way you trust; it works once.");
    let place = rest.unwrap_or(area);
    paragraph(&wrap(&text, place.width.into()), place, frame);
    let Some(drawing) = drawing.filter(|_| rest.is_some()) else { return };
    let plain = drawing.plain();
    let (lines, style): (Vec<&str>, Style) = match colours {
        true => (drawing.lines().iter().map(String::as_str).collect(), BLACK_ON_WHITE),
        false => (plain.lines().collect(), Style::new()),
    };
    let width = u16::try_from(drawing.columns()).unwrap_or(u16::MAX);
    for (line, y) in lines.into_iter().zip(area.y..) {
        frame.render_widget(Line::styled(line, style), Rect { y, height: 1, width, ..area });
    }
}
