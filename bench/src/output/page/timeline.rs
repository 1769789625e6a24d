//! Instances and requests over time.

use crate::Report;
use crate::report::Moment;
use stoker_show::chart::{Axis, Frame, linear};

/// Moments that are drawn; of more, the fullest of each group is.
const MAX_MOMENTS: usize = 600;

pub(super) fn section(report: &Report) -> String {
    if report.timeline.is_empty() {
        return String::new();
    }
    let moments = thinned(&report.timeline);
    let instances: [Layer; 4] = [
        (2, "ready", |moment| moment.ready),
        (4, "frozen", |moment| moment.frozen),
        (1, "starting", |moment| moment.starting),
        (7, "draining", |moment| moment.draining),
    ];
    let requests: [Layer; 2] = [
        (0, "in flight", |moment| moment.in_flight),
        (5, "waiting", |moment| moment.waiting),
    ];
    format!(
        "<section>\n<h2>Instances and requests over time</h2>\n{}{}</section>\n",
        chart("Instances", &moments, &instances),
        chart("Requests", &moments, &requests)
    )
}

/// A colour, a name and what it counts.
type Layer = (usize, &'static str, fn(&Moment) -> u32);

/// Groups of moments as the fullest of each, so that no peak is lost.
fn thinned(all: &[Moment]) -> Vec<Moment> {
    let size = all.len().div_ceil(MAX_MOMENTS).max(1);
    let full = |moment: &&Moment| {
        let counts = [
            moment.starting,
            moment.ready,
            moment.draining,
            moment.frozen,
            moment.waiting,
            moment.in_flight,
        ];
        counts.iter().map(|count| u64::from(*count)).sum::<u64>()
    };
    let groups = all.chunks(size);
    groups
        .filter_map(|group| group.iter().max_by_key(full).copied())
        .collect()
}

/// The layers on top of each other.
fn chart(title: &str, moments: &[Moment], layers: &[Layer]) -> String {
    let total = |moment: &Moment| layers.iter().map(|layer| f64::from(layer.2(moment))).sum();
    let most = moments.iter().map(total).fold(0.0, f64::max);
    let end_s = moments.last().map_or(0.0, |moment| moment.at_ms / 1e3);
    let seconds = linear(end_s, " s", "since the run began");
    let frame = Frame {
        width: 1100.0,
        height: 230.0,
        x: Axis {
            high: if end_s > 0.0 { end_s } else { 1.0 },
            ticks: seconds
                .ticks
                .into_iter()
                .filter(|tick| tick.0 <= end_s)
                .collect(),
            ..seconds
        },
        y: linear(most, "", ""),
    };
    let mut marks = String::new();
    let mut base = vec![0.0; moments.len()];
    for (colour, name, count) in layers {
        let top = moments.iter().zip(&base);
        let top: Vec<f64> = top
            .map(|(moment, base)| base + f64::from(count(moment)))
            .collect();
        if top != base {
            let path = area(&frame, moments, &base, &top);
            marks.push_str(&format!(
                "<path class=\"area k{colour}\" d=\"{path}\"><title>{name}</title></path>\n"
            ));
        }
        base = top;
    }
    let legend: Vec<String> = layers
        .iter()
        .map(|(colour, name, count)| {
            let most = moments.iter().map(count).max().unwrap_or(0);
            format!("<li class=\"k{colour}\">{name} <small>at most {most}</small></li>")
        })
        .collect();
    let svg = frame.render(title, "", &marks);
    format!(
        "<figure><h3>{title}</h3><ul class=\"legend\">{}</ul>{svg}</figure>\n",
        legend.concat()
    )
}

/// Each moment lasts until the next one. There is at least one.
fn area(frame: &Frame, moments: &[Moment], base: &[f64], top: &[f64]) -> String {
    let x: Vec<f64> = moments
        .iter()
        .map(|moment| frame.x(moment.at_ms / 1e3))
        .collect();
    let end = frame.y(base[base.len() - 1]);
    let mut path = format!("M{:.1} {:.1}", x[0], frame.y(top[0]));
    for (x, top) in x.iter().zip(top).skip(1) {
        path.push_str(&format!("H{x:.1}V{:.1}", frame.y(*top)));
    }
    path.push_str(&format!("V{end:.1}"));
    // And back along the base: from each moment's place on, the one before it counts.
    for (x, base) in x.iter().skip(1).zip(base).rev() {
        path.push_str(&format!("H{x:.1}V{:.1}", frame.y(*base)));
    }
    path.push_str(&format!("H{:.1}Z", x[0]));
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peaks_survive_thinning() {
        let mut all = vec![Moment::default(); 10_000];
        all[7321].waiting = 99;
        let thin = thinned(&all);
        assert!(thin.len() <= MAX_MOMENTS);
        assert_eq!(thin.iter().filter(|moment| moment.waiting == 99).count(), 1);
        assert_eq!(thinned(&all[..3]).len(), 3);
    }
}
