//! The OpenAPI 3.1 document, made from the table of routes and the types that they speak.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::header::CACHE_CONTROL;
use axum::response::{IntoResponse as _, Response};
use schemars::generate::{Contract, SchemaGenerator, SchemaSettings};
use serde_json::{Map, Value, json};

use super::problem::Kind;
use super::route::{Content, Route};
use super::routes;
use crate::wire::ProblemDocument;

/// What the parts of paths mean, and their patterns.
const PATH_PARAMETERS: &[(&str, &str, &str)] = &[
    ("name", "A function's name", "^[a-z][a-z0-9-]{0,62}$"),
    ("id", "What the list calls it", "^[A-Za-z0-9-]{1,64}$"),
    ("n", "A revision's number", "^[1-9][0-9]{0,8}$"),
    ("alias", "An alias's name", "^[a-z][a-z0-9-]{0,62}$"),
    ("file", "A file's name", "^[a-z]+[.](js|css|svg)$"),
    ("key", "A variable's name", "^[A-Za-z_][A-Za-z0-9_]{0,127}$"),
];

const DESCRIPTION: &str = "What a Stoker gateway does and why, and what it may be told. Every \
    answer that is no success is a problem document (RFC 9457). `x-role` is the least role that a \
    token needs: reader, publisher or admin. Numbers ending in `_ms` are milliseconds, in `_us` \
    microseconds; those named `at_…` count from 1970.";

/// Answers with the document.
pub(super) async fn show() -> Response {
    ([(CACHE_CONTROL, "no-cache")], Json(document())).into_response()
}

/// The whole document.
pub fn document() -> Value {
    let mut maker = Maker::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in routes::all() {
        let operation = maker.operation(route);
        let path = paths.entry(route.path).or_default();
        path.insert(route.method.name().to_owned(), operation);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Stoker admin API",
            "version": "1",
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "schemas": maker.schemas(),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "basic": {"type": "http", "scheme": "basic",
                          "description": "The token as the password, below /api/ only"},
            },
        },
    })
}

/// Collects schemas on the way: what is read and what is written may differ in what is required.
struct Maker {
    read: SchemaGenerator,
    written: SchemaGenerator,
}

impl Maker {
    fn new() -> Self {
        let generator = |contract| {
            let mut settings = SchemaSettings::draft2020_12();
            settings.definitions_path = "/components/schemas".into();
            settings.meta_schema = None;
            settings.contract = contract;
            settings.into_generator()
        };
        Maker {
            read: generator(Contract::Deserialize),
            written: generator(Contract::Serialize),
        }
    }

    fn schemas(mut self) -> Map<String, Value> {
        let mut all = self.written.take_definitions(true);
        for (name, schema) in self.read.take_definitions(true) {
            let other = all.insert(name.clone(), schema.clone());
            debug_assert!(
                other.is_none_or(|other| other == schema),
                "{name} is read and written, and not the same"
            );
        }
        all
    }

    fn operation(&mut self, route: &Route) -> Value {
        let mut operation = json!({
            "operationId": route.id,
            "summary": route.summary,
            "tags": [tag(route.path)],
            "responses": self.responses(route),
        });
        let mut parameters = path_parameters(route.path);
        parameters.extend(self.query_parameters(route));
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if !route.request.is_empty() {
            let contents = route.request.iter();
            let contents: Map<_, _> = contents
                .map(|content| (content.media.to_owned(), media(content, &mut self.read)))
                .collect();
            operation["requestBody"] = json!({"content": contents, "required": route.needs_body});
        }
        operation["security"] = match route.role {
            None => json!([]),
            Some(_) if route.path.starts_with("/api/") => json!([{"bearer": []}, {"basic": []}]),
            Some(_) => json!([{"bearer": []}]),
        };
        if let Some(role) = route.role {
            operation["x-role"] = role.name().into();
        }
        operation
    }

    fn responses(&mut self, route: &Route) -> Value {
        let mut all: BTreeMap<String, Value> = BTreeMap::new();
        for answer in route.answers {
            let response = all
                .entry(answer.status.to_string())
                .or_insert_with(|| json!({"description": answer.meaning}));
            if let Some(content) = &answer.content {
                response["content"][content.media] = media(content, &mut self.written);
            }
        }
        let mut problems: BTreeMap<u16, Vec<Kind>> = BTreeMap::new();
        for kind in route.all_problems() {
            problems
                .entry(kind.status().as_u16())
                .or_default()
                .push(kind);
        }
        for (status, kinds) in problems {
            let meanings: Vec<&str> = kinds.iter().map(|kind| kind.title()).collect();
            let schema = self.written.subschema_for::<ProblemDocument>();
            let response = json!({
                "description": meanings.join("; or: "),
                "content": {"application/problem+json": {"schema": schema}},
            });
            all.insert(status.to_string(), response);
        }
        json!(all)
    }

    fn query_parameters(&mut self, route: &Route) -> Vec<Value> {
        let Some(query) = route.query else {
            return Vec::new();
        };
        // A generator of its own: parameters are written out where they are.
        let mut generator = SchemaSettings::draft2020_12()
            .with(|settings| {
                settings.inline_subschemas = true;
                settings.meta_schema = None;
            })
            .into_generator();
        let schema = query(&mut generator).to_value();
        let required = schema["required"].as_array().cloned().unwrap_or_default();
        let properties = schema["properties"].as_object().into_iter().flatten();
        let parameter = |(name, schema): (&String, &Value)| {
            let mut schema = schema.clone();
            let meaning = schema
                .as_object_mut()
                .and_then(|schema| schema.remove("description"));
            // It is left out, for there is no way to write null in a query.
            if let Some(kinds) = schema.get_mut("type").and_then(Value::as_array_mut) {
                kinds.retain(|kind| kind != "null");
            }
            json!({
                "name": name,
                "in": "query",
                "required": required.iter().any(|it| it == name),
                "description": meaning,
                "schema": schema,
            })
        };
        properties.map(parameter).collect()
    }
}

fn media(content: &Content, generator: &mut SchemaGenerator) -> Value {
    match content.schema {
        Some(schema) => json!({"schema": schema(generator)}),
        None => json!({}),
    }
}

fn path_parameters(path: &str) -> Vec<Value> {
    let parts = path.split('/').filter_map(|part| {
        part.strip_prefix('{')
            .and_then(|part| part.strip_suffix('}'))
    });
    let parameter = |name: &str| {
        let known = PATH_PARAMETERS.iter().find(|known| known.0 == name);
        let (_, meaning, pattern) = known.copied().unwrap_or((name, "", ""));
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": meaning,
            "schema": {"type": "string", "pattern": pattern},
        })
    };
    parts.map(parameter).collect()
}

/// Routes that belong together.
fn tag(path: &str) -> &str {
    let mut parts = path.split('/').skip(1);
    match (parts.next(), parts.next(), parts.nth(1)) {
        (Some("v1"), Some("functions"), Some(part)) => part,
        (Some("v1"), Some(part), _) => part,
        (Some("api"), ..) => "zip push",
        (Some("" | "portal"), ..) => "portal",
        _ => "health",
    }
}

#[cfg(test)]
mod tests;
