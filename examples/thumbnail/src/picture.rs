//! From a picture to its thumbnail.

use std::io::Cursor;

use image::codecs::jpeg::JpegEncoder;
use image::error::ImageError;
use image::metadata::Orientation;
use image::{
    DynamicImage, ImageDecoder, ImageFormat, ImageReader, Limits, RgbImage, Rgba, RgbaImage,
    imageops,
};

use crate::query::Wanted;

/// Largest width and height of a picture.
const MAX_SIDE: u32 = 12_000;
/// Memory for a decoded picture. A small file can claim to be a huge picture: what it would take is
/// looked at before it is taken.
const MAX_MEMORY: u64 = 256 << 20;
const JPEG_QUALITY: u8 = 85;

/// Why there is no thumbnail, in words for the caller.
#[derive(Debug)]
pub enum Refusal {
    /// It is none of the formats.
    NotAPicture(String),
    /// It would take too much memory.
    TooLarge(String),
    /// It begins like a picture, but cannot be decoded.
    Broken(String),
}

/// The picture in `bytes`, scaled down to what is wanted and never up, upright.
pub fn thumbnail(bytes: &[u8], wanted: &Wanted) -> Result<Vec<u8>, Refusal> {
    let (mut picture, orientation) = decode(bytes)?;
    // Scaled before it is turned: then there is less to turn.
    let turned = matches!(
        orientation,
        Orientation::Rotate90
            | Orientation::Rotate270
            | Orientation::Rotate90FlipH
            | Orientation::Rotate270FlipH
    );
    let (width, height) = match turned {
        true => (wanted.height, wanted.width),
        false => (wanted.width, wanted.height),
    };
    if picture.width() > width || picture.height() > height {
        picture = picture.thumbnail(width, height);
    }
    picture.apply_orientation(orientation);
    encode(&picture, wanted.format)
}

fn decode(bytes: &[u8]) -> Result<(DynamicImage, Orientation), Refusal> {
    let mut reader = ImageReader::new(Cursor::new(bytes))
        .with_guessed_format()
        .map_err(|error| Refusal::Broken(error.to_string()))?;
    if reader.format().is_none() {
        return Err(Refusal::NotAPicture(
            "the body is not a JPEG, PNG, GIF or WebP".into(),
        ));
    }
    let mut limits = Limits::default();
    limits.max_image_width = Some(MAX_SIDE);
    limits.max_image_height = Some(MAX_SIDE);
    limits.max_alloc = Some(MAX_MEMORY);
    reader.limits(limits.clone());

    let mut decoder = reader.into_decoder().map_err(refusal)?;
    // Not every decoder looks at the limits itself.
    if decoder.total_bytes() > MAX_MEMORY {
        return Err(Refusal::TooLarge("the picture has too many pixels".into()));
    }
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let picture = DynamicImage::from_decoder(decoder).map_err(refusal)?;
    Ok((picture, orientation))
}

fn encode(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>, Refusal> {
    let mut bytes = Vec::new();
    let done = match format {
        ImageFormat::Jpeg => {
            let encoder = JpegEncoder::new_with_quality(&mut bytes, JPEG_QUALITY);
            on_white(picture).write_with_encoder(encoder)
        }
        _ => picture.write_to(&mut Cursor::new(&mut bytes), format),
    };
    done.map_err(refusal)?;
    Ok(bytes)
}

/// JPEG has no transparency.
fn on_white(picture: &DynamicImage) -> RgbImage {
    if !picture.color().has_alpha() {
        return picture.to_rgb8();
    }
    let white = Rgba([255; 4]);
    let mut paper = RgbaImage::from_pixel(picture.width(), picture.height(), white);
    imageops::overlay(&mut paper, &picture.to_rgba8(), 0, 0);
    DynamicImage::from(paper).to_rgb8()
}

fn refusal(error: ImageError) -> Refusal {
    match error {
        ImageError::Limits(error) => {
            Refusal::TooLarge(format!("the picture is too large: {error}"))
        }
        ImageError::Unsupported(error) => Refusal::NotAPicture(error.to_string()),
        error => Refusal::Broken(format!("the picture is broken: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use image::{GenericImageView, Rgb};

    use super::*;

    /// Red at the left, blue at the right.
    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let picture = RgbImage::from_fn(width, height, |x, _| match x < width / 2 {
            true => Rgb([255, 0, 0]),
            false => Rgb([0, 0, 255]),
        });
        let mut bytes = Cursor::new(Vec::new());
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn wanted(width: u32, height: u32, format: ImageFormat) -> Wanted {
        Wanted {
            width,
            height,
            format,
        }
    }

    #[test]
    fn every_format_is_scaled_into_the_box() {
        use ImageFormat::{Gif, Jpeg, Png, WebP};
        for from in [Gif, Jpeg, Png, WebP] {
            for to in [Jpeg, Png] {
                let bytes = thumbnail(&picture(400, 100, from), &wanted(80, 80, to)).unwrap();
                assert_eq!(image::guess_format(&bytes).unwrap(), to);
                let small = image::load_from_memory(&bytes).unwrap();
                assert_eq!(small.dimensions(), (80, 20));
                let (left, right) = (small.get_pixel(5, 10), small.get_pixel(75, 10));
                assert!(left[0] > 200 && left[2] < 60 && right[2] > 200 && right[0] < 60);
            }
        }
    }

    #[test]
    fn what_is_transparent_becomes_white_in_a_jpeg() {
        let mut bytes = Cursor::new(Vec::new());
        let clear = RgbaImage::from_pixel(20, 20, Rgba([0; 4]));
        clear.write_to(&mut bytes, ImageFormat::Png).unwrap();
        let bytes = thumbnail(bytes.get_ref(), &wanted(10, 10, ImageFormat::Jpeg)).unwrap();
        let pixel = image::load_from_memory(&bytes).unwrap().get_pixel(5, 5);
        assert!(
            pixel[0] > 250 && pixel[1] > 250 && pixel[2] > 250,
            "{pixel:?}"
        );
    }

    #[test]
    fn small_pictures_stay_small() {
        let bytes = picture(40, 10, ImageFormat::Png);
        let bytes = thumbnail(&bytes, &wanted(200, 200, ImageFormat::Png)).unwrap();
        assert_eq!(
            image::load_from_memory(&bytes).unwrap().dimensions(),
            (40, 10)
        );
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        let box_ = wanted(10, 10, ImageFormat::Png);
        for bytes in [&b""[..], b"hello", b"<svg></svg>", b"BM not a bitmap"] {
            let refusal = thumbnail(bytes, &box_).unwrap_err();
            assert!(matches!(refusal, Refusal::NotAPicture(_)), "{refusal:?}");
        }
        let whole = picture(100, 100, ImageFormat::Png);
        let refusal = thumbnail(&whole[..whole.len() / 2], &box_).unwrap_err();
        assert!(matches!(refusal, Refusal::Broken(_)), "{refusal:?}");
    }

    #[test]
    fn a_small_file_that_claims_to_be_huge_is_refused() {
        let box_ = wanted(10, 10, ImageFormat::Png);
        // Too wide, and too many pixels although no side is too long.
        for (width, height) in [(MAX_SIDE + 1, 1), (MAX_SIDE, MAX_SIDE)] {
            let mut bytes = picture(1, 1, ImageFormat::Gif);
            bytes[6..8].copy_from_slice(&(width as u16).to_le_bytes());
            bytes[8..10].copy_from_slice(&(height as u16).to_le_bytes());
            let refusal = thumbnail(&bytes, &box_).unwrap_err();
            assert!(matches!(refusal, Refusal::TooLarge(_)), "{refusal:?}");
        }
    }
}
