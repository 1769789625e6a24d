//! The routes of the portal.

use axum::routing::on;

use super::super::portal;
use super::super::problem::Kind;
use super::super::route::{Answer, BLANK, Route, text};

/// For whoever has the file already.
const KNOWN: Answer = Answer {
    status: 304,
    meaning: "It is the one that the caller has",
    content: None,
};

pub(super) const ROUTES: &[Route] = &[
    Route {
        path: "/",
        role: None,
        id: "portal",
        summary: "A page for people, which asks for what it shows by the other routes",
        answers: &[text(200, "The page", "text/html"), KNOWN],
        handler: |method| on(method, portal::page),
        ..BLANK
    },
    Route {
        path: "/portal/{file}",
        role: None,
        id: "portal_file",
        summary: "A file of that page",
        answers: &[
            text(200, "The file", "text/javascript"),
            text(200, "The file", "text/css"),
            text(200, "The file", "image/svg+xml"),
            KNOWN,
        ],
        problems: &[Kind::UnknownRoute],
        handler: |method| on(method, portal::file),
        ..BLANK
    },
];
