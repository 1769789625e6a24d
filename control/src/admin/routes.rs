//! Which path is answered by what, and who may.

mod functions;
mod gateway;
mod keys;
mod portal;
mod publish;
mod registry;
mod usage;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, MatchedPath, Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use stoker_config::AdminRole;

use super::problem::{Kind, Problem};
use super::registry::Noted;
use super::route::Route;
use super::token::Caller;
use super::{App, audit};

/// Every route.
const TABLES: &[&[Route]] = &[
    gateway::ROUTES,
    functions::ROUTES,
    keys::ROUTES,
    publish::ROUTES,
    registry::ROUTES,
    usage::ROUTES,
    portal::ROUTES,
];

/// What an answer that says what went wrong has at most, if it is none of ours.
const FOREIGN_BYTES: usize = 4096;

/// Every route.
pub(super) fn all() -> impl Iterator<Item = &'static Route> {
    TABLES.iter().copied().flatten()
}

/// All routes, each with its check of roles; who calls is to be added.
pub(super) fn router(app: Arc<App>) -> Router {
    let mut router = Router::new();
    for route in all() {
        let guard = middleware::from_fn_with_state((Arc::clone(&app), route), guard);
        let handler = (route.handler)(route.method.filter());
        router = router.route(route.path, handler.route_layer(guard));
    }
    router
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .with_state(app)
}

/// Lets those pass who may, and writes down what they change.
async fn guard(
    State((app, route)): State<(Arc<App>, &'static Route)>,
    Extension(caller): Extension<Caller>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path().to_owned();
    let response = match refusal(route.role, &caller) {
        Some(refusal) => refusal.into_response(),
        None => ours(next.run(request).await).await,
    };
    // Strangers must not fill the log.
    if route.is_change() && caller.role.is_some() {
        let noted = response.extensions().get::<Noted>().cloned();
        let answer = (response.status(), noted);
        audit::write(&app, &caller, (route, &path), answer).await;
    }
    response
}

/// Why the caller may not, if so.
fn refusal(needed: Option<AdminRole>, caller: &Caller) -> Option<Problem> {
    let needed = needed?;
    let Some(role) = caller.role else {
        let detail =
            "present a token of the admin API in the header \"Authorization: Bearer TOKEN\"";
        return Some(Problem::new(Kind::Unauthorized, detail));
    };
    (role < needed).then(|| {
        let (needed, role) = (needed.name(), role.name());
        let detail = format!(
            "this takes the role {needed:?}, and the token {:?} has {role:?}",
            &*caller.name
        );
        Problem::new(Kind::Forbidden, detail)
    })
}

/// What axum refuses by itself says so in plain text: of it a problem is made too.
async fn ours(response: Response) -> Response {
    let kind = match response.status() {
        StatusCode::BAD_REQUEST => Kind::BadRequest,
        StatusCode::INTERNAL_SERVER_ERROR => Kind::Internal,
        _ => return response,
    };
    let content = response.headers().get(CONTENT_TYPE);
    if content.is_some_and(|content| content.as_bytes().starts_with(b"application/")) {
        return response;
    }
    let body = axum::body::to_bytes(response.into_body(), FOREIGN_BYTES).await;
    let text = String::from_utf8_lossy(&body.unwrap_or_default()).into_owned();
    Problem::new(kind, format!("the request is not valid: {text}")).into_response()
}

async fn unknown(Extension(caller): Extension<Caller>, uri: Uri) -> Problem {
    if let Some(refusal) = refusal(Some(AdminRole::Reader), &caller) {
        return refusal;
    }
    let path: String = uri.path().chars().take(100).collect();
    let detail = format!(
        "there is no {path:?} here; GET /v1/openapi.json tells all that the admin API has, and \
         /v1/functions is a good beginning"
    );
    Problem::new(Kind::UnknownRoute, detail)
}

async fn not_allowed(
    Extension(caller): Extension<Caller>,
    matched: Option<MatchedPath>,
    method: Method,
) -> Problem {
    let path = matched.as_ref().map_or("", MatchedPath::as_str);
    let here = || all().filter(|route| route.path == path);
    let open = here().any(|route| route.role.is_none());
    if let Some(refusal) = refusal(Some(AdminRole::Reader), &caller).filter(|_| !open) {
        return refusal;
    }
    let right: Vec<_> = here()
        .map(|route| route.method.name().to_ascii_uppercase())
        .collect();
    let detail = format!("{method} means nothing here; send {}", right.join(" or "));
    Problem::new(Kind::MethodNotAllowed, detail)
}
