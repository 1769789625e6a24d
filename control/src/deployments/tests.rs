use std::fs;
use std::path::Path;

use stoker_package::Kind;
use stoker_registry::{
    ArchiveKind, Author, NewRevision, Package, Place, SecretValue, Shift, Sticky, Traffic, Weight,
};

use super::*;

/// A gateway's directory with a function of files, `filed`.
struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let path = std::env::temp_dir().join(format!("stoker-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).ok();
        fs::create_dir_all(path.join("functions/filed")).unwrap();
        fs::write(path.join("stoker.toml"), "state-dir = \"state\"\n").unwrap();
        let manifest = "command = [\"true\"]\n[[routes]]\npath = \"/filed\"\n";
        fs::write(path.join("functions/filed/function.toml"), manifest).unwrap();
        Site(path)
    }

    fn load(&self) -> Config {
        stoker_config::load(&self.0.join("stoker.toml")).unwrap()
    }

    fn open(&self) -> (Config, Arc<Deployments>) {
        let mut config = self.load();
        let deployments = Deployments::open(&mut config);
        deployments.apply(&mut config);
        (config, deployments)
    }

    /// As a gateway reads it again.
    fn again(&self, deployments: &Deployments) -> Config {
        let mut config = self.load();
        deployments.apply(&mut config);
        config
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

/// Keeps a package with this manifest and publishes it.
fn publish(deployments: &Deployments, name: &str, manifest: &str, shift: Shift) -> Package {
    let registry = deployments.registry().unwrap();
    let incoming = registry.files().incoming().unwrap();
    let source = incoming.directory().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("function.toml"), manifest).unwrap();
    let archive = incoming.archive();
    stoker_package::pack(&source, &archive, Kind::TarGz, &mut |_| {}).unwrap();
    let package = Package {
        digest: stoker_package::digest(&archive).unwrap().parse().unwrap(),
        kind: ArchiveKind::TarGz,
        bytes: archive.metadata().unwrap().len(),
    };
    registry.files().keep_package(&incoming, &package).unwrap();
    // The code is unpacked from it when it is asked for.
    let new = NewRevision {
        function: name.to_owned(),
        package,
        settings: None,
        manifest: manifest.to_owned(),
        author: Author::named("test"),
        shift,
    };
    registry.store().publish(new).unwrap();
    package
}

fn command(word: &str) -> String {
    format!("command = [\"{word}\"]\n")
}

#[test]
fn what_is_published_stands_beside_files() {
    let site = Site::new("overlay");
    let (config, deployments) = site.open();
    assert_eq!((config.functions.len(), config.deployments.len()), (1, 0));
    publish(&deployments, "f", &command("one"), Shift::All);
    publish(&deployments, "f", &command("two"), Shift::Percent(10.0));
    let config = site.again(&deployments);
    assert_eq!(config.warnings, [""; 0]);
    let names: Vec<&str> = config.functions.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["f", "filed"]);
    let deployment = &config.deployments[0];
    assert_eq!(deployment.traffic.weights, [(1, 90.0), (2, 10.0)]);
    assert_eq!(config.functions[0].number, Some(1));
    assert_eq!(deployment.revision(2).unwrap().spec.command, ["two"]);
    let home = &deployment.revision(1).unwrap().spec.working_directory;
    assert!(home.join("function.toml").is_file());
}

#[test]
fn settings_and_secrets_are_variables() {
    let site = Site::new("variables");
    let (_, deployments) = site.open();
    let manifest =
        "command = [\"true\"]\n[environment]\nA = \"file\"\nB = \"file\"\nC = \"file\"\n";
    publish(&deployments, "f", manifest, Shift::All);
    let store = deployments.registry().unwrap().store();
    let author = Author::named("test");
    let settings = ["B", "C"].map(|key| (key.to_owned(), "setting".to_owned()));
    store.set_settings("f", &settings.into(), &author).unwrap();
    let set = |value: &str| {
        let value = SecretValue::new(value.to_owned());
        let secret = ("C", Place::Environment, &value);
        store.set_secret("f", secret, &author).unwrap();
        Arc::clone(&site.again(&deployments).functions[0])
    };
    let first = set("hidden one");
    let pairs: Vec<(&str, &str)> = first
        .environment
        .iter()
        .map(|(k, v)| (&**k, &**v))
        .collect();
    let kept = ("PYTHONDONTWRITEBYTECODE", "1");
    assert_eq!(pairs, [("A", "file"), ("B", "setting"), kept]);
    assert_eq!(first.secrets[0].value.as_str(), "hidden one");
    assert!(!format!("{first:?}").contains("hidden"));
    let second = set("hidden two");
    assert_ne!(first.revision(), second.revision());
    assert_eq!(
        second.revision(),
        site.again(&deployments).functions[0].revision()
    );
}

#[test]
fn what_cannot_be_served_is_left_out() {
    let site = Site::new("left-out");
    let (_, deployments) = site.open();
    publish(&deployments, "filed", &command("other"), Shift::All);
    let taken = "command = [\"true\"]\n[[routes]]\npath = \"/filed\"\n";
    publish(&deployments, "taken", taken, Shift::All);
    publish(&deployments, "broken", "nonsense = 1\n", Shift::All);
    publish(&deployments, "whole", &command("true"), Shift::All);
    let config = site.again(&deployments);
    let names: Vec<&str> = config.functions.iter().map(|it| &*it.name).collect();
    assert_eq!(names, ["filed", "whole"]);
    assert_eq!(config.functions[0].command, ["true"]);
    for name in ["filed", "taken", "broken"] {
        let said = format!("the published function {name} is not served");
        assert!(
            config.warnings.iter().any(|it| it.starts_with(&said)),
            "{:?}",
            config.warnings
        );
    }
}

#[test]
fn a_revision_that_is_gone_leaves_the_others() {
    let site = Site::new("gone");
    let (_, deployments) = site.open();
    publish(&deployments, "f", &command("one"), Shift::All);
    let second = publish(&deployments, "f", &command("two"), Shift::Percent(60.0));
    let registry = deployments.registry().unwrap();
    site.again(&deployments);
    // The code comes back from the package; the package does not.
    fs::remove_dir_all(registry.files().code(second.digest)).unwrap();
    assert_eq!(site.again(&deployments).warnings, [""; 0]);
    fs::remove_dir_all(registry.files().code(second.digest)).unwrap();
    let package = registry.files().package(second.digest, second.kind);
    fs::write(&package, "half").unwrap();
    let config = site.again(&deployments);
    assert_eq!(config.warnings.len(), 1, "{:?}", config.warnings);
    assert_eq!(config.deployments[0].traffic.weights, [(1, 100.0)]);
    fs::remove_file(&package).unwrap();
    let traffic = Traffic::all_to(2);
    registry.store().set_traffic("f", &traffic, None).unwrap();
    let config = site.again(&deployments);
    assert_eq!((config.functions.len(), config.deployments.len()), (1, 0));
}

#[test]
fn aliases_and_what_keeps_callers_are_passed_on() {
    let site = Site::new("aliases");
    let (_, deployments) = site.open();
    for word in ["1", "2", "3", "4", "5", "6", "7", "8"] {
        publish(&deployments, "f", &command(word), Shift::All);
    }
    let store = deployments.registry().unwrap().store();
    store.set_alias("f", "stable", 1).unwrap();
    let weight = |revision, percent| Weight { revision, percent };
    let traffic = Traffic {
        weights: vec![weight(8, 50.0), weight(2, 50.0)],
        sticky: Some(Sticky::Header("X-User".to_owned())),
        mirror: None,
    };
    store.set_traffic("f", &traffic, None).unwrap();
    let config = site.again(&deployments);
    let deployment = &config.deployments[0];
    let live: Vec<u32> = deployment.revisions.iter().map(|it| it.number).collect();
    assert_eq!(live, [1, 2, 4, 5, 6, 7, 8]);
    assert_eq!(deployment.aliases, [(Arc::from("stable"), 1)]);
    let header = stoker_config::Sticky::Header("x-user".to_owned());
    assert_eq!(deployment.traffic.sticky, Some(header));
}

#[test]
fn changes_by_others_are_seen_once() {
    let site = Site::new("seen");
    let (_, here) = site.open();
    let (_, there) = site.open();
    assert!(!here.changed());
    publish(&there, "f", &command("true"), Shift::All);
    assert!(here.changed());
    assert!(!here.changed());
    publish(&there, "f", &command("true"), Shift::All);
    site.again(&here);
    assert!(!here.changed());
}

#[test]
fn a_registry_that_cannot_be_opened_is_a_warning() {
    let site = Site::new("unopened");
    fs::create_dir_all(site.0.join("state/registry")).unwrap();
    fs::write(
        site.0.join("state/registry/registry.db"),
        "no database at all, this is",
    )
    .unwrap();
    let (config, deployments) = site.open();
    assert_eq!(config.functions.len(), 1);
    assert!(
        config.warnings[0].contains("registry"),
        "{:?}",
        config.warnings
    );
    assert!(deployments.registry().is_err());
    deployments.clean_up();
    assert!(!deployments.changed());
    assert!(
        Path::new(&site.0)
            .join("state/registry/registry.db")
            .exists()
    );
}
