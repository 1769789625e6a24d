//! The routes of the keys that open functions.

use axum::routing::on;

use super::super::keys;
use super::super::problem::Kind;
use super::super::route::{ADMIN, BLANK, Route, Verb, body, json};
use crate::wire::{CreatedKey, KeyRequest, KeySummary, RotationRequest};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/v1/keys",
        role: ADMIN,
        id: "list_keys",
        summary: "The keys that open functions, without what would open anything",
        answers: &[json::<Vec<KeySummary>>(200, "Each of them")],
        handler: |method| on(method, keys::list),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/keys",
        role: ADMIN,
        id: "create_key",
        summary: "Make a key",
        request: &[body::<KeyRequest>()],
        needs_body: true,
        answers: &[json::<CreatedKey>(201, "The key, which is told only now")],
        problems: &[Kind::InvalidKey, Kind::KeyConflict, Kind::UnknownFunction],
        handler: |method| on(method, keys::create),
        ..BLANK
    },
    Route {
        method: Verb::Delete,
        path: "/v1/keys/{id}",
        role: ADMIN,
        id: "revoke_key",
        summary: "Revoke a key",
        answers: &[json::<KeySummary>(200, "It opens nothing any more")],
        problems: &[Kind::UnknownKey],
        handler: |method| on(method, keys::revoke),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/v1/keys/{id}/rotate",
        role: ADMIN,
        id: "rotate_key",
        summary: "Replace a key, which stays valid for a while",
        request: &[body::<RotationRequest>()],
        answers: &[json::<CreatedKey>(
            201,
            "The new key, which is told only now",
        )],
        problems: &[Kind::UnknownKey, Kind::InvalidKey, Kind::KeyConflict],
        handler: |method| on(method, keys::rotate),
        ..BLANK
    },
];
