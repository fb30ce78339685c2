//! Invitation links as QR codes: in the terminal, as PNG, as SVG.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context as _, bail};
use qrcode::render::{svg, unicode};
use qrcode::{EcLevel, QrCode};
use tempfile::NamedTempFile;

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

/// A picture file that is still to be filled. It appears at once and whole, instead of whatever has its name.
pub(crate) struct Picture<'a> {
    path: &'a Path,
    format: Format,
    /// Beside it. Only its owner can read it: whoever has the code can use the invitation.
    draft: NamedTempFile,
}

enum Format {
    Png,
    Svg,
}

impl<'a> Picture<'a> {
    /// Prepares a PNG or an SVG, by the file's extension.
    pub(crate) fn create(path: &'a Path) -> anyhow::Result<Self> {
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let format = match extension.to_ascii_lowercase().as_str() {
            "png" => Format::Png,
            "svg" => Format::Svg,
            _ => bail!("A QR code is written as .png or .svg; give the file one of these endings."),
        };
        if path.is_dir() {
            bail!("{} is a directory; give the QR code the name of a file.", path.display());
        }
        let folder = match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        let draft = NamedTempFile::new_in(folder).with_context(|| unwritten(path))?;
        Ok(Self { path, format, draft })
    }

    /// Draws the QR code. Returns where it is.
    pub(crate) fn write(mut self, link: &str) -> anyhow::Result<&'a Path> {
        let code = code(link)?;
        let path = self.path;
        self.fill(&code).with_context(|| unwritten(path))?;
        self.draft.persist(path).with_context(|| unwritten(path))?;
        Ok(path)
    }

    fn fill(&mut self, code: &QrCode) -> anyhow::Result<()> {
        let file = self.draft.as_file_mut();
        match self.format {
            Format::Png => {
                let image =
                    code.render::<image::Luma<u8>>().module_dimensions(PNG_MODULE, PNG_MODULE).build();
                // The encoder goes back to fill in lengths, which a file allows.
                image.write_to(&mut std::io::BufWriter::new(&mut *file), image::ImageFormat::Png)?;
            }
            Format::Svg => file.write_all(code.render::<svg::Color<'_>>().build().as_bytes())?,
        }
        Ok(file.sync_all()?)
    }
}

fn unwritten(path: &Path) -> String {
    format!("The QR code could not be written to {}", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn png_and_svg_are_written_for_their_owner_only() {
        let folder = tempfile::tempdir().unwrap();
        for (name, start) in [("code.png", "\u{89}PNG"), ("code.SVG", "<?xml"), ("old.png", "\u{89}PNG")] {
            let path = folder.path().join(name);
            if name.starts_with("old") {
                std::fs::write(&path, "x".repeat(100_000)).unwrap();
            }
            Picture::create(&path).unwrap().write("simplex:/invitation#/?v=2-7").unwrap();
            let bytes = std::fs::read(&path).unwrap();
            let read: String = bytes.iter().map(|byte| char::from(*byte)).collect();
            assert!(read.starts_with(start) && bytes.len() < 50_000, "{name}: {} bytes", bytes.len());
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
        }
        // No draft is left, also not of a picture that was not drawn.
        drop(Picture::create(&folder.path().join("later.png")).unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_file_that_cannot_be_written_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dir.png")).unwrap();
        for name in ["code.gif", "code", "missing/code.png", "dir.png"] {
            assert!(Picture::create(&folder.path().join(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn a_link_longer_than_any_qr_code_is_an_error() {
        assert!(terminal(&"x".repeat(3000)).is_err());
    }
}
