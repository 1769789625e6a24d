//! The routes of one function as it runs.

use axum::routing::on;

use super::super::names::NamesQuery;
use super::super::problem::Kind;
use super::super::query::{EvictQuery, ExplainQuery, LogsQuery};
use super::super::route::{
    ADMIN, BLANK, LINES, PUBLISHER, READER, Route, Verb, body, json, schema,
};
use super::super::{evict, explain, functions, logs, policy, scale};
use super::gateway::EVICTED;
use crate::wire::{Explanation, FunctionDetail, FunctionSummary, PolicyHistory, ScaleRequest};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/functions",
        role: READER,
        id: "list_functions",
        summary: "The functions",
        query: Some(schema::<NamesQuery>),
        answers: &[json::<Vec<FunctionSummary>>(200, "Each of them, by name")],
        handler: |method| on(method, functions::list),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}",
        role: READER,
        id: "show_function",
        summary: "All about a function",
        answers: &[json::<FunctionDetail>(200, "The function")],
        handler: |method| on(method, functions::show),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/explain",
        role: READER,
        id: "explain",
        summary: "Why a function has as many instances as it has, and what other settings would give",
        query: Some(schema::<ExplainQuery>),
        answers: &[json::<Explanation>(200, "The reasons")],
        problems: &[Kind::Busy],
        handler: |method| on(method, explain::show),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/logs",
        role: READER,
        id: "read_logs",
        summary: "The output of a function, as far as it is kept and as it comes",
        query: Some(schema::<LogsQuery>),
        answers: &[LINES],
        problems: &[Kind::TooManyFollowers],
        handler: |method| on(method, logs::read),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/policy",
        role: READER,
        id: "policy_history",
        summary: "The policies that a function had",
        answers: &[json::<PolicyHistory>(
            200,
            "Oldest first; the last one is in force",
        )],
        handler: |method| on(method, policy::history),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/policy/promote",
        role: ADMIN,
        id: "promote_policy",
        summary: "Put what is tried in [scaling.shadow] in force",
        answers: &[json::<PolicyHistory>(200, "It is in force")],
        problems: &[Kind::PolicyConflict, Kind::InvalidConfiguration],
        handler: |method| on(method, policy::promote),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/policy/rollback",
        role: ADMIN,
        id: "roll_back_policy",
        summary: "Put the policy before the one in force in force again",
        answers: &[json::<PolicyHistory>(200, "It is in force")],
        problems: &[Kind::PolicyConflict, Kind::InvalidConfiguration],
        handler: |method| on(method, policy::roll_back),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/scale",
        role: ADMIN,
        id: "scale",
        summary: "Hold a function at a number of instances, or hand it back to its policy",
        request: &[body::<ScaleRequest>()],
        needs_body: true,
        answers: &[json::<FunctionSummary>(200, "The function")],
        problems: &[Kind::InvalidScale],
        handler: |method| on(method, scale::scale),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/functions/{name}/evict",
        role: PUBLISHER,
        id: "evict",
        summary: "Stop the instances of a function, so that the next request is a cold start",
        query: Some(schema::<EvictQuery>),
        answers: EVICTED,
        handler: |method| on(method, evict::one),
        ..BLANK
    },
];
