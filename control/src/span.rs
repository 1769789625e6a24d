//! Times as people read them.

use std::time::Duration;

/// A time in two units at the most: `340ms`, `4.2s`, `5m12s`, `3h07m`, `2d4h`.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0 => format!("{}ms", time.as_millis()),
        1..10 => format!("{seconds}.{}s", time.subsec_millis() / 100),
        10..60 => format!("{seconds}s"),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..86_400 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// A time that came as seconds over the wire.
pub(crate) fn span_of(seconds: f64) -> String {
    span(Duration::try_from_secs_f64(seconds).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_short() {
        let span = |millis| span(Duration::from_millis(millis));
        assert_eq!(span(0), "0ms");
        assert_eq!(span(999), "999ms");
        assert_eq!(span(4_250), "4.2s");
        assert_eq!(span(59_900), "59s");
        assert_eq!(span(312_000), "5m12s");
        assert_eq!(span(3 * 3_600_000 + 7 * 60_000), "3h07m");
        assert_eq!(span(52 * 3_600_000), "2d4h");
        assert_eq!(span_of(-1.0), "0ms");
        assert_eq!(span_of(0.34), "340ms");
    }
}
