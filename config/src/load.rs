//! From files to a [`Config`].

mod conflicts;
mod joining;

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::MANIFEST;
use crate::access;
use crate::error::{ConfigError, Errors};
use crate::function::{self, Function, Place, absolute, directory};
use crate::gateway::{self, Gateway};
use crate::spec::{Config, FunctionSpec, GatewaySpec};

pub use joining::conflicts;

/// More is no configuration: a wrong path should not fill the memory.
const LARGEST_FILE: u64 = 4 << 20;

/// Reads a gateway file and the manifests of all its functions.
///
/// All that is wrong in any of them is reported at once.
pub fn load(gateway_file: &Path) -> Result<Config, Errors> {
    let read_at = SystemTime::now();
    let mut loader = Loader::default();
    let gateway = loader.gateway(gateway_file);
    if let Some(gateway) = &gateway {
        let prefix = &gateway.function_prefix;
        loader
            .errors
            .extend(conflicts::find(&mut loader.functions, prefix));
        loader
            .errors
            .extend(access::unknown_issuers(&loader.functions, &gateway.jwt));
    }
    let watched = Errors::check(loader.errors, loader.watched)?;
    let gateway = gateway.expect("a gateway file that cannot be read is an error");
    let functions = share(loader.functions);
    Ok(Config {
        gateway,
        functions,
        deployments: Vec::new(),
        watched,
        warnings: loader.warnings,
        read_at,
    })
}

/// The admin socket that a gateway file names; none if there is no such file, or nothing can be made of it.
/// The rest of the file may be wrong.
pub fn admin_socket(gateway_file: &Path) -> Option<PathBuf> {
    let path = absolute(Path::new(""), gateway_file);
    let text = read_text(&path).ok()?;
    let (gateway, _) = gateway::read(gateway_file, directory(&path), &text);
    Some(gateway.spec.admin.socket).filter(|socket| socket.is_absolute())
}

/// Reads one manifest by itself; what other functions have is not known.
pub fn load_function(manifest: &Path) -> Result<FunctionSpec, Errors> {
    let mut loader = Loader::default();
    let place = absolute(Path::new(""), manifest);
    if !loader.manifest(Place {
        file: manifest,
        absolute: &place,
        name: None,
    }) {
        let problem = io::ErrorKind::NotFound.into();
        loader
            .errors
            .push(Unreadable { line: 0, problem }.of(manifest));
    }
    Errors::check(loader.errors, loader.watched)?;
    let function = loader
        .functions
        .pop()
        .expect("a manifest without errors makes a function");
    Ok(function.spec)
}

/// Reads the text of a manifest as that of a function with this name, at a place that is absolute
/// and has the function's files; what other functions have is not known ([`conflicts()`]).
///
/// # Errors
/// All that is wrong in it.
pub fn parse_function(manifest: &Path, text: &str, name: &str) -> Result<FunctionSpec, Errors> {
    let shown = Path::new(MANIFEST);
    let place = Place {
        file: shown,
        absolute: manifest,
        name: Some(name),
    };
    let (function, errors) = function::read(place, text);
    Errors::check(errors, Vec::new())?;
    let function = function.expect("a manifest without errors makes a function");
    Ok(function.spec)
}

/// Why a file's text cannot be had.
pub(crate) struct Unreadable {
    /// 0 if no line of it is to blame.
    line: usize,
    problem: io::Error,
}

/// The content of a text file of sane size.
pub(crate) fn read_text(path: &Path) -> Result<String, Unreadable> {
    let bytes = read_bytes(path).map_err(|problem| Unreadable { line: 0, problem })?;
    String::from_utf8(bytes).map_err(|error| {
        let before = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + before.iter().filter(|byte| **byte == b'\n').count();
        Unreadable {
            line,
            problem: io::Error::other("bytes that are not UTF-8"),
        }
    })
}

/// The content of a file of sane size.
pub(crate) fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    let room = file.metadata()?.len().min(LARGEST_FILE);
    let mut bytes = Vec::with_capacity(usize::try_from(room).unwrap_or_default() + 1);
    // Not by the metadata alone, which says nothing about a pipe.
    file.take(LARGEST_FILE + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LARGEST_FILE {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    Ok(bytes)
}

impl Unreadable {
    /// As an error of the file as a whole.
    fn of(&self, file: &Path) -> ConfigError {
        ConfigError {
            file: file.to_owned(),
            line: self.line,
            key: String::new(),
            value: words(&self.problem),
            expected: "a readable file of UTF-8 text of at most 4MiB".to_owned(),
        }
    }
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&words(&self.problem))
    }
}

/// What was found so far.
#[derive(Default)]
struct Loader {
    functions: Vec<Function>,
    watched: Vec<PathBuf>,
    warnings: Vec<String>,
    /// Absolute paths of manifests, as two entries may lead to one.
    seen: HashSet<PathBuf>,
    errors: Vec<ConfigError>,
}

impl Loader {
    fn gateway(&mut self, file: &Path) -> Option<GatewaySpec> {
        let path = absolute(Path::new(""), file);
        let text = match read_text(&path) {
            Ok(text) => text,
            Err(problem) => {
                self.errors.push(problem.of(file));
                return None;
            }
        };
        let home = directory(&path).to_owned();
        self.watched.push(path);
        let (
            Gateway {
                spec,
                functions,
                files,
                warnings,
            },
            errors,
        ) = gateway::read(file, &home, &text);
        self.errors.extend(errors);
        self.watched.extend(files);
        self.warnings = warnings;
        for (directory, line) in functions {
            let found = self.search(file, &home, &directory);
            let missing = |problem: &io::Error| problem.kind() == io::ErrorKind::NotFound;
            if line == 0 && found.as_ref().is_err_and(missing) {
                // The default, of a gateway that may serve what is published only.
                self.watched.push(absolute(&home, Path::new(&directory)));
            } else if let Err(problem) = found {
                self.errors.push(ConfigError {
                    file: file.to_owned(),
                    line,
                    key: "functions".to_owned(),
                    value: format!("{directory:?}"),
                    expected: format!("a directory that can be read: {}", words(&problem)),
                });
            }
        }
        Some(spec)
    }

    /// A directory with a manifest, or one whose sub-directories have them.
    fn search(&mut self, gateway_file: &Path, home: &Path, written: &str) -> io::Result<()> {
        let directory = written.strip_suffix('*').unwrap_or(written);
        let shown = gateway_file
            .parent()
            .unwrap_or_else(|| Path::new(""))
            .join(directory);
        let place = absolute(home, Path::new(directory));
        let (file, path) = (shown.join(MANIFEST), place.join(MANIFEST));
        if self.manifest(Place {
            file: &file,
            absolute: &path,
            name: None,
        }) {
            self.watched.push(place);
            return Ok(());
        }
        let mut below = Vec::new();
        for entry in std::fs::read_dir(&place)? {
            let entry = entry?;
            let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            let kind = entry.file_type()?;
            if !hidden && (kind.is_dir() || kind.is_symlink() && entry.path().is_dir()) {
                below.push(entry.file_name());
            }
        }
        self.watched.push(place.clone());
        // So that errors come in the same order everywhere.
        below.sort_unstable();
        for name in below {
            let directory = place.join(&name);
            let (file, path) = (shown.join(&name).join(MANIFEST), directory.join(MANIFEST));
            self.watched.push(directory);
            self.manifest(Place {
                file: &file,
                absolute: &path,
                name: None,
            });
        }
        Ok(())
    }

    /// `false` if there is none.
    fn manifest(&mut self, place: Place<'_>) -> bool {
        if self.seen.contains(place.absolute) {
            return true;
        }
        let text = match read_text(place.absolute) {
            Err(Unreadable { problem, .. }) if problem.kind() == io::ErrorKind::NotFound => {
                return false;
            }
            text => text,
        };
        self.seen.insert(place.absolute.to_owned());
        self.watched.push(place.absolute.to_owned());
        match text {
            Ok(text) => {
                let (function, errors) = function::read(place, &text);
                self.functions.extend(function);
                self.errors.extend(errors);
            }
            Err(problem) => self.errors.push(problem.of(place.file)),
        }
        true
    }
}

/// In lower case, like every message.
pub(crate) fn words(problem: &io::Error) -> String {
    let mut words = problem.to_string();
    if let Some(first) = words.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    words
}

/// Most functions are alike in what their manifests leave out: they share it with the first one.
fn share(functions: Vec<Function>) -> Vec<Arc<FunctionSpec>> {
    let mut functions = functions.into_iter().map(|function| function.spec);
    let Some(first) = functions.next() else {
        return Vec::new();
    };
    let first = Arc::new(first);
    let others = functions.map(|mut spec| {
        alike(&first.scaling, &mut spec.scaling);
        alike(&first.limits, &mut spec.limits);
        alike(&first.isolation, &mut spec.isolation);
        alike(&first.timeouts, &mut spec.timeouts);
        Arc::new(spec)
    });
    let others: Vec<_> = others.collect();
    std::iter::once(first).chain(others).collect()
}

/// Shares what is equal.
fn alike<T: PartialEq>(first: &Arc<T>, mine: &mut Arc<T>) {
    if *first == *mine {
        *mine = Arc::clone(first);
    }
}
