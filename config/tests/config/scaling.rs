//! Policies and schedules.

use std::time::{Duration, SystemTime};

use stoker_core::Policy;

use crate::tree::{Tree, one, wrong};

fn with(more: &str) -> stoker_config::FunctionSpec {
    one(&format!("command = [\"x\"]\n[scaling]\n{more}"))
}

fn wrong_with(more: &str) -> Vec<String> {
    wrong(&format!("command = [\"x\"]\n[scaling]\n{more}"))
}

#[test]
fn a_policy_is_called_as_it_calls_itself() {
    for policy in Policy::ALL {
        let found = with(&format!("policy = \"{}\"", policy.name()));
        assert_eq!(found.scaling.policy, policy);
    }
    assert_eq!(with("policy = \"fixed\"").scaling.policy, Policy::OnArrival);
    let range = with("policy = \"histogram\"\nhistogram-range = \"1h\"").scaling;
    assert_eq!(range.histogram_range, Duration::from_secs(3_600));
}

#[test]
fn a_schedule_goes_with_every_policy_and_changes_no_revision() {
    let window = "[[scaling.schedule]]\nfrom = \"0 0 * * *\"\nto = \"0 0 * * *\"\nmin-scale = 3";
    let tree = Tree::new();
    let load = |text: &str| {
        let file = tree.function("one", &format!("command = [\"x\"]\n{text}"));
        stoker_config::load_function(&file).unwrap()
    };
    let (plain, scheduled) = (load(""), load(window));
    assert_eq!(plain.revision(), scheduled.revision());
    assert_eq!(plain.scaling, scheduled.scaling);
    assert!(plain.schedule.is_empty());
    let changes = scheduled.schedule.changes(SystemTime::now(), 4);
    assert_eq!(changes.len(), 1);
    assert_eq!(changes[0].min_scale, 3);
}

#[test]
fn every_mistake_in_a_schedule_is_told() {
    let text = "max-scale = 2\n[[scaling.schedule]]\nfrom = \"0 8 * *\"\nto = \"0 0 30 2 *\"\n\
        time-zone = \"Europe/Bern\"\nmin-scale = 3\n[[scaling.schedule]]\nfrom = \"0 8 * * *\"";
    let told = wrong_with(text);
    let wanted = [
        "scaling.schedule[0].from: got \"0 8 * *\", expected five fields as in crontab",
        "scaling.schedule[0].to: got \"0 0 30 2 *\", expected five fields as in crontab",
        "scaling.schedule[0].time-zone: got \"Europe/Bern\", expected a time zone's name",
        "scaling.schedule[0].min-scale: got 3, expected no more than scaling.max-scale, which is 2",
        "scaling.schedule[1].to: got nothing, expected five fields",
        "scaling.schedule[1].min-scale: got nothing",
    ];
    for wanted in wanted {
        assert!(
            told.iter().any(|it| it.contains(wanted)),
            "{wanted}: {told:#?}"
        );
    }
    let many = "[[scaling.schedule]]\nfrom = \"0 8 * * *\"\nto = \"0 9 * * *\"\nmin-scale = 1\n";
    let told = wrong_with(&many.repeat(33));
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].contains("no more than 32 tables"), "{told:#?}");
}
