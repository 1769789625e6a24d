//! "Did you mean": names that an unknown one was probably meant to be.

use stoker_config::edit_distance;

/// More would be a list, not a hint.
const SHOWN: usize = 3;
/// Nothing is near a name longer than any name may be.
const LONGEST: usize = 64;

/// The names nearest to `unknown`, the nearest first.
pub(crate) fn near<'n>(unknown: &str, known: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    if unknown.is_empty() || unknown.len() > LONGEST {
        return Vec::new();
    }
    let unknown = unknown.to_ascii_lowercase().replace('_', "-");
    let mut found: Vec<(usize, &str)> = known
        .filter_map(|name| {
            let distance = edit_distance(&unknown, name);
            let slip = distance <= 1 + unknown.len() / 4;
            // Part of a name is a worse guess than a slip of the pen.
            let part = unknown.len() >= 3 && name.contains(unknown.as_str());
            match (slip, part) {
                (true, _) => Some((distance, name)),
                (false, true) => Some((LONGEST + distance, name)),
                (false, false) => None,
            }
        })
        .collect();
    found.sort_unstable();
    found.truncate(SHOWN);
    found.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::near;

    #[test]
    fn finds_slips_before_parts() {
        let known = ["hello", "help", "hello-world", "resize", "resize-image"];
        let near = |name| near(name, known.into_iter());
        assert_eq!(near("helo"), ["hello", "help"]);
        assert_eq!(near("HELLO"), ["hello", "help", "hello-world"]);
        assert_eq!(near("ehllo"), ["hello"]);
        assert_eq!(near("resize_imgae"), ["resize-image"]);
        assert_eq!(near("image"), ["resize-image"]);
    }

    #[test]
    fn finds_nothing_where_nothing_is_near() {
        assert!(near("", ["hello"].into_iter()).is_empty());
        assert!(near("zzzzzz", ["hello"].into_iter()).is_empty());
        assert!(near(&"x".repeat(100), ["x"].into_iter()).is_empty());
    }
}
