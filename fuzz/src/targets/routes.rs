//! Patterns and what they match.

use stoker_config::{PathPattern, Segment};
use stoker_gateway::fuzzing::{decode, normalise, route};

/// A pattern that is read is written as it was.
pub(crate) fn pattern(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    if let Ok(pattern) = PathPattern::parse(&text) {
        assert_eq!(pattern.to_string(), text);
        assert_eq!(PathPattern::parse(&pattern.to_string()), Ok(pattern));
    }
}

/// The first line is a path, the others are patterns. The table finds one exactly if one matches,
/// and never one that does not.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut lines = text.lines();
    let Some(path) = lines.next().and_then(normalise) else {
        return;
    };
    let mut patterns: Vec<PathPattern> = Vec::new();
    for pattern in lines.filter_map(|line| PathPattern::parse(line).ok()) {
        // Two of the same shape are refused when they are read.
        if patterns
            .iter()
            .all(|other| other.shape() != pattern.shape())
        {
            patterns.push(pattern);
        }
    }
    // Below this, functions are found by their names.
    if path.starts_with("/function/") {
        route(&patterns, &path);
        return;
    }
    let matching = |pattern: &PathPattern| matches(&pattern.segments, Some(&path[1..]));
    match route(&patterns, &path) {
        None => assert!(!patterns.iter().any(matching), "{path} is not found"),
        Some((index, values)) => {
            let pattern = &patterns[index];
            assert!(matching(pattern), "{path} is not {pattern}");
            let named = |segment: &&Segment| !matches!(segment, Segment::Literal(_));
            let names = pattern.segments.iter().filter(named).count();
            assert_eq!(values.len(), names, "{path} and {pattern}");
        }
    }
}

/// Matches as the documentation has it, without a table.
fn matches(segments: &[Segment], rest: Option<&str>) -> bool {
    let Some((first, others)) = segments.split_first() else {
        return rest.is_none_or(str::is_empty);
    };
    if let Segment::Rest(_) = first {
        return true;
    }
    let Some(rest) = rest else {
        return false;
    };
    let (segment, after) = match rest.split_once('/') {
        Some((segment, after)) => (segment, Some(after)),
        None => (rest, None),
    };
    let fits = match first {
        Segment::Literal(text) => decode(segment).is_some_and(|name| name == text.as_bytes()),
        _ => !segment.is_empty(),
    };
    fits && matches(others, after)
}
