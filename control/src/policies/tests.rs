use std::time::Duration;

use super::*;

struct Site(PathBuf);

impl Site {
    fn new(name: &str) -> Site {
        let path = std::env::temp_dir().join(format!("stoker-{name}-{}", std::process::id()));
        fs::create_dir_all(path.join("functions/f")).unwrap();
        fs::write(path.join("stoker.toml"), "").unwrap();
        Site(path)
    }

    fn manifest(&self, scaling: &str) {
        let text = format!("command = [\"true\"]\n{scaling}");
        fs::write(self.0.join("functions/f/function.toml"), text).unwrap();
    }

    /// As a gateway reads it.
    fn load(&self) -> (Config, Arc<FunctionSpec>) {
        let mut config = stoker_config::load(&self.0.join("stoker.toml")).unwrap();
        apply(&mut config);
        let spec = Arc::clone(&config.functions[0]);
        (config, spec)
    }

    fn idle(&self) -> Duration {
        self.load().1.scaling.idle_timeout
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

const SHADOW: &str = "[scaling]\nidle-timeout = \"60s\"\n[scaling.shadow]\nidle-timeout = \"5s\"\n";

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

#[test]
fn a_policy_is_promoted_and_rolled_back() {
    let site = Site::new("policies");
    site.manifest(SHADOW);
    let (config, spec) = site.load();
    let state = &config.gateway.state_dir;
    assert_eq!(spec.scaling.idle_timeout, seconds(60));
    assert_eq!(
        spec.shadow.as_ref().map(|it| it.idle_timeout),
        Some(seconds(5))
    );
    let first = history(state, &spec).unwrap().versions;
    assert_eq!(first.len(), 1);
    // It is as old as the manifest, and not as young as the question.
    let written = std::fs::metadata(&spec.manifest).unwrap().modified();
    assert_eq!(first[0].at_ms, unix_millis(written.unwrap()));
    assert!(roll_back(state, &spec, None).is_err());

    promote(state, &spec, None).unwrap();
    assert_eq!(site.idle(), seconds(5));
    let (_, spec) = site.load();
    assert!(promote(state, &spec, None).unwrap_err().contains("already"));

    let after = roll_back(state, &spec, None).unwrap();
    assert_eq!(site.idle(), seconds(60));
    let sources: Vec<_> = after.versions.iter().map(|it| &*it.source).collect();
    assert_eq!(sources, [MANIFEST, PROMOTED, ROLLED_BACK]);
    assert_eq!(after.versions[2].of, Some(1));
    assert!(roll_back(state, &spec, None).is_err());
    // And once more, after which the one before is the manifest's again.
    promote(state, &spec, None).unwrap();
    assert_eq!(site.idle(), seconds(5));
}

#[test]
fn a_manifest_that_says_something_else_stands() {
    let site = Site::new("policies-newest");
    site.manifest(SHADOW);
    let (config, spec) = site.load();
    let state = &config.gateway.state_dir;
    promote(state, &spec, None).unwrap();
    assert_eq!(site.idle(), seconds(5));
    site.manifest(&SHADOW.replace("60s", "30s"));
    assert_eq!(site.idle(), seconds(30));
    let (_, spec) = site.load();
    let versions = history(state, &spec).unwrap().versions;
    assert_eq!(versions.last().map(|it| &*it.source), Some(MANIFEST));
    assert_eq!(site.idle(), seconds(30));
}

#[test]
fn what_cannot_be_is_said() {
    let site = Site::new("policies-broken");
    site.manifest("");
    let (config, spec) = site.load();
    let state = &config.gateway.state_dir;
    assert!(
        promote(state, &spec, None)
            .unwrap_err()
            .contains("[scaling.shadow]")
    );
    fs::create_dir_all(directory(state)).unwrap();
    fs::write(directory(state).join("f.json"), "{").unwrap();
    let (config, _) = site.load();
    assert!(
        config.warnings[0].contains("not in force"),
        "{:?}",
        config.warnings
    );
}
