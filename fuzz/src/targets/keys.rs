//! The file of keys, and keys as callers present them.

use std::collections::BTreeSet;

use ring::digest::{SHA256, digest};
use serde_json::Value;
use stoker_gateway::KeyScope;
use stoker_gateway::fuzzing::KeyFile;

/// A time between those of the corpus, in seconds since 1970.
const NOW: u64 = 1_800_000_000;
/// `stk_`, 16 digits, `_`, 64 digits.
const KEY_BYTES: usize = 85;

/// The first line is presented, the rest is the file. A file is taken whole or not at all, is
/// written as it was read, and opens to nobody but who has a key whose hash is in it.
pub(crate) fn run(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (presented, file) = text.split_once('\n').unwrap_or((&text, ""));
    let Some(keys) = KeyFile::parse(file) else {
        return;
    };
    let written = keys.encode().expect("it can be written");
    let again = KeyFile::parse(&written).expect("what was written can be read");
    assert_eq!(again.encode(), Some(written));
    assert_eq!(again.keys(), keys.keys());

    let value: Value = serde_json::from_str(file).expect("a file that is taken is JSON");
    let records = value["keys"].as_array().expect("it has keys");
    assert_eq!(
        (&value["version"], records.len()),
        (&Value::from(1), keys.keys().len())
    );
    let ids: BTreeSet<String> = keys.keys().into_iter().map(|key| key.id).collect();
    assert_eq!(ids.len(), records.len(), "an id is there twice");
    for now in [0, NOW, u64::MAX] {
        let expected = records.iter().find(|record| opens(record, presented, now));
        let found = keys.opens(presented, now);
        assert_eq!(found, expected.map(scope), "{presented:?} at {now}");
        assert_eq!(again.opens(presented, now), found);
    }
}

fn opens(record: &Value, presented: &str, now: u64) -> bool {
    let hash = digest(&SHA256, presented.as_bytes());
    let hash: String = hash
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let known = record["sha256"].as_str().unwrap_or_default();
    presented.len() == KEY_BYTES
        && presented.get(4..20) == record["id"].as_str()
        && known.eq_ignore_ascii_case(&hash)
        && record["expires"]
            .as_u64()
            .is_none_or(|expires| now < expires)
}

fn scope(record: &Value) -> KeyScope {
    match record["scope"].as_str() {
        Some("master") => KeyScope::Master,
        Some("host") => KeyScope::Host,
        _ => KeyScope::Function(record["function"].as_str().unwrap_or_default().into()),
    }
}
