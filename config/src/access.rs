//! Rules between the keys about who may call.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Deserialize;

use crate::draft::{FunctionDraft, IssuerDraft};
use crate::error::ConfigError;
use crate::function::{Function, absolute};
use crate::page::Rules;
use crate::schema::rules as texts;
use crate::spec::{AccessLevel, AccessSpec, IssuerKeys, IssuerSpec, RateLimitSpec, RateSubject};

/// Checks and completes what a manifest says.
pub(crate) fn function(rules: &mut Rules<'_, '_>, draft: &mut FunctionDraft) {
    let access = &mut draft.access;
    access.rate_limits = std::mem::take(&mut draft.rate_limits)
        .into_iter()
        .filter_map(|row| {
            Some(RateLimitSpec {
                by: row.by?,
                requests: row.requests,
                per: row.per,
                burst: row.burst.unwrap_or(row.requests),
            })
        })
        .collect();
    let named = !access.jwt.issuers.is_empty();
    for key in ["access.jwt.scopes", "access.jwt.forward", "access.claims"] {
        let holds = named || !rules.has(key);
        rules.require(holds, key, &["access.jwt.issuers"], || {
            "access.jwt.issuers with it: without issuers there are no tokens".to_owned()
        });
    }
    let any_origin = !access.cors.origins.is_empty();
    for key in ["methods", "headers", "expose", "credentials", "max-age"] {
        let key = format!("access.cors.{key}");
        let holds = any_origin || !rules.has(&key);
        rules.require(holds, &key, &["access.cors.origins"], || {
            "access.cors.origins with it: without origins it means nothing".to_owned()
        });
    }
    for (claim, header) in &access.jwt.claims {
        let key = format!("access.claims.{claim}");
        rules.require(
            texts::is_own_header(header),
            &key,
            &["access.claims"],
            || texts::OWN_HEADER.to_owned(),
        );
    }
    let any = access.cors.origins.iter().any(|origin| origin == "*");
    let both = any && access.cors.credentials;
    let others = ["access.cors.origins"];
    rules.require(!both, "access.cors.credentials", &others, || {
        "false beside origins = [\"*\"]: browsers refuse it together".to_owned()
    });
    keyed(rules, access);
}

/// Callers are told apart by a key or token only where one is needed.
fn keyed(rules: &mut Rules<'_, '_>, access: &AccessSpec) {
    let known = access.level != AccessLevel::Anonymous || !access.jwt.issuers.is_empty();
    // Indices are those of the file only if every row of it was taken.
    if known || !rules.page.sound(&["access.rate-limits"]) {
        return;
    }
    for (index, limit) in access.rate_limits.iter().enumerate() {
        let key = format!("access.rate-limits[{index}].by");
        let others = ["access.level", "access.jwt.issuers"];
        rules.require(limit.by != RateSubject::Key, &key, &others, || {
            "\"address\" or \"function\", unless access.level or access.jwt.issuers asks for keys \
             or tokens"
                .to_owned()
        });
    }
}

/// The issuers of a gateway file, and the files that their keys were read from.
pub(crate) fn issuers(
    rules: &mut Rules<'_, '_>,
    drafts: Vec<(IssuerDraft, usize)>,
    home: &Path,
) -> (Vec<IssuerSpec>, Vec<PathBuf>) {
    let mut issuers: Vec<IssuerSpec> = Vec::new();
    let mut files = Vec::new();
    for (draft, index) in drafts {
        let key = |name: &str| format!("jwt[{index}].{name}");
        let twice = issuers.iter().any(|earlier| earlier.name == draft.name);
        rules.require(!twice, &key("name"), &[], || {
            "a name that no other [[jwt]] has".to_owned()
        });
        let one = draft.keys_file.is_some() != draft.jwks_url.is_some();
        let blamed = if draft.jwks_url.is_some() {
            "jwks-url"
        } else {
            "keys-file"
        };
        let others = [key("keys-file"), key("jwks-url")];
        let others: Vec<&str> = others.iter().map(String::as_str).collect();
        rules.require(one, &key(blamed), &others, || {
            "either keys-file or jwks-url".to_owned()
        });
        let shared = draft.algorithms.iter().any(|name| name.starts_with("HS"));
        let public = draft.jwks_url.is_some();
        rules.require(!(shared && public), &key("algorithms"), &[], || {
            "no HS* beside jwks-url: what is fetched is public".to_owned()
        });
        let keys = match (draft.keys_file, draft.jwks_url) {
            (Some(path), _) => {
                let path = absolute(home, &path);
                files.push(path.clone());
                let text = key_set(rules, &key("keys-file"), &path);
                IssuerKeys::File(path, text)
            }
            (None, url) => IssuerKeys::Url(url.unwrap_or_default()),
        };
        issuers.push(IssuerSpec {
            name: draft.name,
            issuer: draft.issuer,
            audience: draft.audience,
            algorithms: draft.algorithms,
            keys,
            refresh: draft.refresh,
            leeway: draft.leeway,
        });
    }
    (issuers, files)
}

/// The text of a key set, of which only the outermost form is checked here.
fn key_set(rules: &mut Rules<'_, '_>, key: &str, path: &Path) -> Arc<str> {
    #[derive(Deserialize)]
    struct KeySet {
        keys: Vec<serde::de::IgnoredAny>,
    }
    match crate::load::read_text(path) {
        Ok(text) => {
            let set = serde_json::from_str::<KeySet>(&text);
            let whole = set.is_ok_and(|set| !set.keys.is_empty());
            rules.require(whole, key, &[], || {
                "a file that holds a JSON Web Key Set, {\"keys\": [...]}, with at least one key"
                    .to_owned()
            });
            text.into()
        }
        Err(problem) => {
            rules.require(false, key, &[], || {
                format!(
                    "a file that can be read; {} cannot: {problem}",
                    path.display()
                )
            });
            Arc::from("")
        }
    }
}

/// Issuers that manifests name and the gateway file does not have.
pub(crate) fn unknown_issuers(functions: &[Function], issuers: &[IssuerSpec]) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    for function in functions {
        for name in &function.spec.access.jwt.issuers {
            if issuers.iter().any(|issuer| issuer.name == *name) {
                continue;
            }
            let known: Vec<&str> = issuers.iter().map(|issuer| issuer.name.as_str()).collect();
            let known = match known.as_slice() {
                [] => "it has none".to_owned(),
                known => format!("it has {}", known.join(", ")),
            };
            errors.push(ConfigError {
                file: function.file.clone(),
                line: function.issuers_line,
                key: "access.jwt.issuers".to_owned(),
                value: format!("{name:?}"),
                expected: format!("the name of a [[jwt]] of the gateway file; {known}"),
            });
        }
    }
    errors
}
