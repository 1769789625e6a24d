use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

const HOUR: Duration = Duration::from_secs(3600);

/// A directory with a store, removed when this is dropped.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("stoker-keys-{}-{count}", std::process::id());
        Place(std::env::temp_dir().join(name))
    }

    fn store(&self) -> KeyStore {
        let store = KeyStore::new(&self.0);
        store.load().unwrap();
        store
    }

    fn file(&self) -> PathBuf {
        self.0.join(FILE)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn function(name: &str) -> KeyScope {
    KeyScope::Function(name.into())
}

fn scope_of(store: &KeyStore, key: &str) -> Option<KeyScope> {
    match store.check(key) {
        KeyMatch::Valid { scope, .. } => Some(scope),
        KeyMatch::None => None,
    }
}

#[test]
fn a_key_is_shown_once_and_kept_hashed() {
    let place = Place::new();
    let store = place.store();
    let key = store.create(function("f"), "ci", None, 10).unwrap();
    assert!(key.secret.starts_with(&format!("stk_{}_", key.info.id)));
    assert_eq!(key.secret.len(), 85);
    assert!(!format!("{key:?}").contains(&key.secret));
    assert_eq!(scope_of(&store, &key.secret), Some(function("f")));
    assert_eq!(store.list().unwrap(), std::slice::from_ref(&key.info));
    let text = fs::read_to_string(place.file()).unwrap();
    assert!(
        text.contains(&key.info.id) && !text.contains(&key.secret[21..]),
        "{text}"
    );
    let mode = fs::metadata(place.file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    // The next gateway knows it.
    assert_eq!(scope_of(&place.store(), &key.secret), Some(function("f")));
    let other = store.create(function("f"), "other", None, 10).unwrap();
    assert_ne!(key.secret[4..], other.secret[4..]);
}

#[test]
fn nothing_but_the_key_is_the_key() {
    let place = Place::new();
    let store = place.store();
    let key = store
        .create(KeyScope::Master, "m", None, 10)
        .unwrap()
        .secret;
    for index in 0..key.len() {
        let mut wrong = key.clone().into_bytes();
        wrong[index] = if wrong[index] == b'0' { b'1' } else { b'0' };
        let wrong = String::from_utf8(wrong).unwrap();
        assert_eq!(store.check(&wrong), KeyMatch::None, "{index}");
    }
    for wrong in [
        "",
        "stk_",
        &key[..84],
        &format!("{key}0"),
        &key.to_uppercase(),
        &"é".repeat(43),
    ] {
        assert_eq!(store.check(wrong), KeyMatch::None, "{wrong}");
    }
}

#[test]
fn a_rotation_has_two_valid_keys() {
    let place = Place::new();
    let store = place.store();
    let old = store
        .create(KeyScope::Host, "ci", Some(5 * HOUR), 10)
        .unwrap();
    let new = store.rotate(&old.info.id, HOUR, 10).unwrap();
    assert_eq!(new.info.name, "ci");
    assert_eq!(new.info.expires, Some(new.info.created + 5 * 3600));
    let list = store.list().unwrap();
    let kept = list.iter().find(|key| key.id == old.info.id).unwrap();
    assert_eq!(kept.expires, Some(new.info.created + 3600));
    let (KeyMatch::Valid { owner: one, .. }, KeyMatch::Valid { owner: two, .. }) =
        (store.check(&old.secret), store.check(&new.secret))
    else {
        panic!("both are valid")
    };
    assert_eq!(one, two, "they share their rate limits");
    for id in [&old.info.id, &new.info.id] {
        assert!(matches!(
            store.rotate(id, HOUR, 10),
            Err(KeyError::Rotating(_))
        ));
    }
    store.revoke(&old.info.id).unwrap();
    assert_eq!(store.check(&old.secret), KeyMatch::None);
    assert_eq!(scope_of(&store, &new.secret), Some(KeyScope::Host));
    store.rotate(&new.info.id, HOUR, 10).unwrap();
    // Without an overlap the old one is over at once.
    let other = store.create(KeyScope::Host, "other", None, 10).unwrap();
    store.rotate(&other.info.id, Duration::ZERO, 10).unwrap();
    assert_eq!(store.check(&other.secret), KeyMatch::None);
}

#[test]
fn expired_keys_are_invalid_and_then_forgotten() {
    let place = Place::new();
    let store = place.store();
    let key = store
        .create(KeyScope::Host, "a", Some(Duration::ZERO), 1)
        .unwrap();
    assert!(key.info.is_expired(unix_now()));
    assert_eq!(store.check(&key.secret), KeyMatch::None);
    assert_eq!(store.list().unwrap().len(), 1);
    // Neither its place nor its name is taken.
    store.create(KeyScope::Host, "a", None, 1).unwrap();
    assert_eq!(store.list().unwrap().len(), 1);
}

#[test]
fn what_is_refused() {
    let place = Place::new();
    let store = place.store();
    let key = store.create(function("f"), "a", None, 2).unwrap();
    let create = |scope, name: &str, life| store.create(scope, name, life, 2).unwrap_err();
    assert!(matches!(
        create(function("f"), "a", None),
        KeyError::Taken(_)
    ));
    for name in ["", "a b", "a\n", &"x".repeat(65)] {
        assert!(
            matches!(create(KeyScope::Host, name, None), KeyError::Name(_)),
            "{name:?}"
        );
    }
    assert!(matches!(
        create(KeyScope::Host, "b", Some(Duration::MAX)),
        KeyError::Expiry
    ));
    store.create(function("g"), "a", None, 2).unwrap();
    assert!(matches!(
        create(KeyScope::Host, "b", None),
        KeyError::Full(2)
    ));
    assert!(matches!(
        store.rotate(&key.info.id, HOUR, 2),
        Err(KeyError::Full(2))
    ));
    // A rotation that failed has not shortened anything.
    assert!(
        store
            .list()
            .unwrap()
            .iter()
            .all(|key| key.expires.is_none())
    );
    assert!(matches!(store.revoke("0"), Err(KeyError::Unknown(_))));
    assert!(matches!(
        store.rotate("0", HOUR, 2),
        Err(KeyError::Unknown(_))
    ));
}

#[test]
fn a_damaged_file_is_left_alone() {
    let place = Place::new();
    let key = place
        .store()
        .create(KeyScope::Master, "m", None, 9)
        .unwrap();
    let good = fs::read_to_string(place.file()).unwrap();
    let twice = good.replace(
        "]}",
        &format!(
            ",{}]}}",
            &good[good.find('[').unwrap() + 1..good.rfind(']').unwrap()]
        ),
    );
    for damaged in [
        "",
        &twice,
        "{\"version\":2,\"keys\":[]}",
        &good[..good.len() / 2],
        &good.replace("\"master\"", "\"function\""),
        &good.replace("sha256\":\"", "sha256\":\"x"),
    ] {
        fs::write(place.file(), damaged).unwrap();
        let store = KeyStore::new(&place.0);
        assert!(
            matches!(store.load(), Err(KeyError::Store(..))),
            "{damaged}"
        );
        assert!(store.create(KeyScope::Host, "h", None, 9).is_err());
        assert_eq!(store.check(&key.secret), KeyMatch::None);
        assert_eq!(fs::read_to_string(place.file()).unwrap(), damaged);
    }
    // What an interrupted write left behind is in nobody's way.
    fs::write(place.file(), good).unwrap();
    fs::write(place.0.join("keys.json.new"), "half").unwrap();
    let store = place.store();
    store.create(KeyScope::Host, "h", None, 9).unwrap();
    assert_eq!(scope_of(&store, &key.secret), Some(KeyScope::Master));
}
