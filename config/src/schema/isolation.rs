//! The keys about what an instance may use and see: control groups, namespaces, system calls.

use std::path::{Component, Path};

use super::Field::{Choice, Flag, List as Texts, Number, Size, Text, Whole};
use super::Preset::{Else, Value};
use super::{Bounds, Content, Key, List, Section, key, rules};
use crate::draft::{FunctionDraft, GatewayDraft};
use crate::spec::{CgroupUse, Namespace};
use crate::units::{MIB, TIB, wide};

/// `[cgroups]` of the gateway file.
pub(super) const CGROUPS: Section<GatewayDraft> = Section {
    name: "cgroups",
    meaning: "Control groups of the kernel (v1 or v2), one for each instance: they enforce \
        `[resources]` of manifests, and what an instance has started ends with it, wherever it \
        went. Takes effect with the next start of the gateway or upgrade.",
    content: Content::Keys(CGROUP_KEYS),
};

/// `[resources]` of a manifest.
pub(super) const RESOURCES: Section<FunctionDraft> = Section {
    name: "resources",
    meaning: "What all processes of an instance may use together. An instance does not start if \
        the kernel cannot enforce it, which takes control groups (`[cgroups]` of the gateway).",
    content: Content::Keys(RESOURCE_KEYS),
};

/// `[isolation]` of a manifest.
pub(super) const ISOLATION: Section<FunctionDraft> = Section {
    name: "isolation",
    meaning: "How an instance is kept apart from the machine. An instance does not start if the \
        kernel or the gateway's rights do not suffice.",
    content: Content::Keys(ISOLATION_KEYS),
};

const CGROUP_KEYS: &[Key<GatewayDraft>] = &[
    key(
        "enabled",
        Value("'auto'"),
        Choice(&[
            ("auto", |d| d.cgroups.enabled = CgroupUse::Auto),
            ("true", |d| d.cgroups.enabled = CgroupUse::Always),
            ("false", |d| d.cgroups.enabled = CgroupUse::Never),
        ]),
        "`auto`: if the gateway has the right to make them. With `true` it does not start \
         otherwise.",
    ),
    key(
        "parent",
        Else("the gateway's own group"),
        Text(
            "a path below the mount of the hierarchies, such as \"system.slice/functions\"",
            |d, v| rules::put(&mut d.cgroups.parent, parent(v)),
        ),
        "The group below which they are made. In v2 it may have no processes of its own.",
    ),
    key(
        "pool",
        Value("16"),
        Whole(0, 10_000, |d, v| d.cgroups.pool = wide(v)),
        "Empty groups that are kept for the next starts; half of them are made ahead.",
    ),
];

const RESOURCE_KEYS: &[Key<FunctionDraft>] = &[
    key(
        "memory",
        Else("no limit"),
        Size(MIB, 1024 * TIB, |d, v| d.resources.memory_bytes = Some(v)),
        "Memory and swap, with the files that the kernel holds in memory for them. An instance \
         that needs more is killed.",
    ),
    key(
        "cpu",
        Else("no limit"),
        Number(CPU, |d, v| {
            d.resources.cpu_millis = Some((v * 1000.0).round() as u32);
        }),
        "Processors: `0.5` is half of the time of one. An instance that needs more waits, within \
         each 100 ms.",
    ),
    key(
        "processes",
        Else("no limit"),
        Whole(1, 1 << 22, |d, v| d.resources.processes = Some(v)),
        "Processes and threads at once.",
    ),
];

const CPU: Bounds = Bounds {
    min: 0.01,
    above: false,
    max: 4096.0,
};

const ISOLATION_KEYS: &[Key<FunctionDraft>] = &[
    key(
        "namespaces",
        Value("[]"),
        Texts(List {
            rule: "one of \"mount\", \"pid\", \"ipc\", \"uts\", \"net\" and \"user\"",
            least: 0,
            clear: |d| d.isolation.namespaces.clear(),
            push: |d, v| push_namespace(&mut d.isolation.namespaces, v),
        }),
        "What the instance has for itself. With `pid` its program is process 1: it gets only those \
         signals that it handles, SIGTERM among them, and is otherwise killed after \
         `timeouts.stop`. With `net` it has a loopback and nothing else, so `listen` cannot be \
         `port`. With `uts` the host's name is the function's. Without root, `user` is needed for \
         all others.",
    ),
    key(
        "seccomp",
        Value("'off'"),
        Choice(&[
            ("off", |d| d.isolation.seccomp = false),
            ("default", |d| d.isolation.seccomp = true),
        ]),
        "`default`: system calls that administer the machine or look into other processes are \
         refused (EPERM): mounts, modules, kexec, bpf, ptrace, keys, clocks, swap, new \
         namespaces, io_uring and the like; programs of other architectures do not run.",
    ),
    key(
        "read-only",
        Value("false"),
        Flag(|d, v| d.isolation.read_only = v),
        "No file can be changed, but for those below `writable` and in a `/tmp` of its own. Needs \
         the namespace `mount`.",
    ),
    key(
        "writable",
        Value("[]"),
        Texts(List {
            rule: "an absolute path",
            least: 0,
            clear: |d| d.isolation.writable.clear(),
            push: |d, v| {
                let path = rules::path(v).filter(|path| path.is_absolute());
                rules::push(&mut d.isolation.writable, path)
            },
        }),
        "What `read-only` leaves as it is. It must exist when an instance starts.",
    ),
    key(
        "tmp-bytes",
        Else("the machine's `/tmp`"),
        Size(4096, TIB, |d, v| d.isolation.tmp_bytes = Some(v)),
        "The instance has a `/tmp` of its own, in memory and of this size, which is empty at \
         first. Program, working directory and state directory must not be below `/tmp`. Needs \
         the namespace `mount`.",
    ),
];

/// Relative and without `..`.
fn parent(text: &str) -> Option<Option<std::path::PathBuf>> {
    let relative = text.trim_start_matches('/');
    let path = Path::new(relative);
    let is_plain = |part| matches!(part, Component::Normal(_));
    (!relative.is_empty() && path.components().all(is_plain)).then(|| Some(path.to_owned()))
}

/// Twice the same means the same as once.
fn push_namespace(list: &mut Vec<Namespace>, text: &str) -> bool {
    let namespace = match text {
        "mount" => Namespace::Mount,
        "pid" => Namespace::Pid,
        "ipc" => Namespace::Ipc,
        "uts" => Namespace::Uts,
        "net" => Namespace::Net,
        "user" => Namespace::User,
        _ => return false,
    };
    list.contains(&namespace) || rules::push(list, Some(namespace))
}
