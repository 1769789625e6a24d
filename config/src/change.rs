//! Settings of a manifest that are tried out: written on one line, and read as if they stood in it.

mod scaling;
mod shadow;

use std::fmt::{self, Display, Formatter};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use toml::{Table, Value};

use crate::error::{ConfigError, Errors};
use crate::function::{self, Place, absolute};
use crate::load::read_text;
use crate::schema::{self, Content, Field, Name, manifest};
use crate::spec::FunctionSpec;

/// A manifest that says nothing but what it must.
const BLANK: &str = "name = \"function\"\ncommand = [\"true\"]\n";

/// Settings in place of those of a manifest, such as `kpa,stable-window=30s`.
///
/// Each part is `KEY=VALUE`; a part without `=` is the policy. A key is one of a manifest's, with
/// its table (`queue.max-waiters`) or without: then it is one of `[scaling]`, or the beginning of
/// exactly one of those, or of exactly one other table. A value is written as in a manifest, but
/// texts need no quotes. Nothing is checked before [`Changes::apply`], which goes by the same
/// tables of keys as every manifest.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    parts: Vec<Change>,
}

/// Every policy by its name in a manifest.
pub fn policies() -> Vec<&'static str> {
    let keys = manifest::SECTIONS
        .iter()
        .filter(|section| section.name == "scaling");
    let keys = keys.flat_map(|section| match section.content {
        Content::Keys(keys) => keys,
        Content::Over { .. } | Content::Rows(_) | Content::Names { .. } => &[],
    });
    let policy = keys.filter(|key| key.name == "policy");
    let names = policy.flat_map(|key| match key.field {
        Field::Choice(choices) => choices,
        _ => &[],
    });
    names.map(|(name, _)| *name).collect()
}

#[derive(Clone, Debug, PartialEq)]
struct Change {
    /// Empty for the beginning of the file.
    section: String,
    key: String,
    value: Value,
}

impl Changes {
    /// Sets a key, in place of what was said of it before.
    ///
    /// An error is a key that is not known, or not unique.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let (section, key) = find(key.trim())?;
        self.parts
            .retain(|part| (part.section.as_str(), part.key.as_str()) != (section, key));
        self.parts.push(Change {
            section: section.to_owned(),
            key: key.to_owned(),
            value: read_value(value.trim()),
        });
        Ok(())
    }

    /// These, and then those of `other`.
    pub fn and(&self, other: &Changes) -> Changes {
        let mut both = self.clone();
        for part in &other.parts {
            both.parts
                .retain(|it| (&it.section, &it.key) != (&part.section, &part.key));
            both.parts.push(part.clone());
        }
        both
    }

    /// True if nothing is changed.
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The function of a manifest with these settings, or of one that says nothing else.
    ///
    /// Errors are those of the manifest, without lines, for it was not written like that.
    pub fn apply(&self, manifest: Option<&Path>) -> Result<FunctionSpec, Errors> {
        self.applied(manifest, None)
    }

    /// The function with these settings, whether its manifest has its name or not.
    ///
    /// # Errors
    /// As of [`Changes::apply`].
    pub fn apply_to(&self, function: &FunctionSpec) -> Result<FunctionSpec, Errors> {
        self.applied(Some(&function.manifest), Some(&function.name))
    }

    fn applied(&self, manifest: Option<&Path>, name: Option<&str>) -> Result<FunctionSpec, Errors> {
        let shown = manifest.unwrap_or_else(|| Path::new("settings"));
        let place = absolute(Path::new(""), shown);
        let fail = |errors: Vec<ConfigError>| {
            let plain = errors
                .into_iter()
                .map(|error| ConfigError { line: 0, ..error });
            Errors::check(plain.collect(), vec![place.clone()])
        };
        let text = match manifest {
            None => BLANK.to_owned(),
            Some(path) => match read_text(path) {
                Ok(text) => text,
                Err(problem) => {
                    fail(vec![unreadable(path, &problem.to_string())])?;
                    String::new()
                }
            },
        };
        // What is not TOML says so when it is read as a manifest.
        let text = match text.parse::<Table>() {
            Ok(table) => self.merged(table).to_string(),
            Err(_) => text,
        };
        let at = Place {
            file: shown,
            absolute: &place,
            name,
        };
        let (function, errors) = function::read(at, &text);
        fail(errors)?;
        let function = function.expect("a manifest without errors makes a function");
        Ok(function.spec)
    }

    /// What stands in a manifest that has these settings and nothing else, as TOML.
    pub fn to_toml(&self) -> String {
        self.merged(Table::new()).to_string()
    }

    /// What to change in a manifest, table by table: a line with `-` for what stands in it now, and
    /// one with `+` for each of these settings that is not the same. What holds without being written
    /// is left out.
    pub fn diff(&self, manifest: Option<&Path>) -> String {
        let text = manifest.and_then(|path| read_text(path).ok());
        let old = text.and_then(|text| text.parse::<Table>().ok());
        let old = old.unwrap_or_default();
        let shown = manifest.unwrap_or_else(|| Path::new(crate::MANIFEST));
        let mut out = format!("--- {0}\n+++ {0}\n", shown.display());
        let mut parts = self.parts.clone();
        parts.retain(|part| {
            let written = lookup(&old, &part.section, &part.key).is_some();
            written || self.matters(part, manifest)
        });
        let mut sections: Vec<&str> = Vec::new();
        for part in &parts {
            if !sections.contains(&part.section.as_str()) {
                sections.push(&part.section);
            }
        }
        for section in sections {
            if !section.is_empty() {
                out.push_str(&format!(" [{section}]\n"));
            }
            for part in parts.iter().filter(|part| part.section == section) {
                let now = lookup(&old, section, &part.key);
                if now == Some(&part.value) {
                    out.push_str(&format!(" {} = {}\n", part.key, part.value));
                    continue;
                }
                if let Some(now) = now {
                    out.push_str(&format!("-{} = {now}\n", part.key));
                }
                out.push_str(&format!("+{} = {}\n", part.key, part.value));
            }
        }
        out
    }

    /// Whether the function would be another one without this setting, as far as can be told.
    fn matters(&self, part: &Change, manifest: Option<&Path>) -> bool {
        let mut without = self.clone();
        without.parts.retain(|other| other != part);
        match (self.apply(manifest), without.apply(manifest)) {
            (Ok(with), Ok(without)) => with != without,
            _ => true,
        }
    }

    /// Each as `TABLE.KEY` and its TOML value, in order.
    pub fn iter(&self) -> impl Iterator<Item = (String, String)> {
        self.parts
            .iter()
            .map(|part| (part.name(), part.value.to_string()))
    }

    fn merged(&self, mut table: Table) -> Table {
        for part in &self.parts {
            let mut names = part.section.split('.').filter(|name| !name.is_empty());
            let place = names.try_fold(&mut table, |place, name| {
                let below = place.entry(name);
                let below = below.or_insert_with(|| Value::Table(Table::new()));
                below.as_table_mut()
            });
            // What is no table is refused when it is read as a manifest.
            if let Some(place) = place {
                place.insert(part.key.clone(), part.value.clone());
            }
        }
        table
    }
}

impl FromStr for Changes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut changes = Changes::default();
        for part in text.split(',').map(str::trim).filter(|it| !it.is_empty()) {
            match part.split_once('=') {
                Some((key, value)) => changes.set(key, value)?,
                None => changes.set("scaling.policy", part)?,
            }
        }
        Ok(changes)
    }
}

impl Display for Changes {
    /// As it can be written.
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (index, part) in self.parts.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            let value = match &part.value {
                Value::String(text) if read_value(text.trim()) == part.value => text.clone(),
                other => other.to_string(),
            };
            match (part.section.as_str(), part.key.as_str()) {
                ("scaling", "policy") if !value.is_empty() && !value.contains('=') => {
                    f.write_str(&value)?
                }
                ("scaling", key) => write!(f, "{key}={value}")?,
                _ => write!(f, "{}={value}", part.name())?,
            }
        }
        Ok(())
    }
}

impl Change {
    fn name(&self) -> String {
        match self.section.as_str() {
            "" => self.key.clone(),
            section => format!("{section}.{}", self.key),
        }
    }
}

fn unreadable(file: &Path, problem: &str) -> ConfigError {
    ConfigError {
        file: PathBuf::from(file),
        line: 0,
        key: String::new(),
        value: problem.to_owned(),
        expected: "a readable file of UTF-8 text of at most 4MiB".to_owned(),
    }
}

fn lookup<'t>(table: &'t Table, section: &str, key: &str) -> Option<&'t Value> {
    let mut names = section.split('.').filter(|name| !name.is_empty());
    let place = names.try_fold(table, |place, name| place.get(name)?.as_table())?;
    place.get(key)
}

/// As TOML if it is that, else a text.
fn read_value(text: &str) -> Value {
    let document = format!("value = {text}");
    let table = document.parse::<Table>().ok();
    let value = table.and_then(|mut table| table.remove("value"));
    value.unwrap_or_else(|| Value::String(text.to_owned()))
}

/// The keys of a manifest, and those of lists of tables, where one line cannot say which is meant.
fn names() -> (Vec<Name>, Vec<Name>) {
    let sections = manifest::SECTIONS.iter();
    let lists: Vec<&str> = sections
        .filter(|section| matches!(section.content, Content::Rows(_)))
        .map(|section| section.name)
        .collect();
    // A table as a whole is none.
    let is_table = |name: &str| manifest::SECTIONS.iter().any(|it| it.name == name);
    manifest::names()
        .into_iter()
        .filter(|(place, key)| !place.is_empty() || !is_table(key))
        .partition(|(place, _)| !lists.contains(place))
}

/// Table and key of a name.
fn find(name: &str) -> Result<(&'static str, &'static str), String> {
    let (names, rows) = names();
    if rows
        .iter()
        .any(|(place, key)| format!("{place}.{key}") == name)
    {
        return Err(format!(
            "{name:?} is of a list of tables, which is written in a manifest only"
        ));
    }
    if let Some((section, key)) = name.rsplit_once('.') {
        let known = names
            .iter()
            .find(|(place, it)| *place == section && *it == key);
        return known.copied().ok_or_else(|| {
            let wanted = schema::suggestion(section, key, &names);
            format!("{name:?} is no key of a manifest, expected {wanted}")
        });
    }
    const MAIN: &str = "scaling";
    let matching = |is: &dyn Fn(&str, &str) -> bool| {
        let all = names.iter().filter(|(place, key)| is(place, key));
        all.copied().collect::<Vec<_>>()
    };
    for all in [
        matching(&|place, key| place == MAIN && key == name),
        matching(&|place, key| place == MAIN && !name.is_empty() && key.starts_with(name)),
        matching(&|place, key| place != MAIN && key == name),
    ] {
        match all.as_slice() {
            [] => {}
            [one] => return Ok(*one),
            several => {
                let shown = several.iter().map(|(place, key)| format!("{place}.{key}"));
                let shown: Vec<String> = shown.collect();
                return Err(format!("{name:?} may be any of {}", shown.join(", ")));
            }
        }
    }
    let wanted = schema::suggestion(MAIN, name, &names);
    Err(format!(
        "{name:?} is no key of a manifest, expected {wanted}"
    ))
}

#[cfg(test)]
mod tests;
