use std::time::{Duration, Instant};

use ratatui::Terminal;
use ratatui::backend::TestBackend;

use super::super::draw::draw;
use super::super::rows::tests::{sample, stats, summary};
use super::*;
use crate::wire::{DecisionInfo, Failure, InstanceInfo, StartInfo};

/// The lines of the picture, without blanks at their ends.
fn picture(model: &Model, width: u16, height: u16) -> Vec<String> {
    let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
    terminal.draw(|frame| draw(frame, model)).unwrap();
    let text = terminal.backend().to_string();
    let lines = text
        .lines()
        .map(|line| line.trim_matches('"').trim_end().to_owned());
    lines.collect()
}

fn press(model: &mut Model, keys: &str) -> Action {
    let mut last = Action::Draw;
    for character in keys.chars() {
        let code = match character {
            '\n' => KeyCode::Enter,
            '\u{1b}' => KeyCode::Esc,
            '\u{8}' => KeyCode::Backspace,
            _ => KeyCode::Char(character),
        };
        last = model.key(KeyEvent::new(code, KeyModifiers::NONE));
    }
    last
}

/// Two functions over two seconds.
fn model() -> Model {
    let mut model = Model::new(Sort::Requests);
    let at = Instant::now();
    model.take(Ok(sample(
        at,
        vec![stats("resize", "1", 0), stats("shop", "1", 0)],
    )));
    let mut now = sample(
        at + Duration::from_secs(2),
        vec![stats("resize", "1", 4), stats("shop", "1", 2468)],
    );
    now.stats.functions[0].from_gateway[4] = 2;
    now.functions[0].states.starting = 2;
    now.functions[0].states.aside = 1;
    now.functions[0].desired = 3;
    now.functions[0].waiting = 5;
    now.functions[1].in_flight = 12;
    model.take(Ok(now));
    model
}

#[test]
fn a_picture() {
    assert_eq!(
        picture(&model(), 118, 5),
        [
            "stoker top  2 functions  1237 req/s  1.0 err/s",
            "FUNCTION                 REQ/S  ERR/S    P50    P99 COLD/S  C-P50 FLIGHT   WAIT     INSTANCES TREND",
            "shop                      1234      0  1.5ms  2.0ms      0      -     12      0           1/1                        █",
            "resize                     3.0    1.0  1.5ms  2.0ms      0      -      0      5       1~1+2/3                        █",
            "order: requests  s order  / filter  Enter look closer  p pause  ? help  q quit",
        ]
    );
}

#[test]
fn the_filter_is_typed() {
    let mut model = model();
    press(&mut model, "/rezx\u{8}\u{8}s");
    assert!(picture(&model, 80, 4)[3].starts_with("/res_"));
    assert_eq!(model.rows.len(), 1);
    assert_eq!(
        press(&mut model, "q\u{8}\n"),
        Action::Draw,
        "a q in a filter is a letter"
    );
    assert_eq!((&*model.filter, model.typing), ("res", false));
    assert_eq!(model.current(), Some("resize"));
    press(&mut model, "\u{1b}");
    assert_eq!((model.rows.len(), &*model.filter), (2, ""));
}

#[test]
fn keys_move_order_pause_help_and_quit() {
    let mut model = model();
    assert_eq!(model.current(), Some("shop"));
    press(&mut model, "jj");
    assert_eq!(model.current(), Some("resize"));
    press(&mut model, "g");
    assert_eq!(model.cursor(), Some(0));
    press(&mut model, "8");
    assert_eq!(
        (model.sort, model.cursor()),
        (Sort::Name, Some(1)),
        "the cursor stays on its name"
    );
    press(&mut model, "s");
    assert_eq!(model.sort, Sort::Requests);
    press(&mut model, "p");
    model.take(Ok(sample(Instant::now(), Vec::new())));
    assert_eq!(model.rows.len(), 2, "a pause is a pause");
    press(&mut model, "?");
    assert!(
        picture(&model, 100, 20)
            .join("\n")
            .contains("keys and columns")
    );
    press(&mut model, "x");
    assert!(!model.help);
    assert_eq!(press(&mut model, "q"), Action::Quit);
    let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
    assert_eq!(model.key(control_c), Action::Quit);
}

#[test]
fn a_gateway_that_is_away_is_waited_for() {
    let mut model = model();
    model.take(Err("no gateway answers\u{1b}[2J".to_owned()));
    let first = &picture(&model, 118, 5)[0];
    assert!(
        first.ends_with("waiting for the gateway: no gateway answers?[2J"),
        "{first}"
    );
    assert!(
        picture(&model, 118, 5)[2].starts_with("shop"),
        "what was last known stays"
    );
    model.take(Ok(sample(Instant::now(), vec![stats("shop", "1", 3)])));
    assert!(!picture(&model, 118, 5)[0].contains("waiting"));
}

#[test]
fn a_function_is_looked_at_more_closely() {
    let mut model = model();
    assert_eq!(press(&mut model, "\n"), Action::Ask);
    assert_eq!(model.open.as_deref(), Some("shop"));
    assert!(
        picture(&model, 100, 8)
            .join("\n")
            .contains("waiting for the gateway")
    );
    let mut summary = summary("shop");
    summary.revision = "abc".to_owned();
    summary.last_failure = Some(Failure {
        kind: "exited".to_owned(),
        detail: "exit code 3".to_owned(),
        count: 2,
    });
    model.detail = Some(FunctionDetail {
        summary,
        manifest: "/f/function.toml".to_owned(),
        command: vec!["node".to_owned(), "main.mjs".to_owned()],
        routes: Vec::new(),
        instances: vec![InstanceInfo {
            id: "1-3".to_owned(),
            function: "shop".to_owned(),
            revision: "abc".to_owned(),
            state: "ready".to_owned(),
            pid: Some(4711),
            endpoint: None,
            age_seconds: 61.0,
            state_seconds: 60.0,
            idle_seconds: None,
            in_use: 2,
            served: 1000,
            start: Some(StartInfo {
                gate_ms: 0.0,
                prepare_ms: 1.0,
                spawn_ms: 2.0,
                listen_ms: 30.0,
                total_ms: 33.0,
                ..StartInfo::default()
            }),
            start_kind: None,
        }],
        oldest_wait_ms: None,
        backoff_ms: None,
        decision: Some(DecisionInfo {
            unclamped: 0,
            desired: 1,
            mode: "stable".to_owned(),
            clamp: String::new(),
            why: "one request".to_owned(),
        }),
    });
    let lines = picture(&model, 100, 14).join("\n");
    for part in [
        "revision abc  policy on-arrival",
        "command node main.mjs",
        "1234 req/s",
        "decision 1: one request",
        "2 starts failed: exit code 3",
        "1-3        ready     4711     1m01s   -       2       1000      33ms",
    ] {
        assert!(lines.contains(part), "{part}\n{lines}");
    }
    assert_eq!(press(&mut model, "\u{1b}"), Action::Ask);
    assert_eq!(model.open, None);
}

#[test]
fn a_small_terminal_is_no_reason_to_fail() {
    let mut model = model();
    for (width, height) in [(1, 1), (10, 2), (40, 3)] {
        picture(&model, width, height);
        press(&mut model, "?");
        picture(&model, width, height);
        press(&mut model, "x\n");
        picture(&model, width, height);
        press(&mut model, "\u{1b}");
    }
}
