//! The routes by which code comes in.

use axum::routing::on;

use super::super::problem::Kind;
use super::super::registry::publish::{self, PublishQuery};
use super::super::route::{BLANK, Content, PUBLISHER, Route, Verb, body, json, opaque, schema};
use super::super::zipdeploy::{self, ZipDeployQuery};
use crate::wire::{PublishRequest, Published, ZipDeployLine, ZipDeployment};

/// Whatever a publish can fail by.
const PUBLISH: &[Kind] = &[
    Kind::FunctionConflict,
    Kind::PublishConflict,
    Kind::RegistryFull,
    Kind::InvalidPackage,
    Kind::InvalidRevision,
    Kind::InvalidConfiguration,
    Kind::UnsupportedMedia,
    Kind::Unproven,
    Kind::Unavailable,
    Kind::Busy,
];

const ARCHIVES: [Content; 3] = [
    opaque("application/zip"),
    opaque("application/gzip"),
    opaque("application/octet-stream"),
];

pub(super) const ROUTES: &[Route] = &[
    Route {
        method: Verb::Put,
        path: "/v1/functions/{name}",
        role: PUBLISHER,
        id: "publish",
        summary: "Publish a function: an archive with a function.toml, or its texts as JSON",
        query: Some(schema::<PublishQuery>),
        request: &[
            ARCHIVES[0],
            ARCHIVES[1],
            ARCHIVES[2],
            body::<PublishRequest>(),
        ],
        needs_body: true,
        answers: &[json::<Published>(201, "The revision, which is in force")],
        problems: PUBLISH,
        handler: |method| on(method, publish::put),
        ..BLANK
    },
    Route {
        method: Verb::Post,
        path: "/api/zipdeploy",
        role: PUBLISHER,
        id: "zip_deploy",
        summary: "Publish a function as tools for other platforms do",
        query: Some(schema::<ZipDeployQuery>),
        request: &ARCHIVES,
        needs_body: true,
        answers: &[
            json::<ZipDeployment>(200, "It serves"),
            json::<ZipDeployment>(202, "It has begun; `Location` tells how it goes"),
        ],
        problems: PUBLISH,
        handler: |method| on(method, zipdeploy::push),
        ..BLANK
    },
    Route {
        path: "/api/deployments",
        role: PUBLISHER,
        id: "list_deployments",
        summary: "The zip pushes of late",
        answers: &[json::<Vec<ZipDeployment>>(200, "Newest first")],
        handler: |method| on(method, zipdeploy::list),
        ..BLANK
    },
    Route {
        path: "/api/deployments/{id}",
        role: PUBLISHER,
        id: "show_deployment",
        summary: "How a zip push went; `latest` for the newest",
        answers: &[json::<ZipDeployment>(200, "The zip push")],
        problems: &[Kind::UnknownDeployment],
        handler: |method| on(method, zipdeploy::show),
        ..BLANK
    },
    Route {
        path: "/api/deployments/{id}/log",
        role: PUBLISHER,
        id: "deployment_log",
        summary: "What was said of a zip push",
        answers: &[json::<Vec<ZipDeployLine>>(200, "Its lines")],
        problems: &[Kind::UnknownDeployment],
        handler: |method| on(method, zipdeploy::log),
        ..BLANK
    },
];
