//! Whether something comes at regular times.

use std::time::Duration;

/// Times that are remembered.
const MEMORY: usize = 8;
/// Times that must be known before the next one is foretold.
const ENOUGH: usize = 4;
/// Room for what a clock's resolution and the way of a request do, in seconds.
const MARGIN: f64 = 0.01;

/// The last few times between two uses, in seconds.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(in crate::policy) struct Rhythm {
    pub(super) recent: [f32; MEMORY],
    /// Ever noted, no more than twice the memory.
    pub(super) count: u8,
    /// What follows from them, which is asked for more often than they change.
    expected: Option<Expected>,
}

/// When the next use is foretold, in seconds since the last one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Expected {
    pub(super) earliest: f64,
    pub(super) latest: f64,
    pub(super) mean: f64,
    /// The chance that it comes outside of these times: with `n` times known, the next one is the
    /// smallest or largest of all with a chance of `2 / (n + 1)`, and half of those are within the
    /// margin.
    pub(super) miss: f64,
}

impl Rhythm {
    pub(super) fn note(&mut self, time: Duration) {
        self.recent[usize::from(self.count) % MEMORY] = time.as_secs_f32();
        self.count += 1;
        if usize::from(self.count) == 2 * MEMORY {
            self.count = MEMORY as u8;
        }
        self.foretell();
    }

    /// Between the shortest and the longest of the last times, and a bit more on both sides.
    pub(super) fn expected(&self) -> Option<Expected> {
        self.expected
    }

    /// Brings what is expected in line with the last times.
    pub(super) fn foretell(&mut self) {
        self.expected = self.next();
    }

    fn next(&self) -> Option<Expected> {
        let known = usize::from(self.count).min(MEMORY);
        if known < ENOUGH {
            return None;
        }
        let times = &self.recent[..known];
        let (mut shortest, mut longest) = (f32::INFINITY, 0.0_f32);
        for &time in times {
            shortest = if time < shortest { time } else { shortest };
            longest = if time > longest { time } else { longest };
        }
        let (shortest, longest) = (f64::from(shortest), f64::from(longest));
        // What varies by more than this costs as much to wait for as to keep.
        if longest > 2.0 * shortest {
            return None;
        }
        let sum: f64 = times.iter().map(|&time| f64::from(time)).sum();
        let margin = MARGIN + (longest - shortest) / 2.0;
        Some(Expected {
            earliest: (shortest - margin).max(0.0),
            latest: longest + margin,
            mean: sum / known as f64,
            miss: 1.0 / (known as f64 + 1.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(millis: &[u64]) -> Option<Expected> {
        let mut rhythm = Rhythm::default();
        for &time in millis {
            rhythm.note(Duration::from_millis(time));
        }
        rhythm.expected()
    }

    #[test]
    fn what_was_regular_is_expected_again() {
        let expected = after(&[60_000, 60_200, 59_800, 60_000]).unwrap();
        // Half of 0.4 s and 10 ms more on both sides.
        assert!((expected.earliest - 59.59).abs() < 1e-3, "{expected:?}");
        assert!((expected.latest - 60.41).abs() < 1e-3, "{expected:?}");
        assert!((expected.mean - 60.0).abs() < 1e-3 && expected.miss == 0.2);
    }

    #[test]
    fn too_few_times_and_irregular_ones_tell_nothing() {
        assert_eq!(after(&[60_000; 3]), None);
        assert_eq!(after(&[60_000, 25_000, 60_000, 60_000]), None);
        assert_eq!(after(&[]), None);
    }

    #[test]
    fn only_the_last_eight_times_count() {
        let mut times = vec![5_000; 40];
        times.extend([60_000; 8]);
        assert!(after(&times).unwrap().earliest > 59.0);
    }
}
