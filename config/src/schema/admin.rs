//! The keys of the gateway file about administrators.

use super::Field::{Choice, Secret, Text};
use super::Preset::{Else, Required};
use super::{Content, Key, Section, Table, key, rules};
use crate::draft::GatewayDraft;
use crate::draft::admin::TokenDraft;
use crate::spec::AdminRole;

type Draft = GatewayDraft;

pub(super) const ADMIN: Section<Draft> = Section {
    name: "admin",
    meaning: "The administrators' listener. Over the Unix socket its permissions decide who \
        may; over TCP a bearer token does.",
    content: Content::Keys(KEYS),
};

pub(super) const TOKENS: Section<Draft> = Section {
    name: "admin.tokens",
    meaning: "More tokens for callers over TCP, each with a name for the audit log and a role. \
        They take effect at once.",
    content: Content::Rows(&Table {
        keys: TOKEN,
        main: "name",
        add: |d: &mut Draft, token: TokenDraft, (index, _)| d.admin.tokens.push((token, index)),
    }),
};

const KEYS: &[Key<Draft>] = &[
    key(
        "socket",
        Else("`admin.sock` in `state-dir`"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.admin.socket, rules::path(v).map(Some))
        }),
        "The Unix socket, relative to this file; its absolute path has at most 107 bytes. Whoever \
         may connect to it has the role `admin`.",
    ),
    key(
        "listen",
        Else("none"),
        Text(
            "an IP address with a port, such as \"127.0.0.1:9090\"",
            |d, v| rules::put(&mut d.admin.listen, v.parse().ok().map(Some)),
        ),
        "An additional TCP listener; it needs a token.",
    ),
    key(
        "token",
        Else("none"),
        Secret(rules::TOKEN, |d, v| {
            rules::put(
                &mut d.admin.token,
                rules::is_token(v).then(|| Some(v.to_owned())),
            )
        }),
        "What callers over TCP present as a bearer token to have the role `admin`. Better in a file \
         of its own.",
    ),
    key(
        "token-file",
        Else("none"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.admin.token_file, rules::path(v).map(Some))
        }),
        "A file that holds the token instead, relative to this file; white space around it is \
         left out.",
    ),
];

const TOKEN: &[Key<TokenDraft>] = &[
    key(
        "name",
        Required,
        Text(rules::FUNCTION_NAME, |d, v| {
            rules::put(
                &mut d.name,
                rules::is_function_name(v).then(|| v.to_owned()),
            )
        }),
        "What the audit log calls its bearer.",
    ),
    key(
        "role",
        Required,
        Choice(&[
            ("reader", |d| d.role = Some(AdminRole::Reader)),
            ("publisher", |d| d.role = Some(AdminRole::Publisher)),
            ("admin", |d| d.role = Some(AdminRole::Admin)),
        ]),
        "What its bearer may do: look at all but secrets; also change functions, their code, \
         traffic, settings and secrets; everything.",
    ),
    key(
        "token-file",
        Else("none"),
        Text(rules::PATH, |d, v| {
            rules::put(&mut d.token_file, rules::path(v).map(Some))
        }),
        "A file that holds the token, relative to this file, which nobody but its owner may read \
         or write (mode 0600). Either this or `hash`.",
    ),
    key(
        "hash",
        Else("none"),
        Text(rules::DIGEST, |d, v| {
            rules::put(&mut d.digest, rules::digest(v).map(Some))
        }),
        "The SHA-256 of the token, as `printf %s TOKEN | sha256sum` prints it. Only for a token \
         that was made at random: a word is guessed from it.",
    ),
];
