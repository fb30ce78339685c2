//! The QR code of the address, as SVG.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Light modules that have to be around a code (ISO/IEC 18004).
const QUIET: usize = 4;

/// Black on white whatever the colours of the page are, since not every camera reads it the other way round. `None` if the text
/// is too long for any code, which takes more than 2,331 bytes.
pub(super) fn svg(text: &str, label: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::M).ok()?;
    let size = code.width() + 2 * QUIET;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(code.width()).enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                // Writing to a String cannot fail.
                let _ = write!(path, "M{} {}h{}v1h-{}z", x + QUIET, y + QUIET, run.len(), run.len());
            }
            x += run.len();
        }
    }
    Some(format!(
        r##"<svg class="qr" role="img" aria-label="{label}" viewBox="0 0 {size} {size}" shape-rendering="crispEdges"><rect width="{size}" height="{size}" fill="#fff"/><path d="{path}" fill="#000"/></svg>"##
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_dark_module_is_drawn_once() {
        let text = "smp://AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=@relay.example";
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        let dark = code.to_colors().iter().filter(|color| **color == Color::Dark).count();
        let svg = svg(text, "QR code").unwrap();
        let runs = svg.split("v1h-").skip(1);
        let drawn: usize = runs.map(|run| run.split_once('z').unwrap().0.parse::<usize>().unwrap()).sum();
        assert_eq!(drawn, dark);
    }

    #[test]
    fn what_is_too_long_has_no_code() {
        assert!(svg(&"x".repeat(5_000), "").is_none());
    }
}
