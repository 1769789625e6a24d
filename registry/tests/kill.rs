//! A process that publishes without end is killed at any point, a hundred times: what it was told to
//! be published is there and whole, nothing else is half there, and the registry always opens.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom as _, SystemRandom};
use stoker_registry::{
    ArchiveKind, Author, Digest, NewRevision, Package, Place, Registry, SecretValue, Shift,
};

const KILLS: u32 = 100;
/// Where the child works.
const VARIABLE: &str = "STOKER_REGISTRY_KILLED";
/// Files of one package.
const FILES: usize = 5;

#[test]
fn what_was_acknowledged_survives_kills() {
    let root = std::env::temp_dir().join(format!("stoker-registry-kill-{}", std::process::id()));
    fs::remove_dir_all(&root).ok();
    let mut acknowledged: BTreeMap<u32, Digest> = BTreeMap::new();
    for round in 0..KILLS {
        for (number, digest) in killed(&root) {
            acknowledged.insert(number, digest);
        }
        let registry = Registry::open(&root, None, 100).expect("a registry that opens");
        registry
            .clean_up()
            .expect("what a crash left can be removed");
        examine(&registry, &acknowledged, round);
    }
    assert!(acknowledged.len() > KILLS as usize, "{acknowledged:?}");
    fs::remove_dir_all(&root).ok();
}

/// What a child was told to be published before it was killed.
fn killed(root: &Path) -> Vec<(u32, Digest)> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args([
            "--exact",
            "publishes_without_end",
            "--ignored",
            "--nocapture",
        ])
        .env(VARIABLE, root)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("a child");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let mut said = Vec::new();
    let chance = chance();
    // Some are killed while they open it, others in the middle of one of the first publishes.
    let before = chance % 4;
    while said.len() < before as usize {
        let Some(Ok(line)) = lines.next() else { break };
        said.extend(parse(&line));
    }
    std::thread::sleep(Duration::from_micros(u64::from(chance / 4 % 20_000)));
    child.kill().expect("a child that can be killed");
    child.wait().expect("a child that is gone");
    said.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
    said
}

fn parse(line: &str) -> Option<(u32, Digest)> {
    let (_, rest) = line.split_once("acknowledged ")?;
    let (number, digest) = rest.split_once(' ')?;
    // The last line may be cut short.
    Some((
        number.parse().ok()?,
        digest.strip_suffix('.')?.parse().ok()?,
    ))
}

fn examine(registry: &Registry, acknowledged: &BTreeMap<u32, Digest>, round: u32) {
    let store = registry.store();
    if store.function("f").expect("a store").is_none() {
        assert!(
            acknowledged.is_empty(),
            "round {round}: the function is gone"
        );
        return;
    }
    let revisions = store.revisions("f").expect("revisions");
    if revisions.is_empty() {
        // Its first secret came before its first revision.
        assert!(
            acknowledged.is_empty(),
            "round {round}: the revisions are gone"
        );
        return;
    }
    let known: BTreeMap<u32, Digest> = revisions
        .iter()
        .map(|it| (it.number, it.digest()))
        .collect();
    for (number, digest) in acknowledged {
        assert_eq!(
            known.get(number),
            Some(digest),
            "round {round}: revision {number}"
        );
    }
    for revision in &revisions {
        whole(registry, &revision.package);
        assert_eq!(revision.manifest, revision.digest().to_string());
    }
    let newest = revisions.first().expect("one revision at least").number;
    let traffic = store.traffic("f").expect("traffic");
    assert_eq!(
        traffic.primary(),
        Some(newest),
        "it moves with the revision"
    );
    let secrets = store
        .reveal_secrets("f")
        .expect("the key that there always was");
    if let Some(secret) = secrets.first() {
        assert_eq!(secret.info.version.to_string(), secret.value.reveal());
    }
    let files = entries(&registry.files().root().join("code"));
    let digests: HashSet<String> = known.values().map(ToString::to_string).collect();
    assert_eq!(files, digests, "round {round}");
    assert!(entries(&registry.files().root().join("incoming")).is_empty());
}

/// The package has its digest, and its code is what was packed.
fn whole(registry: &Registry, package: &Package) {
    let files = registry.files();
    let archive = fs::read(files.package(package.digest, package.kind)).expect("a package");
    assert_eq!(digest(&SHA256, &archive).as_ref(), package.digest.0);
    for index in 0..FILES {
        let file = files.code(package.digest).join(index.to_string());
        assert_eq!(fs::read(file).expect("a file of the code"), archive);
    }
}

fn entries(directory: &Path) -> HashSet<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
}

/// The child: ends only by being killed.
#[test]
#[ignore = "is started, and killed, by another test"]
fn publishes_without_end() {
    let Some(root) = std::env::var_os(VARIABLE) else {
        return;
    };
    let registry = Registry::open(&PathBuf::from(root), None, 100).expect("a registry");
    registry
        .clean_up()
        .expect("what a crash left can be removed");
    loop {
        let (number, digest) = publish(&registry);
        let mut out = std::io::stdout().lock();
        out.write_all(format!("acknowledged {number} {digest}.\n").as_bytes())
            .and_then(|()| out.flush())
            .expect("somebody who listens");
    }
}

fn publish(registry: &Registry) -> (u32, Digest) {
    let content = chance().to_le_bytes().repeat(1000);
    let hash = digest(&SHA256, &content);
    let mut bytes = [0; 32];
    bytes.copy_from_slice(hash.as_ref());
    let package = Package {
        digest: Digest(bytes),
        kind: ArchiveKind::Zip,
        bytes: content.len() as u64,
    };
    let files = registry.files();
    let _pin = files.pin(package.digest);
    let incoming = files.incoming().expect("a place");
    fs::write(incoming.archive(), &content).expect("an archive");
    fs::create_dir(incoming.tree()).expect("a directory");
    for index in 0..FILES {
        fs::write(incoming.tree().join(index.to_string()), &content).expect("a file");
    }
    files.keep_package(&incoming, &package).expect("a package");
    files.keep_code(&incoming, package.digest).expect("code");
    let version = registry.store().secrets("f").expect("secrets");
    let version = version.first().map_or(0, |it| it.version) + 1;
    let value = SecretValue::new(version.to_string());
    let secret = ("KEY", Place::Environment, &value);
    let author = Author::named("child");
    registry
        .store()
        .set_secret("f", secret, &author)
        .expect("a secret");
    let new = NewRevision {
        function: "f".to_owned(),
        package,
        settings: None,
        manifest: package.digest.to_string(),
        author,
        shift: Shift::All,
    };
    let revision = registry.store().publish(new).expect("a revision");
    (revision.number, package.digest)
}

fn chance() -> u32 {
    let mut bytes = [0; 4];
    SystemRandom::new()
        .fill(&mut bytes)
        .expect("random numbers");
    u32::from_le_bytes(bytes)
}
