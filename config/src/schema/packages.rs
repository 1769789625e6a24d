//! The keys of the gateway file about packages that are published, and how they are built.

use super::Field::{Flag, Size, Span, Text, Whole};
use super::Preset::{Else, Value};
use super::{Content, Key, Section, key, rules};
use crate::draft::GatewayDraft;
use crate::units::{DAY, KIB, SECOND, TIB, narrow, wide};

pub(super) const PACKAGES: Section<GatewayDraft> = Section {
    name: "packages",
    meaning: "What a package that is published may come to. What is beyond is refused before it is \
        written.",
    content: Content::Keys(LIMITS),
};

pub(super) const BUILD: Section<GatewayDraft> = Section {
    name: "build",
    meaning: "How packages are built whose manifest has a `[build]`: one after the other, and in \
        namespaces of their own with network, like an instance.",
    content: Content::Keys(BUILDS),
};

pub(super) const ENVIRONMENT: Section<GatewayDraft> = Section {
    name: "build.environment",
    meaning: "What builds see besides `PATH`, `HOME`, `TMPDIR` and the contract's variables, such \
        as `PIP_INDEX_URL` or `HTTPS_PROXY`. No setting and no secret of a function is among it.",
    content: Content::Names {
        rule: rules::VARIABLE,
        allowed: rules::is_variable,
        set: |d, name, value| {
            let environment = &mut d.build.environment;
            environment.insert(name.to_owned(), value.to_owned());
        },
    },
};

const LIMITS: &[Key<GatewayDraft>] = &[
    key(
        "archive-bytes",
        Value("'256MiB'"),
        Size(KIB, TIB, |d, v| d.packages.archive_bytes = v),
        "Length of the archive, as it is sent.",
    ),
    key(
        "total-bytes",
        Value("'1GiB'"),
        Size(KIB, TIB, |d, v| d.packages.total_bytes = v),
        "Length of all its files together, unpacked.",
    ),
    key(
        "file-bytes",
        Value("'512MiB'"),
        Size(KIB, TIB, |d, v| d.packages.file_bytes = v),
        "Length of one of its files.",
    ),
    key(
        "ratio",
        Value("100"),
        Whole(1, 2000, |d, v| d.packages.ratio = narrow(v)),
        "Times that its files may be longer than the archive; not asked of the first 16MiB.",
    ),
    key(
        "entries",
        Value("50000"),
        Whole(1, 10_000_000, |d, v| d.packages.entries = narrow(v)),
        "Files, directories and links in it; links at most 10000.",
    ),
    key(
        "path-bytes",
        Value("512"),
        Whole(16, 4000, |d, v| d.packages.path_bytes = wide(v)),
        "Length of a path in it.",
    ),
    key(
        "depth",
        Value("32"),
        Whole(1, 200, |d, v| d.packages.depth = wide(v)),
        "Parts that a path in it may have.",
    ),
];

const BUILDS: &[Key<GatewayDraft>] = &[
    key(
        "enabled",
        Value("true"),
        Flag(|d, v| d.build.enabled = v),
        "Whether anything is built; otherwise a package that wants to be is refused.",
    ),
    key(
        "user",
        Else("`nobody` if the gateway is root, else the gateway's user"),
        Text(rules::USER, |d, v| {
            rules::put(
                &mut d.build.user,
                rules::is_user(v).then(|| Some(v.to_owned())),
            )
        }),
        "Whom builds run as. The code is that user's while it is built, and the gateway's again \
         afterwards. It should be one that nothing else runs as; the state directory must be within \
         its reach.",
    ),
    key(
        "timeout",
        Value("'5m'"),
        Span(SECOND, DAY, |d, v| d.build.timeout = v),
        "How long a build may take.",
    ),
    key(
        "memory",
        Value("'1GiB'"),
        Size(64 * KIB, TIB, |d, v| d.build.memory_bytes = v),
        "All processes of a build together. Where there are no control groups it is not bounded, \
         and the build's output says so.",
    ),
    key(
        "processes",
        Value("256"),
        Whole(1, 1_000_000, |d, v| d.build.processes = v),
        "Processes and threads of a build, likewise.",
    ),
    key(
        "disk",
        Value("'2GiB'"),
        Size(KIB, TIB, |d, v| d.build.disk_bytes = v),
        "The code with what a build adds to it, and its temporary files. Looked at twice a second.",
    ),
    key(
        "entries",
        Value("200000"),
        Whole(1, 10_000_000, |d, v| d.build.entries = v),
        "The number of those files.",
    ),
    key(
        "disk-reserve",
        Value("'256MiB'"),
        Size(KIB, TIB, |d, v| d.build.disk_reserve_bytes = v),
        "What must stay free where the state directory is: a build that leaves less, such as by \
         files that it has removed and still writes to, is ended, and none begins.",
    ),
    key(
        "output",
        Value("'256KiB'"),
        Size(KIB, TIB, |d, v| d.build.output_bytes = wide(v)),
        "What is kept of the output of a build for who publishes; the beginning goes first.",
    ),
    key(
        "isolated",
        Value("true"),
        Flag(|d, v| d.build.isolated = v),
        "Whether a build is kept apart: it sees no other processes, can change files only in its \
         code and its temporary directory, and has no privileges. If that cannot be done the build \
         fails.",
    ),
];
