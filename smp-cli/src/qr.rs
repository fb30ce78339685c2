//! Invitation links as QR codes: in the terminal, as PNG, as SVG.

use std::path::Path;

use anyhow::{Context as _, bail};
use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};

/// Side of one module in a PNG, in pixels: large enough for a phone camera to read from a screen.
const PNG_MODULE: u32 = 6;

/// The code with the least redundancy: links are long, and a screen does not get dirty.
fn code(link: &str) -> anyhow::Result<QrCode> {
    QrCode::with_error_correction_level(link, EcLevel::L)
        .context("The link is too long for a QR code; pass it on as text")
}

/// The QR code as text, two modules per character, dark on light like printed ones so that cameras accept it.
pub(crate) fn terminal(link: &str) -> anyhow::Result<String> {
    let image = code(link)?
        .render::<unicode::Dense1x2>()
        .dark_color(unicode::Dense1x2::Light)
        .light_color(unicode::Dense1x2::Dark)
        .build();
    Ok(image)
}

/// Writes the QR code to `path`, as PNG or SVG by the file's extension.
pub(crate) fn write(link: &str, path: &Path) -> anyhow::Result<()> {
    let code = code(link)?;
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    let written = match extension.to_ascii_lowercase().as_str() {
        "png" => {
            let image = code.render::<image::Luma<u8>>().module_dimensions(PNG_MODULE, PNG_MODULE).build();
            image.save_with_format(path, image::ImageFormat::Png).map_err(anyhow::Error::from)
        }
        "svg" => std::fs::write(path, code.render::<svg::Color<'_>>().build()).map_err(anyhow::Error::from),
        _ => bail!("A QR code is written as .png or .svg; give the file one of these endings."),
    };
    written.with_context(|| format!("The QR code could not be written to {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_and_svg_are_written_and_other_endings_refused() {
        let folder = tempfile::tempdir().unwrap();
        let png = folder.path().join("code.png");
        write("simplex:/invitation#/?v=2-7", &png).unwrap();
        assert_eq!(&std::fs::read(&png).unwrap()[1..4], b"PNG");
        let svg = folder.path().join("code.SVG");
        write("simplex:/invitation#/?v=2-7", &svg).unwrap();
        assert!(std::fs::read_to_string(&svg).unwrap().contains("<svg"));
        assert!(write("simplex:/", &folder.path().join("code.gif")).is_err());
    }

    #[test]
    fn a_link_longer_than_any_qr_code_is_an_error() {
        assert!(terminal(&"x".repeat(3000)).is_err());
    }
}
