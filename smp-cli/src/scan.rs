//! Links in pictures: a QR code that somebody photographed, or saved.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use anyhow::{Context as _, bail};
use image::imageops::{FilterType, resize};
use image::{GrayImage, ImageReader, Limits};
use smp_protocol::link::ConnectionLink;
use smp_protocol::pasted;

/// Largest side of a picture in pixels.
const MAX_SIDE: u32 = 20_000;
/// Largest memory in bytes for a picture.
const MAX_MEMORY: u64 = 512 * 1024 * 1024;
/// A picture is looked at in these sizes (the longer side in pixels): a code may be tiny in it, or have gaps that a smaller size closes.
const SIDES: [u32; 5] = [1600, 800, 2400, 500, 3200];
/// How much larger than it is a picture is looked at.
const MAX_MAGNIFICATION: u32 = 4;

/// Whether the argument names a picture that is there.
pub(crate) fn is_picture(argument: &str) -> bool {
    let path = Path::new(argument);
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    matches!(extension.to_ascii_lowercase().as_str(), "png" | "jpg" | "jpeg") && path.is_file()
}

/// The link in the QR code of a picture. A decoder may read nonsense from a bad picture: only a whole link counts.
pub(crate) fn link_in(path: &Path) -> anyhow::Result<String> {
    let is_link =
        |text: &str| matches!(pasted::link(text), Ok(ConnectionLink::Full(_) | ConnectionLink::Short(_)));
    code_in(path, is_link, "a link that can be joined", "the link")
}

/// The digits in the QR code of a picture, with the spaces between them.
pub(crate) fn digits_in(path: &Path) -> anyhow::Result<String> {
    let is_code = |text: &str| {
        let is_digit = |character: char| character.is_ascii_digit() || character == ' ';
        !text.trim().is_empty() && text.chars().all(is_digit)
    };
    code_in(path, is_code, "a security code", "the digits")
}

/// The first text in a QR code of a picture that is `wanted`.
fn code_in(path: &Path, wanted: impl Fn(&str) -> bool, what: &str, instead: &str) -> anyhow::Result<String> {
    let picture = open(path).with_context(|| format!("{} cannot be read as a picture", path.display()))?;
    let mut other_text = false;
    for side in SIDES {
        let Some(sized) = sized(&picture, side) else { continue };
        for inverted in [false, true] {
            let mut looked_at = sized.clone();
            if inverted {
                image::imageops::invert(&mut looked_at);
            }
            for text in codes(&looked_at) {
                if wanted(&text) {
                    return Ok(text);
                }
                other_text = true;
            }
        }
    }
    if other_text {
        bail!(
            "The QR code in {} is not {what}, or the picture is bad: make it again, or ask for {instead}",
            path.display()
        );
    }
    bail!(
        "No QR code can be read in {}: photograph it again, straight and sharp, with its white border, or ask for {instead}",
        path.display()
    );
}

fn open(path: &Path) -> anyhow::Result<GrayImage> {
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    Ok(reader.decode()?.into_luma8())
}

/// The picture with this longer side. None if that is much larger than it is.
fn sized(picture: &GrayImage, side: u32) -> Option<GrayImage> {
    let longer = picture.width().max(picture.height()).max(1);
    if side > longer.saturating_mul(MAX_MAGNIFICATION) {
        return None;
    }
    let scale = |length: u32| (u64::from(length) * u64::from(side) / u64::from(longer)).max(1) as u32;
    Some(resize(picture, scale(picture.width()), scale(picture.height()), FilterType::Triangle))
}

/// The texts of all codes that can be read.
fn codes(picture: &GrayImage) -> Vec<String> {
    let read = || {
        let mut decoder = quircs::Quirc::default();
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let found = decoder.identify(width, height, picture.as_raw());
        found
            .filter_map(|code| code.ok()?.decode().ok())
            .filter_map(|data| String::from_utf8(data.payload).ok())
            .collect()
    };
    // The decoder is not ours, and the picture a stranger's.
    catch_unwind(AssertUnwindSafe(read)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use image::{ImageBuffer, Luma};

    use super::*;
    use crate::qr::Picture;

    const SHORT: &str = "simplex:/i#9_Vv-OEY0Nm3Ahq2ShEGTvtV5_Nj3jYx/sUEx8q8b7kWoWZsWzUua03Q7fclm8k4k4WL0Nt5k5O8?h=relay.example.org&p=443&c=EhgdZkY4xKHpGibAR92_J7111VfepfhyTCECvsTJboI";

    fn saved(picture: &GrayImage, folder: &tempfile::TempDir) -> anyhow::Result<String> {
        let path = folder.path().join("seen.png");
        picture.save(&path).unwrap();
        link_in(&path)
    }

    fn drawn(folder: &tempfile::TempDir, link: &str) -> GrayImage {
        let path = folder.path().join("code.png");
        Picture::create(&path).unwrap().write(link).unwrap();
        image::open(&path).unwrap().into_luma8()
    }

    #[test]
    fn codes_are_read_in_many_sizes_and_both_polarities() {
        let folder = tempfile::tempdir().unwrap();
        let code = drawn(&folder, SHORT);
        assert_eq!(saved(&code, &folder).unwrap(), SHORT);
        for (width, height) in [(2000, 2000), (130, 130)] {
            let sized = resize(&code, width, height, FilterType::Triangle);
            assert_eq!(saved(&sized, &folder).unwrap(), SHORT, "{width}");
        }
        let mut inverted = code.clone();
        image::imageops::invert(&mut inverted);
        assert_eq!(saved(&inverted, &folder).unwrap(), SHORT);
        // Small in a large picture of something.
        let mut photo: GrayImage =
            ImageBuffer::from_fn(2000, 1500, |x, y| Luma([((x / 7 + y / 5) % 160) as u8]));
        image::imageops::overlay(&mut photo, &code, 900, 700);
        assert_eq!(saved(&photo, &folder).unwrap(), SHORT);
    }

    #[test]
    fn what_is_no_link_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let error = saved(&drawn(&folder, "https://example.com/"), &folder).unwrap_err().to_string();
        assert!(error.contains("not a link"), "{error}");
        let empty: GrayImage = ImageBuffer::from_pixel(300, 300, Luma([200]));
        assert!(saved(&empty, &folder).unwrap_err().to_string().contains("No QR code"));
        for (name, bytes) in [("a.png", &b"no picture"[..]), ("b.jpg", b""), ("c.png", b"\x89PNG\r\n\x1a\n")]
        {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).unwrap();
            assert!(is_picture(path.to_str().unwrap()));
            assert!(
                link_in(&path).unwrap_err().to_string().contains("cannot be read as a picture"),
                "{name}"
            );
        }
        assert!(!is_picture("simplex:/i#x.png") && !is_picture("missing.png"));
    }
}
