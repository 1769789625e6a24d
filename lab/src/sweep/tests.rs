use super::*;

fn sweep(text: &str) -> Sweep {
    text.parse().unwrap()
}

fn written(sweep: &Sweep, points: &[Point]) -> Vec<String> {
    points.iter().map(|point| sweep.settings(point)).collect()
}

#[test]
fn wide_ranges_are_divided_by_factors_and_narrow_ones_evenly() {
    let sweep = sweep("idle=1s..10m");
    let first = Search::new(&sweep, 2).next(&[]);
    assert_eq!(
        written(&sweep, &first),
        ["idle=1s", "idle=4900ms", "idle=24s", "idle=2m", "idle=10m"]
    );
    let even: Sweep = "target=0.5..0.9".parse().unwrap();
    let first = Search::new(&even, 2).next(&[]);
    assert_eq!(
        written(&even, &first),
        [
            "target=0.5",
            "target=0.6",
            "target=0.7",
            "target=0.8",
            "target=0.9"
        ]
    );
}

#[test]
fn a_search_looks_beside_what_was_best_and_comes_to_its_end() {
    let sweep = sweep("idle=1s..10m,min-scale=0..2");
    let mut search = Search::new(&sweep, 2);
    let first = search.next(&[]);
    // Whole numbers that are written the same are tried once.
    assert_eq!(first.len(), 15);
    let best = vec![first[0].clone()];
    let second = search.next(&best);
    assert_eq!(written(&sweep, &second), ["idle=2200ms,min-scale=0"]);
    let third = search.next(&second);
    assert_eq!(third.len(), 2);
    assert!(search.next(&third).is_empty());
}

#[test]
fn short_times_and_narrow_ranges_stay_within_their_ends() {
    let short = sweep("idle=100us..900us");
    let all = Search::new(&short, 2).next(&[]);
    assert_eq!(
        written(&short, &all),
        [
            "idle=100us",
            "idle=170us",
            "idle=300us",
            "idle=520us",
            "idle=900us"
        ]
    );
    let narrow = sweep("target=99.61..99.63");
    let all = Search::new(&narrow, 2).next(&[]);
    assert_eq!(written(&narrow, &all), ["target=99.61", "target=99.63"]);
}

#[test]
fn lists_are_taken_as_they_are() {
    let sweep = sweep("policy=kpa|on-arrival, idle=10s");
    let all = Search::new(&sweep, 2).next(&[]);
    assert_eq!(
        written(&sweep, &all),
        ["policy=kpa,idle=10s", "policy=on-arrival,idle=10s"]
    );
}

#[test]
fn what_is_no_range_is_refused() {
    for (text, wanted) in [
        ("", "there is no range"),
        ("idle", "is no range"),
        ("idle=10m..1s", "is no range"),
        ("idel-timeout=1s..2s", "did you mean \"idle-timeout\"?"),
        (
            "idle=1s..2s,min-scale=0..9,max-scale=1..9,target=0.1..1",
            "has 625 combinations",
        ),
    ] {
        let refusal = text.parse::<Sweep>().unwrap_err();
        assert!(refusal.contains(wanted), "{refusal}");
    }
}
