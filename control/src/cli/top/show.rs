//! Numbers in few characters.

/// The heights of a trend.
const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// A rate per second in at most five characters; nothing if it is zero.
pub(super) fn rate(rate: f64) -> String {
    match rate {
        rate if rate <= 0.0 => "0".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate if rate < 9_999.5 => format!("{rate:.0}"),
        rate if rate < 99_950.0 => format!("{:.1}k", rate / 1e3),
        rate => format!("{:.0}k", rate / 1e3),
    }
}

/// A time in at most six characters, two digits or three; `-` if there is none.
pub(super) fn time(seconds: Option<f64>) -> String {
    match seconds {
        None => "-".to_owned(),
        Some(seconds) if seconds < 0.000_999_5 => format!("{:.0}µs", seconds * 1e6),
        Some(seconds) if seconds < 0.009_95 => format!("{:.1}ms", seconds * 1e3),
        Some(seconds) if seconds < 0.999_5 => format!("{:.0}ms", seconds * 1e3),
        Some(seconds) if seconds < 9.95 => format!("{seconds:.1}s"),
        Some(seconds) => format!("{seconds:.0}s"),
    }
}

/// Values as bars, the newest last, as high as the highest of them lets them be.
pub(super) fn trend(values: impl Iterator<Item = f64> + Clone) -> String {
    let highest = values.clone().fold(0.0, f64::max);
    let bar = |value: f64| match value {
        value if value <= 0.0 || highest <= 0.0 => ' ',
        value => BARS[((value / highest * 8.0).ceil() as usize).clamp(1, 8) - 1],
    };
    values.map(bar).collect()
}

/// Text that stays on its line and does not speak to the terminal.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let rates = [0.0, 0.04, 3.25, 9.96, 1234.0, 12_345.0, 123_456.0].map(rate);
        assert_eq!(rates, ["0", "0.0", "3.2", "10", "1234", "12.3k", "123k"]);
        let times = [0.000_05, 0.0015, 0.0999, 1.0, 12.4].map(|seconds| time(Some(seconds)));
        assert_eq!(times, ["50µs", "1.5ms", "100ms", "1.0s", "12s"]);
        assert_eq!(time(None), "-");
    }

    #[test]
    fn trends_fit_their_highest() {
        assert_eq!(trend([0.0, 1.0, 4.0, 8.0].into_iter()), " ▁▄█");
        assert_eq!(trend([0.0, 0.0].into_iter()), "  ");
    }
}
