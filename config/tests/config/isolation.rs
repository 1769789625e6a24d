//! Control groups, resources and isolation.

use std::path::PathBuf;

use stoker_config::{CgroupUse, IsolationSpec, Namespace, ResourcesSpec};

use crate::tree::{Tree, one, wrong};

fn wrong_with(more: &str) -> Vec<String> {
    wrong(&format!("command = [\"x\"]\n{more}"))
}

#[test]
fn nothing_is_limited_or_kept_apart_by_default() {
    let function = one("command = [\"x\"]");
    assert_eq!(function.resources, ResourcesSpec::default());
    assert_eq!(*function.isolation, IsolationSpec::default());
    let gateway = Tree::new().load("functions = []").unwrap().gateway;
    assert_eq!(gateway.cgroups.enabled, CgroupUse::Auto);
    assert_eq!((gateway.cgroups.parent, gateway.cgroups.pool), (None, 16));
    assert_eq!(gateway.spare_networks, 8);
}

#[test]
fn everything_is_read() {
    let function = one("command = [\"x\"]\nlisten = \"inherit\"\n\
         [resources]\nmemory = \"64MiB\"\ncpu = 0.25\nprocesses = 9\n\
         [isolation]\nnamespaces = [\"net\", \"mount\", \"net\"]\nseccomp = \"default\"\n\
         read-only = true\nwritable = [\"/var/x\"]\ntmp-bytes = \"1MiB\"");
    let resources = ResourcesSpec {
        memory_bytes: Some(64 << 20),
        cpu_millis: Some(250),
        processes: Some(9),
    };
    assert_eq!(function.resources, resources);
    let isolation = IsolationSpec {
        namespaces: vec![Namespace::Mount, Namespace::Net],
        seccomp: true,
        read_only: true,
        writable: vec![PathBuf::from("/var/x")],
        tmp_bytes: Some(1 << 20),
    };
    assert_eq!(*function.isolation, isolation);
}

#[test]
fn groups_are_demanded_forbidden_or_put_elsewhere() {
    let gateway = |text: &str| Tree::new().load(&format!("functions = []\n[cgroups]\n{text}"));
    for (text, expected) in [
        ("enabled = \"auto\"", CgroupUse::Auto),
        ("enabled = true", CgroupUse::Always),
        ("enabled = false", CgroupUse::Never),
    ] {
        assert_eq!(gateway(text).unwrap().gateway.cgroups.enabled, expected);
    }
    let parent = gateway("parent = \"/a/b\"").unwrap().gateway.cgroups.parent;
    assert_eq!(parent, Some(PathBuf::from("a/b")));
    for text in [
        "enabled = \"yes\"",
        "parent = \"../a\"",
        "parent = \"/\"",
        "pool = -1",
    ] {
        assert_eq!(gateway(text).unwrap_err().iter().count(), 1, "{text}");
    }
}

#[test]
fn what_does_not_go_together_is_refused() {
    let expected = "expected left out unless isolation.namespaces has \"mount\"";
    let errors = wrong_with("[isolation]\nread-only = true\ntmp-bytes = 5000\n");
    assert_eq!(
        errors,
        [
            format!("3: isolation.read-only: got true, {expected}"),
            format!("4: isolation.tmp-bytes: got 5000, {expected}"),
        ]
    );
    let errors = wrong_with("[isolation]\nwritable = [\"/x\"]");
    assert_eq!(errors.len(), 1, "{errors:?}");
    let errors = wrong_with("listen = \"port\"\n[isolation]\nnamespaces = [\"net\"]");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(
        errors[0].starts_with("4: isolation.namespaces: got"),
        "{errors:?}"
    );
    let errors = wrong_with("[isolation]\nnamespaces = [\"cgroup\"]\nwritable = [\"x\"]");
    assert_eq!(errors.len(), 2, "{errors:?}");
    let errors = wrong_with("[resources]\nmemory = 5\ncpu = 0.001\nprocesses = 0");
    assert_eq!(errors.len(), 3, "{errors:?}");
}
