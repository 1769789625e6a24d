//! Rules between the keys about administrators, and the files of their tokens.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ring::digest::{SHA256, digest};

use crate::draft::admin::{AdminDraft, TokenDraft};
use crate::function::absolute;
use crate::gateway::check_socket;
use crate::page::Rules;
use crate::schema::rules as texts;
use crate::spec::{AdminRole, AdminSpec, AdminTokenSpec};

/// More are no list that a person keeps, and every wrong token is compared with all.
const MOST_TOKENS: usize = 1000;

/// What callers over the Unix socket are called.
const SOCKET: &str = "socket";

/// Checks and completes what the gateway file says of administrators.
pub(crate) fn finish(
    rules: &mut Rules<'_, '_>,
    draft: AdminDraft,
    (home, state_dir): (&Path, &Path),
) -> AdminSpec {
    let socket = match draft.socket {
        Some(socket) => {
            let socket = absolute(home, &socket);
            check_socket(rules, "admin.socket", &socket);
            socket
        }
        None => state_dir.join("admin.sock"),
    };
    let both = rules.has("admin.token") && rules.has("admin.token-file");
    rules.require(!both, "admin.token-file", &["admin.token"], || {
        "no token-file beside admin.token".to_owned()
    });
    let first = match draft.token_file {
        Some(path) => read_token(rules, "admin.token-file", &absolute(home, &path)),
        None => draft.token,
    };
    let first = first.map(|token| AdminTokenSpec {
        name: AdminSpec::TOKEN.to_owned(),
        role: AdminRole::Admin,
        digest: sha256(&token),
    });
    let mut tokens: Vec<AdminTokenSpec> = first.into_iter().collect();
    named(rules, draft.tokens, home, &mut tokens);
    let some = ["admin.token", "admin.token-file", "admin.tokens"];
    let some = some.iter().any(|key| rules.has(key));
    rules.require(draft.listen.is_none() || some, "admin.listen", &[], || {
        "admin.token-file, admin.token or [[admin.tokens]] with it: over TCP a token is required"
            .to_owned()
    });
    AdminSpec {
        socket,
        listen: draft.listen,
        tokens,
    }
}

/// Adds those that have a name and a role.
fn named(
    rules: &mut Rules<'_, '_>,
    drafts: Vec<(TokenDraft, usize)>,
    home: &Path,
    tokens: &mut Vec<AdminTokenSpec>,
) {
    let count = drafts.len();
    rules.require(count <= MOST_TOKENS, "admin.tokens", &[], || {
        format!("at most {MOST_TOKENS} of them")
    });
    for (draft, index) in drafts {
        let key = |name: &str| format!("admin.tokens[{index}].{name}");
        let reserved = [AdminSpec::TOKEN, SOCKET].contains(&&*draft.name);
        let free = !reserved && tokens.iter().all(|earlier| earlier.name != draft.name);
        rules.require(free, &key("name"), &[], || {
            format!(
                "a name that no other token has and that is not {:?} or {SOCKET:?}",
                AdminSpec::TOKEN
            )
        });
        let one = draft.token_file.is_some() != draft.digest.is_some();
        let blamed = if draft.digest.is_some() {
            "hash"
        } else {
            "token-file"
        };
        let either = [key("token-file"), key("hash"), key("name")];
        let either: Vec<&str> = either.iter().map(String::as_str).collect();
        rules.require(one, &key(blamed), &either, || {
            "either token-file or hash".to_owned()
        });
        let digest = match draft.token_file {
            Some(path) => private_token(rules, &key("token-file"), &absolute(home, &path)),
            None => draft.digest,
        };
        if let (Some(role), Some(digest)) = (draft.role, digest) {
            let name = draft.name;
            tokens.push(AdminTokenSpec { name, role, digest });
        }
    }
}

/// The digest of the token in a file that nobody else may read.
fn private_token(rules: &mut Rules<'_, '_>, key: &str, path: &Path) -> Option<[u8; 32]> {
    let mode = std::fs::metadata(path).map(|data| data.permissions().mode());
    if let Ok(mode) = mode {
        rules.require(mode & 0o077 == 0, key, &[], || {
            let path = path.display();
            format!(
                "a file that nobody but its owner may read or write: chmod 600 {path}, which has \
                 mode {:03o}",
                mode & 0o777
            )
        });
    }
    read_token(rules, key, path).map(|token| sha256(&token))
}

fn read_token(rules: &mut Rules<'_, '_>, key: &str, path: &Path) -> Option<String> {
    match crate::load::read_text(path) {
        Ok(text) => {
            let token = text.trim();
            rules.require(texts::is_token(token), key, &[], || {
                format!("a file that holds {}", texts::TOKEN)
            });
            Some(token.to_owned())
        }
        Err(problem) => {
            rules.require(false, key, &[], || {
                let path = path.display();
                format!("a file that can be read; {path} cannot: {problem}")
            });
            None
        }
    }
}

fn sha256(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}
