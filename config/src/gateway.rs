//! From a gateway file to a [`GatewaySpec`].

use std::cell::OnceCell;
use std::path::{Path, PathBuf};

use crate::draft::{AdminDraft, GatewayDraft};
use crate::error::ConfigError;
use crate::function::absolute;
use crate::page::{Page, Rules, locate};
use crate::schema::{self, gateway, rules};
use crate::spec::{Address, AdminSpec, GatewaySpec, TakeoverSpec};
use crate::{SOCKET_NAME_MAX, SOCKET_PATH_MAX};

/// What a gateway file says.
pub(crate) struct Gateway {
    pub(crate) spec: GatewaySpec,
    /// Directories of functions as written, each with its line.
    pub(crate) functions: Vec<(String, usize)>,
    /// The token's file, if it was read.
    pub(crate) token_file: Option<PathBuf>,
}

/// Reads a gateway file whose directory has the absolute path `home`.
pub(crate) fn read(file: &Path, home: &Path, text: &str) -> (Gateway, Vec<ConfigError>) {
    let room = OnceCell::new();
    let (mut page, table) = Page::parse(file, (text, &room), gateway::names);
    let mut draft = schema::with_presets(gateway::SECTIONS, GatewayDraft::blank());
    page.read(&table, gateway::SECTIONS, &mut draft);
    let functions = std::mem::take(&mut draft.functions);
    // Indices are those of the file only if every element of it was taken.
    let whole = page.sound(&["functions"]);
    let located = |(index, directory)| {
        let element = format!("functions[{index}]");
        let value = locate(&table, if whole { &element } else { "functions" });
        (
            directory,
            value.map_or(0, |value| page.line(value.span().start)),
        )
    };
    let functions = functions.into_iter().enumerate().map(located).collect();
    let mut rules = Rules {
        page: &mut page,
        table: &table,
    };
    let token_file = draft
        .admin
        .token_file
        .as_ref()
        .map(|path| absolute(home, path));
    let spec = finish(&mut rules, draft, home);
    (
        Gateway {
            spec,
            functions,
            token_file,
        },
        page.into_errors(),
    )
}

fn finish(rules: &mut Rules<'_, '_>, mut draft: GatewayDraft, home: &Path) -> GatewaySpec {
    let state_dir = absolute(home, &draft.state_dir);
    check_state_dir(rules, &state_dir);
    let admin = admin(rules, draft.admin, (home, &state_dir));
    for address in &mut draft.listen {
        if let Address::Unix(path) = address {
            *path = absolute(home, path);
        }
    }
    check_listeners(rules, &draft.listen, &admin);
    let mut line = draft.logs.line_bytes as u64;
    rules.at_most(
        ("logs.line-bytes", &mut line),
        ("logs.file-bytes", draft.logs.file_bytes),
    );
    draft.logs.line_bytes = crate::units::wide(line);
    let header = draft.timeouts.header;
    GatewaySpec {
        listen: draft.listen,
        threads: draft.threads.unwrap_or_else(cores),
        function_prefix: draft.function_prefix,
        state_dir,
        limits: draft.limits,
        timeouts: draft.timeouts,
        trusted_proxies: draft.trusted_proxies,
        admin,
        adoption: draft.adoption,
        takeover: TakeoverSpec {
            timeout: draft.takeover.timeout,
            idle_grace: draft.takeover.idle_grace.unwrap_or(header),
        },
        logs: draft.logs,
        ports: draft.ports,
    }
}

fn check_state_dir(rules: &mut Rules<'_, '_>, path: &Path) {
    let most = SOCKET_PATH_MAX - SOCKET_NAME_MAX - 1;
    let length = path.as_os_str().len();
    let shown = path.display().to_string();
    rules.require_of(length <= most, ("state-dir", &shown), || {
        format!(
            "a path of at most {most} bytes, as the Unix sockets in it are limited to \
             {SOCKET_PATH_MAX}; {shown} has {length}"
        )
    });
}

fn admin(
    rules: &mut Rules<'_, '_>,
    draft: AdminDraft,
    (home, state_dir): (&Path, &Path),
) -> AdminSpec {
    let AdminDraft {
        socket,
        listen,
        token,
        token_file,
    } = draft;
    let socket = match socket {
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
    let token = match token_file {
        Some(path) => read_token(rules, &absolute(home, &path)),
        None => token,
    };
    let token_named = rules.has("admin.token") || rules.has("admin.token-file");
    rules.require(listen.is_none() || token_named, "admin.listen", &[], || {
        "admin.token-file or admin.token with it: over TCP a token is required".to_owned()
    });
    AdminSpec {
        socket,
        listen,
        token,
    }
}

fn read_token(rules: &mut Rules<'_, '_>, path: &Path) -> Option<String> {
    match crate::load::read_text(path) {
        Ok(text) => {
            let token = text.trim();
            rules.require(rules::is_token(token), "admin.token-file", &[], || {
                format!("a file that holds {}", rules::TOKEN)
            });
            Some(token.to_owned())
        }
        Err(problem) => {
            rules.require(false, "admin.token-file", &[], || {
                format!(
                    "a file that can be read; {} cannot: {problem}",
                    path.display()
                )
            });
            None
        }
    }
}

fn check_listeners(rules: &mut Rules<'_, '_>, listen: &[Address], admin: &AdminSpec) {
    // Indices are those of the file only if every element of it was taken.
    if !rules.page.sound(&["listen"]) {
        return;
    }
    for (index, address) in listen.iter().enumerate() {
        let key = format!("listen[{index}]");
        if let Address::Unix(path) = address {
            check_socket(rules, &key, path);
        }
        let twice = listen[..index]
            .iter()
            .any(|earlier| earlier.clashes(address));
        rules.require(!twice, &key, &[], || {
            "an address that listen does not have yet".to_owned()
        });
    }
    let clashes = |address: &Address| listen.iter().any(|other| other.clashes(address));
    let tcp = admin.listen.map(Address::Tcp);
    rules.require(
        !tcp.as_ref().is_some_and(clashes),
        "admin.listen",
        &[],
        || "an address that is not in listen".to_owned(),
    );
    let socket = Address::Unix(admin.socket.clone());
    let shown = admin.socket.display().to_string();
    rules.require_of(!clashes(&socket), ("admin.socket", &shown), || {
        "a path that is not in listen".to_owned()
    });
}

fn check_socket(rules: &mut Rules<'_, '_>, key: &str, path: &Path) {
    let length = path.as_os_str().len();
    rules.require(length <= SOCKET_PATH_MAX, key, &[], || {
        format!(
            "a path of at most {SOCKET_PATH_MAX} bytes, the limit of a Unix socket; {} has {length}",
            path.display()
        )
    });
}

/// 1 if the system does not tell.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}
