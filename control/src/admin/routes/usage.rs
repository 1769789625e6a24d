//! The routes about usage and budgets.

use axum::routing::on;

use super::super::problem::Kind;
use super::super::query::UsageQuery;
use super::super::route::{ADMIN, BLANK, READER, Route, Verb, body, json, schema};
use super::super::usage;
use crate::wire::{BudgetInfo, Usage};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/usage",
        role: READER,
        id: "usage",
        summary: "What functions used, and what it costs",
        query: Some(schema::<UsageQuery>),
        answers: &[json::<Usage>(200, "Rows by time, function and revision")],
        problems: &[Kind::NoBooks],
        handler: |method| on(method, usage::show),
        ..BLANK
    },
    Route {
        path: "/v1/functions/{name}/budget",
        role: READER,
        id: "show_budget",
        summary: "How much a function may use, and has used of that",
        answers: &[json::<BudgetInfo>(200, "The budget")],
        problems: &[Kind::NoBooks],
        handler: |method| on(method, usage::show_budget),
        ..BLANK
    },
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}/budget",
        role: ADMIN,
        id: "set_budget",
        summary: "Say how much a function may use, in place of what its manifest says",
        request: &[body::<BudgetInfo>()],
        needs_body: true,
        answers: &[json::<BudgetInfo>(200, "It holds")],
        problems: &[Kind::NoBooks, Kind::InvalidBudget],
        handler: |method| on(method, usage::set_budget),
        ..BLANK
    },
];
