//! Ends of instances that no gateway was there to hear of: the next one reads them from a file, for
//! the spawner may be gone by then, too.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use stoker_core::InstanceId;

use super::protocol::Event;
use crate::Unheard;
use crate::clock::monotonic_nanos;
use crate::driver::Spent;

/// A function's name and a revision's.
pub(super) type Name = (Arc<str>, Arc<str>);

/// The file does not grow beyond this; what ends later is not in it.
const MOST_BYTES: u64 = 1 << 20;

/// Writes an end down. What cannot be written is not known later.
pub(super) fn note(state_dir: &Path, event: &Event, of: &Name) {
    let Event::Exited {
        id,
        spent: Some(spent),
        ..
    } = event
    else {
        return;
    };
    let file = path(state_dir);
    let is_full = fs::metadata(&file).is_ok_and(|it| it.len() >= MOST_BYTES);
    if is_full || fs::create_dir_all(state_dir.join("metering")).is_err() {
        return;
    }
    let (cpu, peak, now) = (spent.cpu_micros, spent.peak_kib, monotonic_nanos());
    let line = format!("{id} {cpu} {peak} {now} {} {}\n", of.0, of.1);
    let opened = File::options().append(true).create(true).open(file);
    opened
        .and_then(|mut file| file.write_all(line.as_bytes()))
        .ok();
}

/// What was written down, once.
pub(crate) fn take(state_dir: &Path) -> Vec<Unheard> {
    let file = path(state_dir);
    let text = fs::read_to_string(&file).unwrap_or_default();
    fs::remove_file(file).ok();
    text.lines().filter_map(parse).collect()
}

fn parse(line: &str) -> Option<Unheard> {
    let words: Vec<&str> = line.split(' ').collect();
    let [id, cpu, peak, at, function, revision] = words[..] else {
        return None;
    };
    Some(Unheard {
        id: InstanceId::from_raw(id.parse().ok()?),
        function: function.into(),
        revision: revision.into(),
        spent: Spent {
            cpu_micros: cpu.parse().ok()?,
            peak_kib: peak.parse().ok()?,
        },
        at_nanos: at.parse().ok()?,
    })
}

fn path(state_dir: &Path) -> PathBuf {
    state_dir.join("metering").join("unheard")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spawner::protocol::Ending;

    #[test]
    fn what_is_noted_is_taken_once() {
        let name = format!("stoker-unheard-{}", std::process::id());
        let state_dir = std::env::temp_dir().join(name);
        let spent = Spent {
            cpu_micros: 12,
            peak_kib: 34,
        };
        let name = (Arc::from("f"), Arc::from("r"));
        for (id, spent) in [(1, Some(spent)), (2, None), (3, Some(spent))] {
            let ending = Ending::Status(0);
            note(&state_dir, &Event::Exited { id, ending, spent }, &name);
        }
        let taken = take(&state_dir);
        let ids: Vec<u64> = taken.iter().map(|it| it.id.as_raw()).collect();
        assert_eq!(ids, [1, 3]);
        let right = |it: &Unheard| it.spent == spent && it.at_nanos > 0 && &*it.function == "f";
        assert!(taken.iter().all(right));
        assert!(take(&state_dir).is_empty());
        fs::remove_dir_all(state_dir).unwrap();
        assert_eq!(parse("1 2 3"), None);
        assert_eq!(parse("1 2 x 4 f r"), None);
    }
}
