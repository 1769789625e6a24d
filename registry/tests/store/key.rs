//! Secrets and the key that seals them.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

use stoker_registry::{Author, Place, SecretValue, Sqlite, Store as _, StoreError};

use crate::common::{Directory, publish};

const VALUE: &str = "correct horse battery staple";

fn set(store: &Sqlite, function: &str, key: &str, value: &str) {
    let secret = (key, Place::Environment, &SecretValue::new(value.to_owned()));
    store
        .set_secret(function, secret, &Author::named("test"))
        .expect("a secret");
}

#[test]
fn secrets_come_back_and_are_nowhere_in_the_files() {
    let directory = Directory::new();
    let store = directory.store();
    set(&store, "f", "TOKEN", "first");
    set(&store, "f", "TOKEN", VALUE);
    set(&store, "f", "A", "");
    let info = store.secrets("f").unwrap();
    assert_eq!((info[1].key.as_str(), info[1].version), ("TOKEN", 2));
    let secrets = store.reveal_secrets("f").unwrap();
    assert_eq!(secrets[1].value.reveal(), VALUE);
    assert!(!format!("{secrets:?}").contains("horse"));
    drop(store);
    let mode = fs::metadata(directory.path().join("secrets.key")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    for entry in fs::read_dir(directory.path()).unwrap() {
        let bytes = fs::read(entry.unwrap().path()).unwrap();
        let found = bytes.windows(5).any(|window| window == b"horse");
        assert!(!found);
    }
    let store = directory.store();
    assert_eq!(store.reveal_secrets("f").unwrap()[1].value.reveal(), VALUE);
    store.delete_secret("f", "TOKEN").unwrap();
    assert!(store.delete_secret("f", "TOKEN").is_err());
    assert_eq!(store.secrets("f").unwrap().len(), 1);
}

#[test]
fn no_key_is_made_before_there_is_a_secret() {
    let directory = Directory::new();
    publish(&directory.store(), "f", 1);
    assert!(!directory.path().join("secrets.key").exists());
}

#[test]
fn another_key_opens_nothing_and_says_so() {
    let directory = Directory::new();
    set(&directory.store(), "f", "TOKEN", VALUE);
    let file = directory.path().join("secrets.key");
    fs::write(&file, [7; 32]).unwrap();
    let error = directory.store().reveal_secrets("f").unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("TOKEN") && said.contains("secrets.key"),
        "{said}"
    );
    fs::write(&file, "short").unwrap();
    let said = directory
        .store()
        .reveal_secrets("f")
        .unwrap_err()
        .to_string();
    assert!(said.contains("32 bytes"), "{said}");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let said = directory
        .store()
        .reveal_secrets("f")
        .unwrap_err()
        .to_string();
    assert!(said.contains("0600"), "{said}");
}

#[test]
fn a_lost_key_is_not_replaced() {
    let directory = Directory::new();
    set(&directory.store(), "f", "TOKEN", VALUE);
    let file = directory.path().join("secrets.key");
    fs::remove_file(&file).unwrap();
    let store = directory.store();
    let secret = ("OTHER", Place::File, &SecretValue::new("x".to_owned()));
    let refused = store.set_secret("f", secret, &Author::default());
    assert!(matches!(refused, Err(StoreError::Key(_))));
    assert!(!file.exists());
}

/// What is copied to another row of the database is worthless there.
#[test]
fn a_secret_is_bound_to_its_place() {
    let directory = Directory::new();
    let store = directory.store();
    set(&store, "f", "TOKEN", VALUE);
    set(&store, "g", "TOKEN", "other");
    drop(store);
    let connection = rusqlite::Connection::open(directory.path().join("registry.db")).unwrap();
    let sql = "UPDATE secrets SET sealed = (SELECT sealed FROM secrets WHERE function = 'f') \
        WHERE function = 'g'";
    connection.execute(sql, ()).unwrap();
    drop(connection);
    let store = directory.store();
    assert!(store.reveal_secrets("f").is_ok());
    assert!(matches!(store.reveal_secrets("g"), Err(StoreError::Key(_))));
}
