//! What is asked for.

use image::ImageFormat;

/// Largest width and height of a thumbnail.
const MAX_SIDE: u32 = 2000;

/// A thumbnail.
#[derive(Debug, PartialEq)]
pub struct Wanted {
    /// It is not wider than this.
    pub width: u32,
    /// It is not higher than this.
    pub height: u32,
    /// How it is encoded.
    pub format: ImageFormat,
}

impl Wanted {
    /// Reads a query such as `width=200&format=png`; an error says what is wrong with it.
    pub fn parse(query: &str) -> Result<Wanted, String> {
        let mut wanted = Wanted {
            width: 200,
            height: 200,
            format: ImageFormat::Jpeg,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("width", value) => wanted.width = side("width", value)?,
                ("height", value) => wanted.height = side("height", value)?,
                ("format", "jpeg" | "jpg") => wanted.format = ImageFormat::Jpeg,
                ("format", "png") => wanted.format = ImageFormat::Png,
                ("format", _) => return Err("format is jpeg or png".into()),
                (name, _) => {
                    return Err(format!(
                        "there is no {name:?}, only width, height and format"
                    ));
                }
            }
        }
        Ok(wanted)
    }
}

fn side(name: &str, value: &str) -> Result<u32, String> {
    match value.parse() {
        Ok(side @ 1..=MAX_SIDE) => Ok(side),
        _ => Err(format!("{name} is a number from 1 to {MAX_SIDE}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_is_asked_for() {
        let standard = Wanted {
            width: 200,
            height: 200,
            format: ImageFormat::Jpeg,
        };
        assert_eq!(Wanted::parse(""), Ok(standard));
        let all = Wanted {
            width: 64,
            height: 2000,
            format: ImageFormat::Png,
        };
        assert_eq!(Wanted::parse("width=64&height=2000&format=png"), Ok(all));
    }

    #[test]
    fn says_what_is_wrong() {
        for query in [
            "width=0",
            "width=2001",
            "height=",
            "height=-1",
            "format=gif",
            "size=3",
            "x",
        ] {
            Wanted::parse(query).unwrap_err();
        }
    }
}
