//! Thumbnails: the small picture that an app shows of a large one before it has that, as JPEG in a `data:` URL.

use std::io::Cursor;
use std::path::Path;

use anyhow::bail;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageDecoder as _, ImageReader, Limits};
use smp_protocol::base64url;

/// Largest side of a picture in pixels.
const MAX_SIDE: u32 = 20_000;
/// Largest memory in bytes for a picture.
const MAX_MEMORY: u64 = 512 * 1024 * 1024;
/// Most bytes of the URL: it is in the message, beside a text.
const MAX_URL: usize = 10_000;
/// Longer sides in pixels and qualities that are tried, one after the other, until the URL is short enough.
const TRIED: [(u32, u8); 4] = [(224, 75), (224, 50), (160, 40), (96, 30)];

/// The thumbnail of a picture.
///
/// # Errors
/// If it is no picture that can be read.
pub(crate) fn thumbnail(path: &Path) -> anyhow::Result<String> {
    let mut reader = ImageReader::open(path)?.with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits);
    let mut decoder = reader.into_decoder()?;
    // As the camera was held.
    let orientation = decoder.orientation()?;
    let mut picture = DynamicImage::from_decoder(decoder)?;
    picture.apply_orientation(orientation);
    for (side, quality) in TRIED {
        let url = encoded(&picture, side, quality)?;
        if url.len() <= MAX_URL {
            return Ok(url);
        }
    }
    bail!("it cannot be made small enough")
}

fn encoded(picture: &DynamicImage, side: u32, quality: u8) -> anyhow::Result<String> {
    // A small picture does not become larger.
    let side = side.min(picture.width().max(picture.height()));
    let small = picture.thumbnail(side, side).to_rgb8();
    let mut jpeg = Cursor::new(Vec::new());
    small.write_with_encoder(JpegEncoder::new_with_quality(&mut jpeg, quality))?;
    // The alphabets differ in two characters.
    let base64 = base64url::encode(jpeg.get_ref()).replace('-', "+").replace('_', "/");
    Ok(format!("data:image/jpg;base64,{base64}"))
}

#[cfg(test)]
mod tests {
    use image::RgbaImage;

    use super::*;

    #[test]
    fn pictures_of_any_form_become_small_ones() {
        let dir = tempfile::tempdir().unwrap();
        for (width, height) in [(1, 1), (64, 48), (3_000, 2), (1_200, 900)] {
            let path = dir.path().join("a.png");
            let noise = |x: u32, y: u32| (x.wrapping_mul(2_654_435_761) ^ y.wrapping_mul(40_503)) as u8;
            RgbaImage::from_fn(width, height, |x, y| [noise(x, y), noise(y, x), noise(x + y, 7), 255].into())
                .save(&path)
                .unwrap();
            let url = thumbnail(&path).unwrap();
            assert!(url.len() <= MAX_URL, "{width} x {height}: {}", url.len());
            let base64 =
                url.strip_prefix("data:image/jpg;base64,").unwrap().replace('+', "-").replace('/', "_");
            let jpeg = base64url::decode(base64.as_bytes()).unwrap();
            let read = image::load_from_memory(&jpeg).unwrap();
            assert!(
                read.width() <= width && read.height() <= height && read.width().max(read.height()) <= 224
            );
        }
        let path = dir.path().join("no.png");
        std::fs::write(&path, "no picture").unwrap();
        assert!(thumbnail(&path).is_err());
    }
}
