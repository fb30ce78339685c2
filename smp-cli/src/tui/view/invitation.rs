//! An invitation: its QR code where it fits, and its link.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use smp_chat::visible;

use super::paragraph;
use crate::qr::{Colours, Drawing};
use crate::tui::wrap::wrap;

/// Columns of a text beside a code, at least.
const BESIDE: u16 = 24;
/// Rows of a text below a code, at least.
const BELOW: u16 = 8;
/// By numbers of the palette that no theme changes: many scanners read no inverted code.
const BLACK: Color = Color::Indexed(16);
const WHITE: Color = Color::Indexed(231);

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
    let lines: Vec<Line<'static>> = match colours {
        true => drawing.cells().into_iter().map(coloured).collect(),
        false => drawing.plain().lines().map(|line| Line::raw(line.to_owned())).collect(),
    };
    let width = u16::try_from(drawing.columns()).unwrap_or(u16::MAX);
    for (line, y) in lines.into_iter().zip(area.y..) {
        frame.render_widget(line, Rect { y, height: 1, width, ..area });
    }
}

fn coloured(row: Vec<(char, Colours)>) -> Line<'static> {
    let cell = |(character, colours): (char, Colours)| {
        let (front, back) = match colours {
            Colours::BlackOnWhite => (BLACK, WHITE),
            Colours::WhiteOnBlack => (WHITE, BLACK),
            Colours::BlackOnBlack => (BLACK, BLACK),
        };
        Span::styled(character.to_string(), Style::new().fg(front).bg(back))
    };
    Line::from_iter(row.into_iter().map(cell))
}
