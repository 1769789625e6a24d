//! The frame of a chart: axes, grid and their words.

use std::fmt::Write;

use crate::html::escape;

const LEFT: f64 = 58.0;
/// Half of the last number below is there.
const RIGHT: f64 = 26.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 42.0;

/// A place on an axis and what is written there; an empty text is a line of the grid only.
pub type Tick = (f64, String);

/// One axis, from its lower to its higher end, which are not equal.
pub struct Axis {
    /// Its lower end.
    pub low: f64,
    /// Its higher end.
    pub high: f64,
    /// Where there are lines.
    pub ticks: Vec<Tick>,
    /// What it is of.
    pub label: &'static str,
}

/// An empty chart, in units of its own that the page scales.
pub struct Frame {
    /// With the words at its left.
    pub width: f64,
    /// With the words below it.
    pub height: f64,
    /// To the right.
    pub x: Axis,
    /// Upwards.
    pub y: Axis,
}

impl Frame {
    /// Where a value of the x axis is, within the chart.
    pub fn x(&self, value: f64) -> f64 {
        let share = (value - self.x.low) / (self.x.high - self.x.low);
        LEFT + share.clamp(0.0, 1.0) * (self.width - LEFT - RIGHT)
    }

    /// Where a value of the y axis is, within the chart.
    pub fn y(&self, value: f64) -> f64 {
        let share = (value - self.y.low) / (self.y.high - self.y.low);
        self.height - BOTTOM - share.clamp(0.0, 1.0) * (self.height - TOP - BOTTOM)
    }

    /// The chart with `marks` on it. `attributes` go to the element as they are.
    pub fn render(&self, title: &str, attributes: &str, marks: &str) -> String {
        let (left, right) = (LEFT, self.width - RIGHT);
        let (top, bottom) = (TOP, self.height - BOTTOM);
        let mut svg = format!(
            "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\" \
             data-box=\"{left} {top} {right} {bottom}\" data-x=\"{:.5} {:.5}\" {attributes}>\n",
            self.width,
            self.height,
            escape(title),
            self.x.low,
            self.x.high
        );
        for (value, text) in &self.x.ticks {
            let x = self.x(*value);
            line(&mut svg, "grid", [x, top, x, bottom]);
            label(&mut svg, "middle", [x, bottom + 16.0], text);
        }
        for (value, text) in &self.y.ticks {
            let y = self.y(*value);
            line(&mut svg, "grid", [left, y, right, y]);
            label(&mut svg, "end", [left - 7.0, y + 4.0], text);
        }
        svg.push_str(marks);
        line(&mut svg, "axis", [left, bottom, right, bottom]);
        label(&mut svg, "end", [right, self.height - 6.0], self.x.label);
        label(&mut svg, "start", [4.0, self.height - 6.0], self.y.label);
        svg.push_str("</svg>\n");
        svg
    }
}

fn line(svg: &mut String, class: &str, [x1, y1, x2, y2]: [f64; 4]) {
    writeln!(
        svg,
        "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" />"
    )
    .expect("a string takes all");
}

fn label(svg: &mut String, anchor: &str, [x, y]: [f64; 2], text: &str) {
    if text.is_empty() {
        return;
    }
    writeln!(
        svg,
        "<text text-anchor=\"{anchor}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>",
        escape(text)
    )
    .expect("a string takes all");
}

/// An axis of the logarithm of nanoseconds round what is between these, with 1, 2 and 5 of every
/// decade where there is room.
pub fn log_time(low_ns: f64, high_ns: f64, label: &'static str) -> Axis {
    let low = low_ns.max(1.0).log10();
    let high = high_ns.max(1.0).log10();
    let margin = ((high - low) * 0.03).max(0.02);
    let (low, high) = (low - margin, high + margin);
    let steps: &[f64] = match high - low {
        decades if decades > 4.0 => &[1.0],
        decades if decades > 2.2 => &[1.0, 3.0],
        decades if decades > 0.7 => &[1.0, 2.0, 5.0],
        _ => &[1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0],
    };
    let decades = low.floor() as i32..=high.ceil() as i32;
    let all = decades.flat_map(|decade| steps.iter().map(move |step| step * 10_f64.powi(decade)));
    let within = all.filter(|ns| (low..=high).contains(&ns.log10()));
    Axis {
        ticks: within.map(|ns| (ns.log10(), round_time(ns))).collect(),
        low,
        high,
        label,
    }
}

/// An axis from 0 to at least `most`, in round steps.
pub fn linear(most: f64, unit: &str, label: &'static str) -> Axis {
    let most = if most > 0.0 { most } else { 1.0 };
    let rough = most / 5.0;
    let decade = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * decade);
    let step = step
        .into_iter()
        .find(|step| *step >= rough)
        .unwrap_or(rough);
    let count = (most / step).ceil() as usize;
    let ticks = (0..=count).map(|index| {
        let value = index as f64 * step;
        let rounded = (value * 1e6).round() / 1e6;
        (value, format!("{}{unit}", grouped(rounded)))
    });
    Axis {
        low: 0.0,
        high: count as f64 * step,
        ticks: ticks.collect(),
        label,
    }
}

/// With commas between thousands: `400,000`.
fn grouped(value: f64) -> String {
    match value >= 10_000.0 {
        true => crate::text::count(value as u64),
        false => value.to_string(),
    }
}

/// A round number of a unit: `500 µs`.
fn round_time(ns: f64) -> String {
    let (value, unit) = match ns {
        ns if ns < 999.0 => (ns, "ns"),
        ns if ns < 999e3 => (ns / 1e3, "µs"),
        ns if ns < 999e6 => (ns / 1e6, "ms"),
        _ => (ns / 1e9, "s"),
    };
    format!("{} {unit}", (value * 1e3).round() / 1e3)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(axis: &Axis) -> Vec<&str> {
        axis.ticks.iter().map(|tick| tick.1.as_str()).collect()
    }

    #[test]
    fn axes_have_round_ticks() {
        let axis = log_time(300e3, 20e6, "");
        assert_eq!(
            words(&axis),
            ["500 µs", "1 ms", "2 ms", "5 ms", "10 ms", "20 ms"]
        );
        let wide = log_time(1e3, 10e9, "");
        assert_eq!(words(&wide).first(), Some(&"1 µs"));
        assert_eq!(
            words(&linear(47.0, "", "")),
            ["0", "10", "20", "30", "40", "50"]
        );
        assert_eq!(words(&linear(10e3, "", "")).last(), Some(&"10,000"));
        assert_eq!(
            words(&linear(0.9, " s", "")),
            ["0 s", "0.2 s", "0.4 s", "0.6 s", "0.8 s", "1 s"]
        );
    }

    /// Nothing, one value and nonsense still have an axis.
    #[test]
    fn axes_are_never_empty() {
        for axis in [
            log_time(0.0, 0.0, ""),
            log_time(5e5, 5e5, ""),
            linear(0.0, "", ""),
        ] {
            assert!(axis.high > axis.low);
        }
    }
}
