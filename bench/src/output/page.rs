//! One HTML page of a report, which needs nothing but itself: no network, and JavaScript only for
//! readings under the pointer. It is well-formed XML too, so that it can be checked.

mod bars;
mod cdf;
mod sections;
mod timeline;

use crate::Report;
use crate::statistics::{self, Figure, Measure, estimate};
use stoker_show::STYLE;
use stoker_show::html::escape;
use stoker_show::text;

/// Series that have a colour of their own; others are in the tables only.
const COLOURS: usize = 8;

const SCRIPT: &str = include_str!("page/page.js");

/// The whole page. What came from outside is escaped.
pub fn render(report: &Report) -> String {
    let title = format!("stoker bench {}: {}", report.mode, report.url);
    let sections = [
        cards(report),
        cdf::section(report),
        sections::percentiles(report),
        bars::section(report),
        timeline::section(report),
        sections::faults(report),
        sections::extras(report),
        sections::notes(report),
        sections::conditions(report),
        sections::method().to_owned(),
    ];
    format!(
        "<!DOCTYPE html>\n<html xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\">\n<head>\n\
         <meta charset=\"utf-8\" />\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\" />\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'\" />\n\
         <meta name=\"color-scheme\" content=\"light dark\" />\n\
         <title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{}\n{}\n</main>\n\
         <script>\n//<![CDATA[\n{SCRIPT}//]]>\n</script>\n</body>\n</html>\n",
        escape(&title),
        heading(report),
        sections.concat()
    )
}

fn heading(report: &Report) -> String {
    let machine = &report.machine;
    let cpus = match machine.cpus {
        1 => "1 CPU".to_owned(),
        cpus => format!("{cpus} CPUs"),
    };
    let facts = [&report.begun, &cpus, &machine.cpu, &machine.system];
    let mut facts: Vec<String> = facts
        .iter()
        .filter(|fact| !fact.is_empty())
        .map(|fact| format!("<span>{}</span>", escape(fact)))
        .collect();
    if !machine.kernel.is_empty() {
        facts.push(format!("<span>Linux {}</span>", escape(&machine.kernel)));
    }
    format!(
        "<header>\n<p class=\"brand\">stoker bench</p>\n<h1><em>{}</em> {}</h1>\n\
         <p class=\"facts\">{}</p>\n</header>",
        escape(&report.mode),
        escape(&report.url),
        facts.join(" ")
    )
}

/// The figures that people ask for first.
fn cards(report: &Report) -> String {
    let mut cards = String::new();
    for (index, series) in report.series.iter().take(COLOURS).enumerate() {
        let figure = |figure: Figure| {
            let estimate = estimate(series, &Measure::FirstByte, figure);
            let shown = match estimate {
                Ok(estimate) => text::span(estimate.value),
                Err(_) => "–".to_owned(),
            };
            format!(
                "<div><dt>{}</dt><dd>{}</dd></div>",
                figure.name(),
                escape(&shown)
            )
        };
        let failed = statistics::failed(series);
        let class = if failed > 0 { " class=\"bad\"" } else { "" };
        cards.push_str(&format!(
            "<article class=\"card k{index}\"><h3>{}</h3><dl class=\"figures\">{}{}{}</dl>\
             <p>{} answered, <span{class}>{} failed</span></p></article>\n",
            escape(&series.name),
            figure(Figure::P50),
            figure(Figure::P99),
            figure(Figure::Max),
            text::count(statistics::answered(series)),
            text::count(failed),
        ));
    }
    format!("<section class=\"cards\" aria-label=\"Time to the first byte\">\n{cards}</section>\n")
}
