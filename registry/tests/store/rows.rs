//! Names, bounds, the audit log and what canaries remember.

use stoker_registry::{
    AuditEntry, NewRevision, Push, Shift, Store as _, StoreError, Traffic, Weight,
};

use crate::common::{Directory, new_revision, publish};

#[test]
fn what_is_not_allowed_is_refused() {
    let directory = Directory::new();
    let store = directory.store();
    publish(&store, "f", 1);
    for name in ["", "F", "1f", "a/b", "../x", &"a".repeat(64)] {
        let refused = store.publish(new_revision(name, 1, Shift::All));
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{name}");
    }
    for alias in ["latest", "r1", "r007", "", "A", "a:b"] {
        let refused = store.set_alias("f", alias, 1);
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{alias}");
    }
    for key in ["", "1A", "A-B", "A=B", "A\0"] {
        let settings = [(key.to_owned(), String::new())].into();
        let new = NewRevision {
            settings: Some(settings),
            ..new_revision("f", 1, Shift::All)
        };
        let refused = store.publish(new);
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{key}");
    }
    let percents = [
        &[90.0][..],
        &[50.0, 50.0],
        &[-1.0, 101.0],
        &[f64::NAN, 100.0],
    ];
    for percents in percents {
        let weights = percents.iter().map(|percent| Weight {
            revision: 1,
            percent: *percent,
        });
        let traffic = Traffic {
            weights: weights.collect(),
            ..Traffic::default()
        };
        let refused = store.set_traffic("f", &traffic, None);
        assert!(
            matches!(refused, Err(StoreError::Invalid(_))),
            "{percents:?}"
        );
    }
    assert_eq!(store.revisions("f").unwrap().len(), 1);
}

#[test]
fn what_is_not_there_is_said() {
    let directory = Directory::new();
    let store = directory.store();
    assert_eq!(store.function("f").unwrap(), None);
    assert!(store.settings("f").unwrap().is_empty());
    assert!(store.secrets("f").unwrap().is_empty());
    assert!(store.reveal_secrets("f").unwrap().is_empty());
    let unknown = [
        store.revisions("f").map(drop),
        store.revision("f", 1).map(drop),
        store.traffic("f").map(drop),
        store.aliases("f").map(drop),
        store.roll_back("f", None).map(drop),
        store.collect("f", 1),
        store.set_alias("f", "a", 1),
        store.delete_alias("f", "a"),
        store.delete_secret("f", "A"),
        store.set_canary("f", None),
    ];
    for (index, result) in unknown.into_iter().enumerate() {
        let error = result.unwrap_err();
        assert!(
            matches!(error, StoreError::UnknownFunction(_)),
            "{index}: {error}"
        );
    }
}

#[test]
fn only_the_newest_entries_are_kept() {
    let directory = Directory::new();
    let store = directory.store();
    let entry = |at_ms| AuditEntry {
        at_ms,
        who: "socket".to_owned(),
        role: "admin".to_owned(),
        method: "PUT".to_owned(),
        path: "/v1/functions/f".to_owned(),
        status: 201,
        what: "ä".repeat(2000),
    };
    (0..150).for_each(|at_ms| store.audit(&entry(at_ms)).unwrap());
    let log = store.audit_log(0, 1000).unwrap();
    assert_eq!(log.len(), 100);
    assert_eq!((log[0].id, log[0].entry.at_ms), (150, 149));
    assert_eq!(log[0].entry.what.len(), 1024);
    assert_eq!(store.audit_log(140, 5).unwrap().len(), 5);
    assert_eq!(store.audit_log(145, 100).unwrap().len(), 5);
}

#[test]
fn a_canary_is_remembered() {
    let directory = Directory::new();
    let store = directory.store();
    publish(&store, "f", 1);
    assert_eq!(store.canary("f").unwrap(), None);
    let generation = store.generation().unwrap();
    store.set_canary("f", Some("{}")).unwrap();
    store.set_canary("f", Some("[]")).unwrap();
    assert_eq!(
        store.canaries().unwrap(),
        [("f".to_owned(), "[]".to_owned())]
    );
    assert_eq!(store.generation().unwrap(), generation);
    store.set_canary("f", None).unwrap();
    assert_eq!(store.canary("f").unwrap(), None);
}

#[test]
fn pushes_are_remembered_until_newer_ones_push_them_out() {
    let directory = Directory::new();
    let store = directory.store();
    let push = |id: u32, is_over: bool, state: &str| Push {
        id: id.to_string(),
        function: "f".to_owned(),
        is_over,
        state: state.to_owned(),
    };
    assert_eq!(store.push(None).unwrap(), None);
    store.add_push(&push(0, false, "begun")).unwrap();
    assert!(store.add_push(&push(0, true, "twice")).is_err());
    assert!(store.set_push(&push(0, false, "goes on")).unwrap());
    assert_eq!(
        store.push(Some("0")).unwrap(),
        Some(push(0, false, "goes on"))
    );
    for id in 1..=150 {
        store.add_push(&push(id, false, "begun")).unwrap();
        assert!(store.set_push(&push(id, true, "over")).unwrap());
        assert!(!store.set_push(&push(id, true, "changed")).unwrap());
    }
    let all = directory.store().pushes().unwrap();
    assert_eq!(all.first(), Some(&push(150, true, "over")));
    assert_eq!(store.push(None).unwrap().as_ref(), all.first());
    assert_eq!(all.last(), Some(&push(0, false, "goes on")));
    assert!((100..=102).contains(&all.len()), "{}", all.len());
    for id in 151..=250 {
        store.add_push(&push(id, true, "over")).unwrap();
    }
    assert_eq!(store.push(Some("0")).unwrap(), None);
    let long = push(300, true, &"x".repeat(2 << 20));
    assert!(matches!(store.add_push(&long), Err(StoreError::Invalid(_))));
}

#[test]
fn a_database_of_an_older_program_is_brought_forward() {
    let directory = Directory::new();
    let file = directory.path().join("registry.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    let first = include_str!("../../src/sqlite/schema/1.sql");
    connection.execute_batch(first).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);
    let store = directory.store();
    publish(&store, "f", 1);
    assert!(store.pushes().unwrap().is_empty());
}

#[test]
fn a_database_of_a_newer_program_is_left_alone() {
    let directory = Directory::new();
    drop(directory.store());
    let file = directory.path().join("registry.db");
    let connection = rusqlite::Connection::open(&file).unwrap();
    connection.pragma_update(None, "user_version", 999).unwrap();
    drop(connection);
    let opened = stoker_registry::Sqlite::open(&file, &directory.path().join("key"), 1);
    assert!(matches!(opened, Err(StoreError::Newer(999, _))));
}
