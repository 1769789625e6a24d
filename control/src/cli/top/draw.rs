//! Drawing the model.

use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Cell, Clear, Paragraph, Row as Cells, Table, TableState, Wrap};

use super::super::output::span_of;
use super::model::{Model, TREND};
use super::rows::{Row, Sort};
use super::show::{printable, rate, time, trend};
use crate::wire::InstanceInfo;

const HELP: &str = "\
 up, down, j, k   move                g, G, Home, End   first, last
 Enter            look closer         Esc               back; clear the filter
 s, 1 to 8        order               /                 filter by name
 p, space         pause               q, Ctrl-C         quit

 REQ/S, ERR/S     requests and errors (5xx, broken off) per second
 P50, P99         warm requests, from the arrival to the first byte
 COLD             requests per second that waited for a start, and their median
 FLIGHT, WAIT     requests in instances, and waiting for one
 INSTANCES        ready ~set aside of them +starting (without room yet) -ending /wanted
 TREND            requests per second, scaled to their highest";

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let [head, body, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    frame.render_widget(heading(model), head);
    match &model.open {
        Some(name) => detail(frame, model, name, body),
        None => functions(frame, model, body),
    }
    frame.render_widget(footing(model), foot);
    if model.help {
        help(frame, body);
    }
}

fn heading(model: &Model) -> Line<'static> {
    let (requests, errors) = model.totals();
    let mut parts = vec![
        Span::styled("stoker top", Style::new().add_modifier(Modifier::BOLD)),
        Span::raw(format!(
            "  {} functions  {} req/s  ",
            model.count(),
            rate(requests)
        )),
        Span::styled(format!("{} err/s", rate(errors)), alarm(errors > 0.0)),
    ];
    if model.paused {
        parts.push(Span::styled("  paused", Style::new().fg(Color::Yellow)));
    }
    if let Some(trouble) = &model.trouble {
        let text = format!("  waiting for the gateway: {}", printable(trouble));
        parts.push(Span::styled(text, Style::new().fg(Color::Red)));
    }
    Line::from(parts)
}

fn footing(model: &Model) -> Line<'static> {
    let dim = Style::new().add_modifier(Modifier::DIM);
    if model.typing {
        return Line::raw(format!("/{}_", printable(&model.filter)));
    }
    let filter = match model.filter.is_empty() {
        true => String::new(),
        false => format!("  filter: {}", printable(&model.filter)),
    };
    let text = match model.open {
        Some(_) => "Esc back  p pause  ? help  q quit".to_owned(),
        None => format!(
            "order: {}{filter}  s order  / filter  Enter look closer  p pause  ? help  q quit",
            model.sort.name()
        ),
    };
    Line::styled(text, dim)
}

fn functions(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    if model.count() == 0 && model.trouble.is_none() {
        frame.render_widget(Paragraph::new("no functions"), area);
        return;
    }
    let columns: [(&str, u16, Option<Sort>); 11] = [
        ("FUNCTION", 16, Some(Sort::Name)),
        ("REQ/S", 6, Some(Sort::Requests)),
        ("ERR/S", 6, Some(Sort::Errors)),
        ("P50", 6, None),
        ("P99", 6, Some(Sort::Warm)),
        ("COLD/S", 6, None),
        ("C-P50", 6, Some(Sort::Cold)),
        ("FLIGHT", 6, Some(Sort::InFlight)),
        ("WAIT", 6, Some(Sort::Waiting)),
        ("INSTANCES", 13, Some(Sort::Instances)),
        ("TREND", TREND as u16, None),
    ];
    let widths = columns
        .iter()
        .enumerate()
        .map(|(at, (_, width, _))| match at {
            0 => Constraint::Min(*width),
            _ => Constraint::Length(*width),
        });
    let headings = columns.iter().enumerate().map(|(at, (name, width, sort))| {
        let by = Some(model.sort) == *sort;
        let style = match by {
            true => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
            false => Style::new().add_modifier(Modifier::BOLD),
        };
        let text = match at {
            0 | 10 => (*name).to_owned(),
            _ => format!("{name:>width$}", width = usize::from(*width)),
        };
        Cell::from(text).style(style)
    });
    let rows = model.rows.iter().map(|row| function(model, row));
    let table = Table::new(rows, widths)
        .header(Cells::new(headings))
        .column_spacing(1)
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED));
    let mut state = TableState::default().with_selected(model.cursor());
    frame.render_stateful_widget(table, area, &mut state);
}

fn function<'a>(model: &Model, row: &'a Row) -> Cells<'a> {
    let right = |text: String, width: usize| Cell::from(format!("{text:>width$}"));
    let failed = row.failure.is_some();
    Cells::new([
        Cell::from(&*row.name).style(alarm(failed)),
        right(rate(row.requests_per_second), 6),
        right(rate(row.errors_per_second), 6).style(alarm(row.errors_per_second > 0.0)),
        right(time(row.warm_p50_seconds), 6),
        right(time(row.warm_p99_seconds), 6),
        right(rate(row.cold_per_second), 6),
        right(time(row.cold_p50_seconds), 6),
        right(row.in_flight.to_string(), 6),
        right(row.waiting.to_string(), 6).style(warning(row.waiting > 0)),
        right(instances(row), 13),
        Cell::from(format!("{:>TREND$}", trend(model.trend(&row.name)))),
    ])
}

/// `3*2~1+5(2)-2/4`: ready, of them frozen, of them set aside or on trial, starting, of them waiting
/// for room, draining or stopping, wanted.
fn instances(row: &Row) -> String {
    let states = &row.states;
    let mut text = states.ready.to_string();
    if states.frozen > 0 {
        text.push_str(&format!("*{}", states.frozen));
    }
    if states.aside > 0 {
        text.push_str(&format!("~{}", states.aside));
    }
    if states.starting > 0 {
        text.push_str(&format!("+{}", states.starting));
    }
    if let Some(held) = &row.held_starts {
        text.push_str(&format!("({})", held.count));
    }
    let leaving = states.draining + states.stopping;
    if leaving > 0 {
        text.push_str(&format!("-{leaving}"));
    }
    text.push_str(&format!("/{}", row.desired));
    if row.scale_override.is_some() {
        text.push('!');
    }
    text
}

fn detail(frame: &mut Frame<'_>, model: &Model, name: &str, area: Rect) {
    let block = Block::bordered().title(format!(" {} ", printable(name)));
    let inside = block.inner(area);
    frame.render_widget(block, area);
    let Some(detail) = &model.detail else {
        frame.render_widget(Paragraph::new("waiting for the gateway"), inside);
        return;
    };
    let summary = &detail.summary;
    let mut lines = vec![
        format!(
            "revision {}  policy {}  concurrency {}  instances {} to {}",
            summary.revision,
            summary.policy,
            summary.concurrency,
            summary.min_scale,
            summary.max_scale
        ),
        format!("command {}", detail.command.join(" ")),
        format!("manifest {}", detail.manifest),
    ];
    if let Some(row) = model.rows.iter().find(|row| row.name == name) {
        lines.push(format!(
            "{} req/s  {} err/s  warm p50 {} p99 {}  cold {}/s p50 {}  {} in flight  {} waiting",
            rate(row.requests_per_second),
            rate(row.errors_per_second),
            time(row.warm_p50_seconds),
            time(row.warm_p99_seconds),
            rate(row.cold_per_second),
            time(row.cold_p50_seconds),
            row.in_flight,
            row.waiting
        ));
    }
    if let Some(held) = summary.scale_override {
        lines.push(format!("held at {held} by an operator"));
    }
    if let Some(held) = &summary.held_starts {
        let count = held.count;
        lines.push(format!("{count} starts wait for room: {}", held.reason));
    }
    if let Some(decision) = &detail.decision {
        lines.push(format!("decision {}: {}", decision.desired, decision.why));
    }
    if let Some(failure) = &summary.last_failure {
        lines.push(format!(
            "{} starts failed: {}",
            failure.count, failure.detail
        ));
    }
    let text: Vec<Line<'_>> = lines
        .iter()
        .map(|line| Line::raw(printable(line)))
        .collect();
    let head = Paragraph::new(text).wrap(Wrap { trim: false });
    // Words are not broken, so a long line may take one more than its length says.
    let width = usize::from(inside.width.max(1));
    let tall = |line: &String| match line.chars().count() {
        count if count <= width => 1,
        count => count.div_ceil(width) + 1,
    };
    let height = lines.iter().map(tall).sum::<usize>();
    let height = u16::try_from(height).unwrap_or(u16::MAX - 1);
    let [above, below] =
        Layout::vertical([Constraint::Length(height + 1), Constraint::Min(0)]).areas(inside);
    frame.render_widget(head, above);
    frame.render_widget(instance_table(&detail.instances), below);
}

fn instance_table(instances: &[InstanceInfo]) -> Table<'_> {
    let rows = instances.iter().map(|one| {
        Cells::new([
            one.id.clone(),
            one.state.clone(),
            one.pid
                .map_or_else(|| "-".to_owned(), |pid| pid.to_string()),
            span_of(one.age_seconds),
            one.idle_seconds.map_or_else(|| "-".to_owned(), span_of),
            one.in_use.to_string(),
            one.served.to_string(),
            one.start
                .map_or_else(|| "-".to_owned(), |start| time(Some(start.total_ms / 1e3))),
        ])
    });
    let headings = [
        "INSTANCE", "STATE", "PID", "AGE", "IDLE", "IN-USE", "SERVED", "START",
    ];
    Table::new(rows, [10, 9, 8, 7, 7, 7, 9, 7].map(Constraint::Length))
        .header(Cells::new(headings).style(Style::new().add_modifier(Modifier::BOLD)))
        .column_spacing(1)
}

fn help(frame: &mut Frame<'_>, area: Rect) {
    let height = u16::try_from(HELP.lines().count()).unwrap_or(u16::MAX);
    let place = Rect {
        x: area.x + area.width.saturating_sub(80) / 2,
        y: area.y + area.height.saturating_sub(height + 2) / 2,
        width: area.width.min(80),
        height: area.height.min(height + 2),
    };
    frame.render_widget(Clear, place);
    let block = Block::bordered().title(" keys and columns ");
    frame.render_widget(Paragraph::new(HELP).block(block), place);
}

fn alarm(on: bool) -> Style {
    match on {
        true => Style::new().fg(Color::Red),
        false => Style::new(),
    }
}

fn warning(on: bool) -> Style {
    match on {
        true => Style::new().fg(Color::Yellow),
        false => Style::new(),
    }
}
