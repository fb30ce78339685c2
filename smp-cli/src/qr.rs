//! Invitation links as QR codes: in the terminal, as PNG, as SVG.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use qrcode::bits::Bits;
use qrcode::render::svg;
use qrcode::{Color, EcLevel, QrCode, Version};
use tempfile::NamedTempFile;

/// Side of one module in a PNG, in pixels: decoders of web pages read codes with larger ones less well.
const PNG_MODULE: u32 = 4;
/// Modules of white around a code in a terminal. Less cannot be read; with explicit colours more is not needed.
const QUIET: usize = 1;
/// Black on white by numbers of the palette of 256 that no theme changes: many scanners read no inverted code.
const BLACK_ON_WHITE: &str = "\u{1b}[38;5;16;48;5;231m";
const WHITE_ON_BLACK: &str = "\u{1b}[38;5;231;48;5;16m";
const BLACK_ON_BLACK: &str = "\u{1b}[38;5;16;48;5;16m";
const RESET: &str = "\u{1b}[0m";
/// The largest version of a QR code.
const LARGEST_VERSION: i16 = 40;

/// The code with the least redundancy: links are long, and a screen does not get dirty.
fn code(link: &str) -> anyhow::Result<QrCode> {
    let segmented = QrCode::with_error_correction_level(link, EcLevel::L)
        .context("The link is too long for a QR code; pass it on as text")?;
    // The library's segments take more room than one of bytes in some links.
    Ok(match one_segment(link) {
        Some(code) if code.width() < segmented.width() => code,
        _ => segmented,
    })
}

/// The smallest code that holds the text as one segment of bytes.
fn one_segment(text: &str) -> Option<QrCode> {
    (1..=LARGEST_VERSION).find_map(|version| {
        let mut bits = Bits::new(Version::Normal(version));
        bits.push_byte_data(text.as_bytes()).ok()?;
        bits.push_terminator(EcLevel::L).ok()?;
        QrCode::with_bits(bits, EcLevel::L).ok()
    })
}

/// A QR code as lines of text, two modules in a character.
#[derive(Debug)]
pub(crate) struct Drawing {
    lines: Vec<String>,
    columns: usize,
}

impl Drawing {
    pub(crate) fn of(link: &str) -> anyhow::Result<Self> {
        let code = code(link)?;
        let columns = code.width() + 2 * QUIET;
        let is_dark = |x: usize, y: usize| {
            let inside =
                (QUIET..QUIET + code.width()).contains(&x) && (QUIET..QUIET + code.width()).contains(&y);
            inside && code[(x - QUIET, y - QUIET)] == Color::Dark
        };
        // The lower half of an odd last line is white too.
        let line = |row: usize| {
            (0..columns)
                .map(|x| half_blocks(is_dark(x, 2 * row), is_dark(x, 2 * row + 1)))
                .collect::<String>()
        };
        Ok(Self { lines: (0..columns.div_ceil(2)).map(line).collect(), columns })
    }

    /// Width in characters.
    pub(crate) fn columns(&self) -> usize {
        self.columns
    }

    /// Height in lines of a window in which it stays whole when the cursor stands below it.
    pub(crate) fn window_lines(&self) -> usize {
        self.lines.len() + 1
    }

    /// The lines, dark on light.
    pub(crate) fn lines(&self) -> &[String] {
        &self.lines
    }

    /// The cells, row by row, each with its colours.
    pub(crate) fn cells(&self) -> Vec<Vec<(char, Colours)>> {
        let rows: Vec<Vec<char>> = self.lines.iter().map(|line| line.chars().collect()).collect();
        let at = |row: Option<usize>, x: usize| {
            row.and_then(|row| rows.get(row)).and_then(|row| row.get(x)).copied().unwrap_or(' ')
        };
        let cells = |(y, row): (usize, &Vec<char>)| {
            let cell = |(x, character): (usize, &char)| {
                filled(*character, at(y.checked_sub(1), x), at(y.checked_add(1), x))
            };
            row.iter().enumerate().map(cell).collect()
        };
        rows.iter().enumerate().map(cells).collect()
    }

    /// Black on white, whatever the colours of the terminal are.
    pub(crate) fn coloured(&self) -> String {
        let mut coloured = String::new();
        for row in self.cells() {
            let mut colours = None;
            for (character, needed) in row {
                if colours != Some(needed) {
                    coloured.push_str(needed.code());
                    colours = Some(needed);
                }
                coloured.push(character);
            }
            coloured.push_str(RESET);
            coloured.push('\n');
        }
        coloured
    }

    /// Without colours: white is drawn, as on a dark terminal.
    pub(crate) fn plain(&self) -> String {
        let invert = |character| match character {
            ' ' => '█',
            '█' => ' ',
            '▀' => '▄',
            _ => '▀',
        };
        self.lines.iter().map(|line| line.chars().map(invert).chain(['\n']).collect::<String>()).collect()
    }
}

/// A cell as a character with its colours. The blocks of many fonts leave gaps between cells, and backgrounds leave none: so the
/// background has the colour that goes on in the neighbour (`docs/session/scan.py` measures it).
fn filled(cell: char, above: char, below: char) -> (char, Colours) {
    match cell {
        '█' => ('█', Colours::BlackOnBlack),
        '▀' if matches!(above, '▄' | '█') => ('▄', Colours::WhiteOnBlack),
        '▄' if matches!(below, '▀' | '█') => ('▀', Colours::WhiteOnBlack),
        light => (light, Colours::BlackOnWhite),
    }
}

/// The colours of a cell: of its character, and of what is behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Colours {
    BlackOnWhite,
    WhiteOnBlack,
    BlackOnBlack,
}

impl Colours {
    /// The sequence that a terminal understands.
    fn code(self) -> &'static str {
        match self {
            Self::BlackOnWhite => BLACK_ON_WHITE,
            Self::WhiteOnBlack => WHITE_ON_BLACK,
            Self::BlackOnBlack => BLACK_ON_BLACK,
        }
    }
}

fn half_blocks(upper: bool, lower: bool) -> char {
    match (upper, lower) {
        (false, false) => ' ',
        (true, false) => '▀',
        (false, true) => '▄',
        (true, true) => '█',
    }
}

/// A picture file that is still to be filled. It appears at once and whole, instead of whatever has its name.
pub(crate) struct Picture {
    path: PathBuf,
    format: Format,
    /// Beside it. Only its owner can read it: whoever has the code can use the invitation.
    draft: NamedTempFile,
}

enum Format {
    Png,
    Svg,
}

impl Picture {
    /// Prepares a PNG or an SVG, by the file's extension.
    pub(crate) fn create(path: &Path) -> anyhow::Result<Self> {
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
        Ok(Self { path: path.to_owned(), format, draft })
    }

    /// Draws the QR code. Returns where it is.
    pub(crate) fn write(mut self, link: &str) -> anyhow::Result<PathBuf> {
        let code = code(link)?;
        let path = std::mem::take(&mut self.path);
        self.fill(&code).with_context(|| unwritten(&path))?;
        self.draft.persist(&path).with_context(|| unwritten(&path))?;
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

    const SHORT: &str = "simplex:/i#9_Vv-OEY0Nm3Ahq2ShEGTvtV5_Nj3jYx/sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8?h=relay.example.org&p=443&c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvs";

    #[test]
    fn a_drawing_has_a_quiet_zone_on_all_sides() {
        for link in [SHORT, "simplex:/invitation#/?v=2-7", &"x".repeat(460)] {
            let drawing = Drawing::of(link).unwrap();
            let (first, last) = (drawing.lines.first().unwrap(), drawing.lines.last().unwrap());
            assert!(first.chars().all(|character| " ▄".contains(character)), "{first}");
            assert!(last.chars().all(|character| " ▀".contains(character)), "{last}");
            for line in &drawing.lines {
                assert_eq!(line.chars().count(), drawing.columns());
                assert!(line.starts_with(' ') && line.ends_with(' '));
            }
            assert_eq!(drawing.window_lines(), drawing.columns().div_ceil(2) + 1);
        }
    }

    #[test]
    fn a_segment_of_bytes_is_used_where_it_is_smaller() {
        // 154 bytes fit into version 7, which has 45 modules.
        assert_eq!(SHORT.len(), 154);
        assert_eq!(Drawing::of(SHORT).unwrap().columns(), 47);
        // Digits alone are smaller as digits.
        assert!(code(&"1".repeat(300)).unwrap().width() < one_segment(&"1".repeat(300)).unwrap().width());
    }

    #[test]
    fn colours_are_explicit_and_end_with_each_line() {
        let drawing = Drawing::of(SHORT).unwrap();
        for line in drawing.coloured().lines() {
            assert!(line.starts_with(BLACK_ON_WHITE) && line.ends_with(RESET), "{line:?}");
        }
        // In black and white it is the same picture.
        let mut seen = String::new();
        let mut is_inverse = false;
        for part in drawing.coloured().split_inclusive('m') {
            let (cells, colours) = part.split_once('\u{1b}').unwrap_or((part, ""));
            let swapped = cells.chars().map(|cell| match (cell, is_inverse) {
                ('▀', true) => '▄',
                ('▄', true) => '▀',
                (cell, _) => cell,
            });
            seen.extend(swapped);
            is_inverse = format!("\u{1b}{colours}") == WHITE_ON_BLACK;
        }
        assert_eq!(seen, drawing.lines.iter().map(|line| format!("{line}\n")).collect::<String>());
        assert!(!drawing.plain().contains('\u{1b}'));
    }

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
        assert!(Drawing::of(&"x".repeat(3000)).is_err());
    }
}
