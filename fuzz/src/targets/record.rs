//! Files of the record.

use std::sync::Arc;

use stoker_scaler::fuzzing;
use stoker_scaler::record::{Chunk, Entry, What, trace};

/// Longer texts are cut when they are written.
const TEXT_BYTES: usize = 1024;

/// Entries are in order and no more than bytes, come out again as they were put in, and make a trace
/// in the order of arrivals.
pub(crate) fn run(data: &[u8]) {
    let chunks: Vec<Arc<Chunk>> = fuzzing::record(data).into_iter().map(Arc::new).collect();
    let mut requests = 0;
    let mut count = 0;
    for chunk in &chunks {
        let entries: Vec<Entry> = chunk.entries().collect();
        count += entries.len();
        requests += entries.iter().filter(|entry| is_request(entry)).count();
        assert!(entries.is_sorted_by_key(|entry| entry.at));
        if entries.iter().all(has_short_texts) {
            let again = Chunk::of(&chunk.function, &chunk.revision, chunk.first, &entries);
            // Not a number is not equal to itself.
            let again: Vec<Entry> = again.entries().collect();
            assert_eq!(format!("{again:?}"), format!("{entries:?}"));
        }
    }
    assert!(count <= data.len());
    assert_eq!(trace(chunks, 0).count(), requests);
}

fn is_request(entry: &Entry) -> bool {
    matches!(entry.what, What::Request(_) | What::Refused { .. })
}

fn has_short_texts(entry: &Entry) -> bool {
    match &entry.what {
        What::Decided(decided) => decided.clamp.len().max(decided.why.len()) <= TEXT_BYTES,
        _ => true,
    }
}
