//! The life of a function.

use stoker_registry::{Author, Settings, Shift, Sticky, Store as _, StoreError, Traffic};

use crate::common::{Directory, new_revision, package, publish};

#[test]
fn revisions_are_numbered_and_traffic_moves() {
    let directory = Directory::new();
    let store = directory.store();
    assert_eq!(publish(&store, "f", 1), 1);
    assert_eq!(store.traffic("f").unwrap(), Traffic::all_to(1));
    let second = new_revision("f", 2, Shift::Percent(25.0));
    assert_eq!(store.publish(second).unwrap().number, 2);
    let traffic = store.traffic("f").unwrap();
    assert_eq!((traffic.percent(1), traffic.percent(2)), (75.0, 25.0));
    let third = store.publish(new_revision("f", 3, Shift::Nothing)).unwrap();
    assert_eq!((third.number, third.routed_ms), (3, None));
    assert_eq!(store.traffic("f").unwrap(), traffic);
    let numbers = store.revisions("f").unwrap();
    let numbers: Vec<u32> = numbers.iter().map(|it| it.number).collect();
    assert_eq!(numbers, [3, 2, 1]);
    assert_eq!(store.function("f").unwrap().unwrap().latest, 3);
}

#[test]
fn the_first_revision_gets_everything() {
    let directory = Directory::new();
    let store = directory.store();
    store.publish(new_revision("f", 1, Shift::Nothing)).unwrap();
    assert_eq!(store.traffic("f").unwrap(), Traffic::all_to(1));
}

#[test]
fn rolling_back_finds_the_one_that_served() {
    let directory = Directory::new();
    let store = directory.store();
    publish(&store, "f", 1);
    store.publish(new_revision("f", 2, Shift::Nothing)).unwrap();
    publish(&store, "f", 3);
    let sticky = Traffic {
        sticky: Some(Sticky::Cookie("c".to_owned())),
        ..Traffic::all_to(3)
    };
    assert!(store.set_traffic("f", &sticky, None).unwrap());
    // The second one never served.
    assert_eq!(store.roll_back("f", None).unwrap(), 1);
    let traffic = store.traffic("f").unwrap();
    assert_eq!(
        (traffic.primary(), &traffic.sticky),
        (Some(1), &sticky.sticky)
    );
    let error = store.roll_back("f", None).unwrap_err();
    assert!(matches!(error, StoreError::NothingBefore(_)), "{error}");
    assert_eq!(store.roll_back("f", Some(2)).unwrap(), 2);
    assert!(store.roll_back("f", Some(9)).is_err());
}

#[test]
fn traffic_changes_only_from_what_is_expected() {
    let directory = Directory::new();
    let store = directory.store();
    publish(&store, "f", 1);
    publish(&store, "f", 2);
    let (first, second) = (Traffic::all_to(1), Traffic::all_to(2));
    assert!(!store.set_traffic("f", &first, Some(&first)).unwrap());
    assert!(store.set_traffic("f", &first, Some(&second)).unwrap());
    assert_eq!(store.traffic("f").unwrap(), first);
    let unknown = store
        .set_traffic("f", &Traffic::all_to(3), None)
        .unwrap_err();
    assert!(
        matches!(unknown, StoreError::UnknownRevision(_, 3)),
        "{unknown}"
    );
}

#[test]
fn a_change_of_settings_is_a_revision() {
    let directory = Directory::new();
    let store = directory.store();
    let author = Author::named("test");
    let settings = |value: &str| Settings::from([("KEY".to_owned(), value.to_owned())]);
    assert_eq!(
        store.set_settings("f", &settings("a"), &author).unwrap(),
        None
    );
    let first = store.publish(new_revision("f", 1, Shift::All)).unwrap();
    assert_eq!(first.settings, settings("a"));
    store
        .publish(new_revision("f", 2, Shift::Percent(10.0)))
        .unwrap();
    let third = store
        .set_settings("f", &settings("b"), &author)
        .unwrap()
        .unwrap();
    assert_eq!((third.number, third.package), (3, package(1)));
    assert_eq!(
        (&third.settings, &third.manifest),
        (&settings("b"), &first.manifest)
    );
    let traffic = store.traffic("f").unwrap();
    assert_eq!((traffic.percent(3), traffic.percent(2)), (90.0, 10.0));
    assert_eq!(store.revision("f", 1).unwrap().settings, settings("a"));
}

#[test]
fn what_is_in_use_is_not_collected() {
    let directory = Directory::new();
    let store = directory.store();
    (1..=3).for_each(|seed| assert_eq!(publish(&store, "f", seed), u32::from(seed)));
    store.set_alias("f", "stable", 2).unwrap();
    for number in [2, 3] {
        let error = store.collect("f", number).unwrap_err();
        assert!(matches!(error, StoreError::InUse(_, _)), "{error}");
    }
    store.collect("f", 1).unwrap();
    assert!(store.collect("f", 1).is_err(), "it is collected already");
    assert!(store.revision("f", 1).unwrap().collected_ms.is_some());
    assert!(store.set_alias("f", "old", 1).is_err());
    assert!(store.roll_back("f", Some(1)).is_err());
    let packages = [package(2).digest, package(3).digest];
    assert_eq!(store.packages().unwrap(), packages);
    store.delete_alias("f", "stable").unwrap();
    store.collect("f", 2).unwrap();
    assert_eq!(store.packages().unwrap(), packages[1..]);
}

#[test]
fn numbers_are_never_given_twice() {
    let directory = Directory::new();
    let store = directory.store();
    publish(&store, "f", 1);
    publish(&store, "f", 2);
    store.delete_function("f").unwrap();
    assert!(store.delete_function("f").is_err());
    assert!(store.functions().unwrap().is_empty());
    assert!(store.packages().unwrap().is_empty());
    assert_eq!(publish(&store, "f", 3), 3);
    assert_eq!(store.traffic("f").unwrap(), Traffic::all_to(3));
}

#[test]
fn everything_is_there_when_it_is_opened_again() {
    let directory = Directory::new();
    let before = {
        let store = directory.store();
        publish(&store, "f", 1);
        store.set_alias("f", "stable", 1).unwrap();
        (store.generation().unwrap(), store.revisions("f").unwrap())
    };
    let store = directory.store();
    let after = (store.generation().unwrap(), store.revisions("f").unwrap());
    assert_eq!(before, after);
    assert_eq!(store.aliases("f").unwrap(), [("stable".to_owned(), 1)]);
}

#[test]
fn two_processes_share_it() {
    let directory = Directory::new();
    let (one, other) = (directory.store(), directory.store());
    let generation = other.generation().unwrap();
    publish(&one, "f", 1);
    assert!(other.generation().unwrap() > generation);
    assert_eq!(publish(&other, "f", 2), 2);
    assert_eq!(one.traffic("f").unwrap(), Traffic::all_to(2));
}
