//! The routes of what was published.

use std::collections::BTreeMap;

use axum::routing::on;

use super::super::audit::{self, AuditQuery};
use super::super::invoke;
use super::super::problem::Kind;
use super::super::registry::diff::{self, DiffQuery};
use super::super::registry::{aliases, canary, revisions, secrets, settings, traffic};
use super::super::route::{
    ADMIN, Answer, BLANK, PUBLISHER, READER, Route, Verb, body, json, opaque, schema,
};
use super::super::scaling::{self, ScalingKeys, TOML};
use crate::canary::{CanaryState, Plan};
use crate::wire::{
    AliasInfo, AliasRequest, AuditRecord, Counterfactual, InvokeAnswer, InvokeRequest,
    PolicyHistory, RevisionDetail, RevisionDiff, RevisionSummary, RollbackRequest, SecretRequest,
    SecretSummary, Traffic,
};

/// Whatever changes a published function.
const CHANGE: &[Kind] = &[
    Kind::NotPublished,
    Kind::FunctionConflict,
    Kind::RevisionConflict,
    Kind::UnknownRevision,
    Kind::RegistryFull,
    Kind::InvalidRevision,
    Kind::InvalidConfiguration,
    Kind::Unavailable,
];

/// Whatever looks at one.
const LOOK: &[Kind] = &[Kind::NotPublished, Kind::UnknownRevision, Kind::Unavailable];

/// Whatever takes long about it.
const LOOK_LONG: &[Kind] = &[
    Kind::NotPublished,
    Kind::UnknownRevision,
    Kind::Unavailable,
    Kind::Busy,
];

const GONE: Answer = Answer {
    status: 204,
    meaning: "It is gone",
    content: None,
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Delete,
        path: "/v1/functions/{name}",
        role: PUBLISHER,
        id: "delete_function",
        summary: "Delete a published function with all its revisions, settings and secrets",
        answers: &[GONE],
        problems: CHANGE,
        handler: |method| on(method, revisions::delete),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/revisions",
        role: READER,
        id: "list_revisions",
        summary: "The revisions of a function",
        answers: &[json::<Vec<RevisionSummary>>(200, "Newest first")],
        problems: LOOK,
        handler: |method| on(method, revisions::list),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/revisions/{n}",
        role: READER,
        id: "show_revision",
        summary: "All about a revision",
        answers: &[json::<RevisionDetail>(200, "The revision")],
        problems: LOOK,
        handler: |method| on(method, revisions::show),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/revisions/{n}/package",
        role: PUBLISHER,
        id: "download_package",
        summary: "A revision's package, as it was sent",
        answers: &[
            Answer {
                status: 200,
                meaning: "An archive: zip, or tar compressed by gzip",
                content: Some(opaque("application/zip")),
            },
            Answer {
                status: 200,
                meaning: "",
                content: Some(opaque("application/gzip")),
            },
        ],
        problems: LOOK_LONG,
        handler: |method| on(method, revisions::package),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/diff",
        role: READER,
        id: "diff_revisions",
        summary: "What differs between two revisions: manifest, settings, files",
        query: Some(schema::<DiffQuery>),
        answers: &[json::<RevisionDiff>(200, "The difference")],
        problems: LOOK_LONG,
        handler: |method| on(method, diff::show),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/rollback",
        role: PUBLISHER,
        id: "roll_back",
        summary: "Send all requests to an earlier revision",
        request: &[body::<RollbackRequest>()],
        answers: &[json::<Traffic>(200, "How requests are divided now")],
        problems: CHANGE,
        handler: |method| on(method, traffic::roll_back),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/traffic",
        role: READER,
        id: "show_traffic",
        summary: "How requests are divided among revisions",
        answers: &[json::<Traffic>(200, "The parts")],
        problems: LOOK,
        handler: |method| on(method, traffic::show),
        ..BLANK
    },
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}/traffic",
        role: PUBLISHER,
        id: "set_traffic",
        summary: "Divide requests among revisions",
        request: &[body::<Traffic>()],
        needs_body: true,
        answers: &[json::<Traffic>(200, "How requests are divided now")],
        problems: CHANGE,
        handler: |method| on(method, traffic::set),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/canary",
        role: READER,
        id: "show_canary",
        summary: "The revision that is tried step by step, or was last",
        answers: &[json::<CanaryState>(200, "How it stands")],
        problems: &[Kind::NotPublished, Kind::UnknownCanary, Kind::Unavailable],
        handler: |method| on(method, canary::show),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/canary",
        role: PUBLISHER,
        id: "begin_canary",
        summary: "Give a revision more and more of the requests, unless it is worse",
        request: &[body::<Plan>()],
        needs_body: true,
        answers: &[json::<CanaryState>(201, "It has begun")],
        problems: CHANGE,
        handler: |method| on(method, canary::begin),
        ..BLANK
    },
    Route {
        method: Verb::Delete,
        path: "/v1/functions/{name}/canary",
        role: PUBLISHER,
        id: "end_canary",
        summary: "End it; the traffic is as it was before",
        answers: &[json::<CanaryState>(200, "It is ended")],
        problems: CHANGE,
        handler: |method| on(method, canary::end),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/aliases",
        role: READER,
        id: "list_aliases",
        summary: "The names of revisions",
        answers: &[json::<Vec<AliasInfo>>(200, "By name")],
        problems: LOOK,
        handler: |method| on(method, aliases::list),
        ..BLANK
    },
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}/aliases/{alias}",
        role: PUBLISHER,
        id: "set_alias",
        summary: "Give a revision a name, or a name to another revision",
        request: &[body::<AliasRequest>()],
        needs_body: true,
        answers: &[json::<AliasInfo>(200, "The name")],
        problems: CHANGE,
        handler: |method| on(method, aliases::set),
        ..BLANK
    },
    Route {
        method: Verb::Delete,
        path: "/v1/functions/{name}/aliases/{alias}",
        role: PUBLISHER,
        id: "delete_alias",
        summary: "Forget a name of a revision",
        answers: &[GONE],
        problems: &[
            Kind::NotPublished,
            Kind::FunctionConflict,
            Kind::UnknownAlias,
            Kind::InvalidRevision,
            Kind::InvalidConfiguration,
            Kind::Unavailable,
        ],
        handler: |method| on(method, aliases::delete),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/settings",
        role: READER,
        id: "show_settings",
        summary: "What the instances of the next revision are told in their environment",
        answers: &[json::<BTreeMap<String, String>>(200, "By name")],
        problems: LOOK,
        handler: |method| on(method, settings::show),
        ..BLANK
    },
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}/settings",
        role: PUBLISHER,
        id: "set_settings",
        summary: "Put settings in place of all that there are, which makes a new revision",
        request: &[body::<BTreeMap<String, String>>()],
        needs_body: true,
        answers: &[json::<BTreeMap<String, String>>(200, "The settings")],
        problems: CHANGE,
        handler: |method| on(method, settings::set),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/secrets",
        role: PUBLISHER,
        id: "list_secrets",
        summary: "The names of secrets; no route tells their values",
        answers: &[json::<Vec<SecretSummary>>(200, "By name")],
        problems: LOOK,
        handler: |method| on(method, secrets::list),
        ..BLANK
    },
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}/secrets/{key}",
        role: PUBLISHER,
        id: "set_secret",
        summary: "Set a secret",
        request: &[body::<SecretRequest>()],
        needs_body: true,
        answers: &[json::<SecretSummary>(200, "What may be known of it")],
        problems: CHANGE,
        handler: |method| on(method, secrets::set),
        ..BLANK
    },
    Route {
        method: Verb::Delete,
        path: "/v1/functions/{name}/secrets/{key}",
        role: PUBLISHER,
        id: "delete_secret",
        summary: "Forget a secret",
        answers: &[GONE],
        problems: &[
            Kind::NotPublished,
            Kind::FunctionConflict,
            Kind::UnknownSecret,
            Kind::InvalidRevision,
            Kind::InvalidConfiguration,
            Kind::Unavailable,
        ],
        handler: |method| on(method, secrets::delete),
        ..BLANK
    },
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}/scaling",
        role: ADMIN,
        id: "set_scaling",
        summary: "Put keys of [scaling] in force, in place of the manifest's",
        request: &[body::<ScalingKeys>(), opaque(TOML)],
        needs_body: true,
        answers: &[json::<PolicyHistory>(200, "They are in force")],
        problems: &[
            Kind::InvalidScale,
            Kind::PolicyConflict,
            Kind::InvalidConfiguration,
        ],
        handler: |method| on(method, scaling::set),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/simulate",
        role: READER,
        id: "simulate",
        summary: "What other keys of [scaling] would have given in the last hour",
        request: &[body::<ScalingKeys>(), opaque(TOML)],
        needs_body: true,
        answers: &[json::<Counterfactual>(
            200,
            "What was, and what would have been",
        )],
        problems: &[Kind::InvalidScale, Kind::Busy],
        changes: false,
        handler: |method| on(method, scaling::simulate),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/invoke",
        role: PUBLISHER,
        id: "invoke",
        summary: "Call a function, through the gateway",
        request: &[body::<InvokeRequest>()],
        answers: &[json::<InvokeAnswer>(
            200,
            "The function's answer, whatever it is",
        )],
        problems: &[Kind::Busy, Kind::NoAnswer],
        handler: |method| on(method, invoke::call),
        ..BLANK
    },
    Route {
        path: "/v1/audit",
        role: ADMIN,
        id: "audit",
        summary: "Who changed what",
        query: Some(schema::<AuditQuery>),
        answers: &[json::<Vec<AuditRecord>>(200, "Newest first")],
        handler: |method| on(method, audit::list),
        ..BLANK
    },
];
