//! Published functions: revisions, traffic, settings and secrets.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A revision in a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionSummary {
    /// Its function.
    pub function: String,
    /// 1, 2, 3... for each function; never given twice.
    pub number: u32,
    /// SHA-256 of its package, 64 hexadecimal digits.
    pub digest: String,
    /// `zip` or `tar.gz`.
    pub kind: String,
    /// Size of its package.
    pub package_bytes: u64,
    /// What its author says of it.
    pub message: String,
    /// In milliseconds since 1970.
    pub created_ms: u64,
    /// Name of the token that published it, or `socket`.
    pub created_by: String,
    /// How much of the function's requests it gets, of 100.
    pub percent: f64,
    /// Names that were given to it.
    pub aliases: Vec<String>,
    /// When its traffic last began or ended, in milliseconds since 1970; `null` if it never had any.
    pub routed_ms: Option<u64>,
    /// Whether it was given up, so that it cannot be called any more.
    pub collected: bool,
}

/// All about a revision.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionDetail {
    /// What a list shows.
    #[serde(flatten)]
    pub summary: RevisionSummary,
    /// The function's settings as of then.
    pub settings: BTreeMap<String, String>,
    /// The text of its `function.toml`.
    pub manifest: String,
    /// What its code consists of, by path; empty if it was collected.
    pub files: Vec<CodeFile>,
    /// There are more files than are told.
    pub files_cut: bool,
}

/// A file of a revision's code.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CodeFile {
    /// Relative to the code.
    pub path: String,
    /// Its size; of a link, that of its target's name.
    pub bytes: u64,
}

/// A revision was published.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Published {
    /// The revision.
    #[serde(flatten)]
    pub revision: RevisionSummary,
    /// Path of the function's default route.
    pub url: String,
    /// Path at which this revision answers, whatever the traffic is.
    pub revision_url: String,
    /// From the first byte of the package until it was in force.
    pub took_ms: f64,
    /// What was done on the way, and what is to be known, for people.
    pub notes: Vec<String>,
}

/// A function as JSON, for those who have no archive.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PublishRequest {
    /// The text of `function.toml`.
    pub manifest: String,
    /// Further files, by path.
    #[serde(default)]
    pub files: BTreeMap<String, String>,
    /// What is new.
    #[serde(default)]
    pub message: String,
}

/// What differs between two revisions.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevisionDiff {
    /// The one.
    pub from: u32,
    /// The other.
    pub to: u32,
    /// Lines of the manifests, each after `+`, `-` or a blank; empty if they are the same.
    pub manifest: String,
    /// Lines of the settings, likewise.
    pub settings: String,
    /// What differs in the code.
    pub files: FilesDiff,
}

/// Which files differ.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilesDiff {
    /// Only the second revision has them.
    pub added: Vec<String>,
    /// Only the first one has them.
    pub removed: Vec<String>,
    /// Both have them, with different content.
    pub changed: Vec<String>,
}

/// Where to go back to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RollbackRequest {
    /// A revision; by default the one that served before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
}

/// How the requests of a function are divided among its revisions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Traffic {
    /// By revision; 100 % together.
    pub weights: Vec<Weight>,
    /// What keeps a caller with one revision; chance if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sticky: Option<Sticky>,
    /// What gets copies of requests, whose answers nobody sees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Weight>,
}

/// A revision's part.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Weight {
    /// Its number.
    #[schemars(range(min = 1))]
    pub revision: u32,
    /// Of 100.
    #[schemars(range(min = 0, max = 100))]
    pub percent: f64,
}

/// What keeps a caller with one revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Sticky {
    /// The value of this header.
    Header(String),
    /// This cookie, which is set if it is not there.
    Cookie(String),
}

/// A name of a revision: `/function/NAME:ALIAS`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AliasInfo {
    /// The name.
    pub alias: String,
    /// The revision.
    pub revision: u32,
}

/// Which revision a name is to lead to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AliasRequest {
    /// Its number.
    #[schemars(range(min = 1))]
    pub revision: u32,
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SecretSummary {
    /// The variable's name.
    pub key: String,
    /// `environment` or `file`.
    #[serde(rename = "as")]
    pub place: String,
    /// 1, 2, 3... each time that it is set.
    pub version: u32,
    /// When it was set, in milliseconds since 1970.
    pub updated_ms: u64,
    /// Who set it.
    pub updated_by: String,
}

/// A secret that is to be set.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretRequest {
    /// At most 64 KiB, without NUL. No route ever tells it.
    pub value: String,
    /// How instances get it.
    #[serde(default, rename = "as")]
    pub place: SecretPlace,
}

/// How instances get a secret.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SecretPlace {
    /// As a variable.
    #[default]
    Environment,
    /// As a file, named by a variable that ends with `_FILE`.
    File,
}

/// Without the value, so that no log ever shows it.
impl std::fmt::Debug for SecretRequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SecretRequest")
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A change that somebody made or tried to make.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditRecord {
    /// Ascending; never given twice.
    pub id: u64,
    /// In milliseconds since 1970.
    pub at_ms: u64,
    /// Name of the token, or `socket`.
    pub who: String,
    /// `reader`, `publisher` or `admin`.
    pub role: String,
    /// Of the request.
    pub method: String,
    /// Of the request, without its query.
    pub path: String,
    /// Of the answer.
    pub status: u16,
    /// What it was about.
    pub what: String,
}

/// A request to a function, made by the gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct InvokeRequest {
    /// `GET` if it is left out.
    #[serde(default)]
    pub method: Option<String>,
    /// Below the function, with its query: `/` if it is left out.
    #[serde(default)]
    pub path: Option<String>,
    /// Names and values.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Text; or `body_base64`.
    #[serde(default)]
    pub body: Option<String>,
    /// Bytes, in base64.
    #[serde(default)]
    pub body_base64: Option<String>,
}

/// A function's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct InvokeAnswer {
    /// Its status.
    pub status: u16,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The body, if it is text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The body in base64, if it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body_base64: Option<String>,
    /// The body was longer.
    pub truncated: bool,
    /// From the first byte sent to the last one received.
    pub elapsed_ms: f64,
    /// Where the time until the answer's head went, as `Server-Timing` tells.
    pub phases: Vec<Phase>,
}

/// A part of the time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Phase {
    /// As in `Server-Timing`.
    pub name: String,
    /// How long it took.
    pub ms: f64,
}

/// How a zip push went, as tools poll for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZipDeployment {
    /// What the address ends with.
    pub id: String,
    /// 0 pending, 1 building, 2 deploying, 3 failed, 4 success, 5 conflict.
    pub status: i32,
    /// The same in a word, or why it failed.
    pub status_text: String,
    /// The function.
    pub site_name: String,
    /// What was said of it.
    pub message: String,
    /// Who pushed it.
    pub author: String,
    /// The tool.
    pub deployer: String,
    /// When it came, RFC 3339.
    pub received_time: String,
    /// When it was over; `null` until then.
    pub end_time: Option<String>,
    /// It is over.
    pub complete: bool,
    /// It serves.
    pub active: bool,
    /// The revision that it became.
    pub revision: Option<u32>,
    /// Where this is.
    pub url: String,
    /// Where its log is.
    pub log_url: String,
}

/// A line of a zip push's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ZipDeployLine {
    /// RFC 3339.
    pub log_time: String,
    /// From 1.
    pub id: String,
    /// What happened.
    pub message: String,
    /// 0 is information, 2 an error.
    #[serde(rename = "type")]
    pub kind: i32,
}
