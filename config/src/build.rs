//! From the keys about a build to what is executed.

use std::path::Path;

use crate::draft::FunctionDraft;
use crate::page::Rules;
use crate::spec::{BuildSpec, Language};

/// Where pip installs, below the manifest's directory.
const SITE_PACKAGES: &str = ".python_packages/lib/site-packages";

/// Says what fails, and nothing of newer versions of npm.
const NPM: &[&str] = &[
    "npm",
    "ci",
    "--omit=dev",
    "--no-audit",
    "--no-fund",
    "--no-update-notifier",
    "--loglevel=error",
];

/// A build, as it stands in a manifest.
#[derive(Clone, Default)]
pub(crate) struct BuildDraft {
    pub(crate) kind: Option<Language>,
    pub(crate) command: Vec<String>,
}

/// What is executed, if anything. The program is known by now.
pub(crate) fn function(
    rules: &mut Rules<'_, '_>,
    draft: &mut FunctionDraft,
    home: &Path,
) -> Option<BuildSpec> {
    let BuildDraft { kind, mut command } = std::mem::take(&mut draft.build);
    if let Some(program) = command.first_mut() {
        rules.require(
            !program.is_empty(),
            "build.command[0]",
            &["build.command"],
            || "a program; its name is empty".to_owned(),
        );
        if program.contains('/') {
            let path = crate::function::absolute(home, Path::new(program.as_str()));
            *program = path.to_string_lossy().into_owned();
        }
    }
    if kind == Some(Language::Python) {
        let place = home.join(SITE_PACKAGES).to_string_lossy().into_owned();
        let environment = &mut draft.environment;
        environment.entry("PYTHONPATH".to_owned()).or_insert(place);
    }
    if !command.is_empty() {
        let needs = &[];
        return Some(BuildSpec { command, needs });
    }
    Some(match kind? {
        Language::Python => BuildSpec {
            command: pip(draft),
            needs: &["requirements.txt"],
        },
        Language::Node => BuildSpec {
            command: words(NPM),
            needs: &["package-lock.json", "npm-shrinkwrap.json"],
        },
    })
}

/// By the interpreter that will import what is installed.
fn pip(draft: &FunctionDraft) -> Vec<String> {
    let own = draft.runtime.language == Some(Language::Python);
    let interpreter = draft.command.first().filter(|_| own);
    let mut command = vec![interpreter.cloned().unwrap_or_else(|| "python3".to_owned())];
    command.extend(words(&[
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--no-cache-dir",
        "--no-input",
        "--progress-bar=off",
        "--root-user-action=ignore",
        "--requirement",
        "requirements.txt",
        "--target",
        SITE_PACKAGES,
    ]));
    command
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}
