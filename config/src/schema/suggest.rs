//! "Did you mean": the known name that an unknown one was probably meant to be.

use super::Name;

/// Shorter names are part of too many others to be told from them.
const SHORTEST_PART: usize = 4;

/// What to write instead of an unknown key of the section, in words, with all known keys if
/// nothing comes close.
pub(crate) fn suggestion(section: &str, unknown: &str, names: &[Name]) -> String {
    let here = || {
        names
            .iter()
            .filter(|(place, _)| *place == section)
            .map(|(_, key)| *key)
    };
    if let Some(near) = nearest(unknown, here()) {
        return format!("a known key; did you mean {near:?}?");
    }
    let elsewhere = names
        .iter()
        .find(|(place, key)| *key == unknown && *place != section);
    if let Some((place, key)) = elsewhere {
        return match *place {
            "" => format!("a known key; {key:?} belongs at the beginning of the file"),
            place => format!("a known key; {key:?} belongs in [{place}]"),
        };
    }
    format!("one of {}", here().collect::<Vec<_>>().join(", "))
}

fn nearest<'n>(unknown: &str, known: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    // A key from another system may be absurdly long; nothing is near it.
    if unknown.len() > 64 {
        return None;
    }
    let unknown = unknown.to_ascii_lowercase().replace('_', "-");
    known
        .filter_map(|name| {
            let distance = edit_distance(&unknown, name);
            let near = distance <= 1 + name.len() / 4;
            let part = unknown.len() >= SHORTEST_PART
                && name.len() >= SHORTEST_PART
                && (unknown.contains(name) || name.contains(unknown.as_str()));
            // A part of a name is a worse guess than a slip of the pen.
            if near {
                Some((distance, name))
            } else {
                part.then_some((100 + distance, name))
            }
        })
        .min()
        .map(|(_, name)| name)
}

/// Insertions, deletions and replacements of a character, and swaps of two neighbours, that make one
/// name of the other.
pub fn edit_distance(from: &str, to: &str) -> usize {
    let (from, to): (Vec<char>, Vec<char>) = (from.chars().collect(), to.chars().collect());
    let mut before = vec![0; to.len() + 1];
    let mut above: Vec<usize> = (0..=to.len()).collect();
    for i in 1..=from.len() {
        let mut row = vec![i; to.len() + 1];
        for j in 1..=to.len() {
            let replaced = above[j - 1] + usize::from(from[i - 1] != to[j - 1]);
            row[j] = replaced.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && from[i - 1] == to[j - 2] && from[i - 2] == to[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut above, row);
    }
    above[to.len()]
}
