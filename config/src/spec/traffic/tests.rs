use std::path::Path;

use super::*;
use crate::Changes;

fn spec() -> FunctionSpec {
    Changes::default().apply(None).unwrap()
}

fn deployment(weights: &[(u32, f64)]) -> Deployment {
    Deployment {
        function: spec().name,
        revisions: (1..=3).map(|n| DeployedRevision::new(n, spec())).collect(),
        traffic: TrafficSpec {
            weights: weights.to_vec(),
            ..TrafficSpec::default()
        },
        aliases: Vec::new(),
    }
}

fn refused(deployment: &Deployment) -> String {
    deployment.check().unwrap_err()
}

#[test]
fn the_same_code_is_another_revision_under_another_number() {
    let plain = spec();
    let first = DeployedRevision::new(1, plain.clone());
    let second = DeployedRevision::new(2, plain.clone());
    assert_ne!(first.spec.revision(), second.spec.revision());
    assert_ne!(first.spec.revision(), plain.revision());
    let moved = FunctionSpec {
        manifest: Path::new("/elsewhere/function.toml").to_owned(),
        ..plain
    };
    assert_eq!(
        DeployedRevision::new(1, moved).spec.revision(),
        first.spec.revision()
    );
}

#[test]
fn the_largest_share_is_primary_and_then_the_newest() {
    let number = |weights: &[(u32, f64)]| deployment(weights).primary().map(|it| it.number);
    assert_eq!(number(&[(1, 90.0), (2, 10.0)]), Some(1));
    assert_eq!(number(&[(1, 50.0), (2, 50.0)]), Some(2));
    assert_eq!(number(&[(1, 0.0), (2, 100.0)]), Some(2));
}

#[test]
fn a_deployment_whose_parts_do_not_belong_together_is_refused() {
    assert_eq!(deployment(&[(1, 90.0), (2, 10.0)]).check(), Ok(()));
    assert_eq!(
        deployment(&[(1, 33.3), (2, 33.3), (3, 33.4)]).check(),
        Ok(())
    );
    assert!(refused(&deployment(&[(1, 90.0)])).contains("sum up to 90"));
    assert!(refused(&deployment(&[])).contains("sum up to 0"));
    assert!(refused(&deployment(&[(1, f64::NAN)])).contains("expected 0 to 100"));
    assert!(refused(&deployment(&[(1, 110.0), (2, -10.0)])).contains("expected 0 to 100"));
    assert!(refused(&deployment(&[(1, 50.0), (1, 50.0)])).contains("two shares"));
    assert!(refused(&deployment(&[(4, 100.0)])).contains("revision 4 is not among"));

    let mut twice = deployment(&[(1, 100.0)]);
    twice.revisions.push(DeployedRevision::new(1, spec()));
    assert!(refused(&twice).contains("there twice"));
    let mut nameless = deployment(&[(1, 100.0)]);
    nameless.revisions[0].spec = Arc::new(spec());
    assert!(refused(&nameless).contains("has no number"));
    let mut alias = deployment(&[(1, 100.0)]);
    alias.aliases.push(("stable".into(), 9));
    assert!(refused(&alias).contains("revision 9"));
    let mut sticky = deployment(&[(1, 100.0)]);
    sticky.traffic.sticky = Some(Sticky::Cookie("a b".to_owned()));
    assert!(refused(&sticky).contains("expected a token"));
    let mut mirror = deployment(&[(1, 100.0)]);
    mirror.traffic.mirror = Some((2, 200.0));
    assert!(refused(&mirror).contains("revision 2"));
}
