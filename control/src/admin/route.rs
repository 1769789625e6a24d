//! What a route of the admin API is. Each is declared once, in a table: the server's routes, the
//! check of roles and the OpenAPI document are all made from it.

use std::sync::Arc;

use axum::routing::{MethodFilter, MethodRouter};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use stoker_config::AdminRole;

use super::App;
use super::problem::Kind;

/// One method of one path.
#[derive(Clone, Copy)]
pub(super) struct Route {
    /// What is done.
    pub(super) method: Verb,
    /// As axum and OpenAPI both write it: `/v1/functions/{name}`.
    pub(super) path: &'static str,
    /// Who may; none for everybody, also without a token.
    pub(super) role: Option<AdminRole>,
    /// A name that no other route has, for programs made from the document.
    pub(super) id: &'static str,
    /// For people, and the audit log.
    pub(super) summary: &'static str,
    /// An object whose properties are the parameters of the query.
    pub(super) query: Option<SchemaOf>,
    /// What a body may be, each by its media type; none if none is read.
    pub(super) request: &'static [Content],
    /// A request without a body is not valid.
    pub(super) needs_body: bool,
    /// What success looks like.
    pub(super) answers: &'static [Answer],
    /// What can go wrong besides what can in every route of its kind.
    pub(super) problems: &'static [Kind],
    /// It changes something, so it is in the audit log. Only looked at if the method is not GET.
    pub(super) changes: bool,
    /// Answers.
    pub(super) handler: fn(MethodFilter) -> MethodRouter<Arc<App>>,
}

/// The methods of the admin API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

/// A body of some type.
#[derive(Clone, Copy)]
pub(super) struct Content {
    pub(super) media: &'static str,
    /// None if JSON Schema cannot say more than the media type.
    pub(super) schema: Option<SchemaOf>,
}

/// One answer of a success.
#[derive(Clone, Copy)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) meaning: &'static str,
    /// None if there is no body.
    pub(super) content: Option<Content>,
}

/// Tells a type's schema.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// A route that says nothing yet.
pub(super) const BLANK: Route = Route {
    method: Verb::Get,
    path: "",
    role: Some(AdminRole::Admin),
    id: "",
    summary: "",
    query: None,
    request: &[],
    needs_body: false,
    answers: &[],
    problems: &[],
    changes: true,
    handler: |_| MethodRouter::new(),
};

pub(super) const READER: Option<AdminRole> = Some(AdminRole::Reader);
pub(super) const PUBLISHER: Option<AdminRole> = Some(AdminRole::Publisher);
pub(super) const ADMIN: Option<AdminRole> = Some(AdminRole::Admin);

/// JSON objects, one to a line.
pub(super) const LINES: Answer = text(200, "One JSON object to a line", "application/x-ndjson");

/// A body of JSON.
pub(super) const fn body<T: JsonSchema>() -> Content {
    Content {
        media: "application/json",
        schema: Some(schema::<T>),
    }
}

/// A body that is not looked into here.
pub(super) const fn opaque(media: &'static str) -> Content {
    Content {
        media,
        schema: None,
    }
}

/// An answer of JSON.
pub(super) const fn json<T: JsonSchema>(status: u16, meaning: &'static str) -> Answer {
    Answer {
        status,
        meaning,
        content: Some(body::<T>()),
    }
}

/// An answer that is no JSON.
pub(super) const fn text(status: u16, meaning: &'static str, media: &'static str) -> Answer {
    Answer {
        status,
        meaning,
        content: Some(opaque(media)),
    }
}

/// The schema of a type, by name if it has one.
pub(super) fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

impl Route {
    /// Whether it is in the audit log.
    pub(super) fn is_change(&self) -> bool {
        self.changes && self.method != Verb::Get
    }

    /// What can go wrong, those that can in every route of its kind included.
    pub(super) fn all_problems(&self) -> Vec<Kind> {
        let mut all = Vec::new();
        if self.role.is_some() {
            all.extend([Kind::Unauthorized, Kind::Forbidden]);
        }
        if self.query.is_some() || !self.request.is_empty() || self.path.contains('{') {
            all.push(Kind::BadRequest);
        }
        if !self.request.is_empty() {
            all.extend([Kind::RequestTimeout, Kind::BodyTooLarge]);
        }
        if self.path.starts_with("/v1/functions/{name}") {
            all.push(Kind::UnknownFunction);
        }
        if self.role.is_some() {
            all.push(Kind::Internal);
        }
        for kind in self.problems {
            if !all.contains(kind) {
                all.push(*kind);
            }
        }
        all
    }
}

impl Verb {
    /// As axum has it.
    pub(super) fn filter(self) -> MethodFilter {
        match self {
            Verb::Get => MethodFilter::GET,
            Verb::Post => MethodFilter::POST,
            Verb::Put => MethodFilter::PUT,
            Verb::Delete => MethodFilter::DELETE,
        }
    }

    /// In lower case.
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Get => "get",
            Verb::Post => "post",
            Verb::Put => "put",
            Verb::Delete => "delete",
        }
    }
}
