//! The keys of a manifest about how its package is built.

use super::Field::{Choice, List as Texts};
use super::Preset::{Else, Value};
use super::{Content, Key, List, Section, key, rules};
use crate::draft::FunctionDraft;
use crate::spec::Language;

pub(super) const SECTION: Section<FunctionDraft> = Section {
    name: "build",
    meaning: "What is done once when a package is published, in its directory and before anything \
        of it is launched; the gateway file's `[build]` bounds it. Not done for manifests that the \
        gateway file names.",
    content: Content::Keys(BUILD),
};

const BUILD: &[Key<FunctionDraft>] = &[
    key(
        "kind",
        Value("'none'"),
        Choice(&[
            ("none", |d| d.build.kind = None),
            ("python", |d| d.build.kind = Some(Language::Python)),
            ("node", |d| d.build.kind = Some(Language::Node)),
        ]),
        "`python` installs `requirements.txt` into `.python_packages/lib/site-packages`, which \
         `PYTHONPATH` names unless `[environment]` says otherwise; `node` does `npm ci --omit=dev`.",
    ),
    key(
        "command",
        Else("what `kind` says"),
        Texts(List {
            rule: "a program or an argument",
            least: 1,
            clear: |d| d.build.command.clear(),
            push: |d, v| rules::push(&mut d.build.command, Some(v.to_owned())),
        }),
        "Another program and its arguments, in place of that. A program with a slash is relative to \
         the manifest's directory, or absolute.",
    ),
];
