//! How long programs stood still for want of memory, as the kernel tells (Pressure Stall Information,
//! Linux Documentation/accounting/psi.rst).

use std::fs;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Of the whole machine, since Linux 4.20.
const FILE: &str = "/proc/pressure/memory";

/// Looks again and again. Between two looks the kernel's total is counted, not its averages, which go
/// on for long after the pressure has ended.
#[derive(Debug)]
pub(super) struct StallWatch {
    file: PathBuf,
    /// When it was looked last, and the total then.
    last: Option<(Instant, Duration)>,
}

impl StallWatch {
    pub(super) fn new() -> StallWatch {
        StallWatch::of(FILE.into())
    }

    fn of(file: PathBuf) -> StallWatch {
        StallWatch { file, last: None }
    }

    /// The part of the time since the look before in which at least one program stood still for
    /// memory, in percent from 0 to 100. None for the first look, and where the kernel tells nothing.
    pub(super) fn look(&mut self, now: Instant) -> Option<f64> {
        let text = fs::read_to_string(&self.file).ok();
        let total = text.as_deref().and_then(total);
        let before = self.last.take();
        self.last = total.map(|total| (now, total));
        let ((then, before), total) = (before?, total?);
        let passed = now.saturating_duration_since(then).as_secs_f64();
        let stalled = total.saturating_sub(before).as_secs_f64();
        (passed > 0.0).then(|| (stalled / passed * 100.0).min(100.0))
    }
}

/// `total` of the line `some`, in microseconds there.
fn total(text: &str) -> Option<Duration> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    let total = some
        .split_whitespace()
        .find_map(|word| word.strip_prefix("total="))?;
    total.parse().ok().map(Duration::from_micros)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_total_between_two_looks_counts() {
        let file = std::env::temp_dir().join(format!("stoker-psi-{}", std::process::id()));
        let say = |micros: u64| {
            let text = format!(
                "some avg10=99.00 avg60=9.00 avg300=0.00 total={micros}\n\
                 full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n"
            );
            fs::write(&file, text).unwrap();
        };
        let mut watch = StallWatch::of(file.clone());
        let begin = Instant::now();
        let at = |millis: u64| begin + Duration::from_millis(millis);
        assert_eq!(watch.look(at(0)), None, "there is no file");
        say(1_000_000);
        assert_eq!(watch.look(at(0)), None, "it is the first look");
        assert_eq!(watch.look(at(1000)), Some(0.0));
        say(1_250_000);
        assert_eq!(watch.look(at(2000)), Some(25.0));
        assert_eq!(watch.look(at(2000)), None, "no time has passed");
        say(9_000_000);
        assert_eq!(watch.look(at(3000)), Some(100.0), "never more");
        say(0);
        assert_eq!(watch.look(at(4000)), Some(0.0), "never less");
        fs::write(&file, "nothing\n").unwrap();
        assert_eq!(watch.look(at(6000)), None);
        fs::remove_file(&file).unwrap();
    }

    /// Where this kernel tells it, that is understood.
    #[test]
    fn the_kernels_own_words() {
        let Ok(text) = fs::read_to_string(FILE) else {
            return;
        };
        assert!(total(&text).is_some(), "{text}");
    }
}
