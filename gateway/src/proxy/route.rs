//! Step one: which function.

use std::borrow::Cow;

use http::Method;
use http::header::HeaderValue;
use http::request::Parts;

use crate::access::cors;
use crate::caller::Caller;
use crate::gateway::{Entry, Snapshot};
use crate::path;
use crate::problem::{Problem, ProblemKind};
use crate::router::{NoRoute, Routed};
use crate::split::Split;

/// The path as it is routed and passed on.
pub(super) fn path(parts: &Parts) -> Result<Cow<'_, str>, Problem> {
    if parts.method == Method::CONNECT {
        let detail = "CONNECT is for proxies that open tunnels";
        return Err(Problem::new(ProblemKind::MethodNotAllowed, detail));
    }
    path::normalise(parts.uri.path()).map_err(|cause| Problem::new(ProblemKind::BadRequest, cause))
}

/// The function that answers there.
pub(super) fn route<'a>(
    snapshot: &'a Snapshot,
    host: &str,
    path: &'a str,
    parts: &Parts,
) -> Result<Routed<'a, Entry>, Problem> {
    let route = |method| snapshot.router.route(host, path, method);
    route(parts.method.as_str())
        .or_else(|no_route| match cors::preflight_method(parts).map(route) {
            // A question about a method goes where the method would.
            Some(Ok(routed)) if answers_preflights(routed.target) => Ok(routed),
            _ => Err(no_route),
        })
        .map_err(|no_route| match no_route {
            NoRoute::NotFound => {
                let detail = format!("no function has a route for {path}");
                Problem::new(ProblemKind::NotFound, detail)
            }
            NoRoute::MethodNotAllowed(methods) => {
                let methods = methods.join(", ");
                let detail = format!("{} is not among {methods}", parts.method);
                let mut problem = Problem::new(ProblemKind::MethodNotAllowed, detail);
                problem.allow = Some(methods);
                problem
            }
        })
}

/// Which revision of the function answers, if several are live: how that is chosen, and the cookie
/// that keeps the caller there.
pub(super) fn choose<'a>(
    routed: &mut Routed<'a, Entry>,
    (caller, parts): (&Caller, &Parts),
) -> (Option<&'a Split>, Option<HeaderValue>) {
    let function: &'a Entry = routed.target;
    let Some(split) = function.split.as_deref() else {
        return (None, None);
    };
    let choice = split.choose(parts, caller.tls().is_some());
    routed.target = choice.entry;
    (Some(split), choice.cookie)
}

fn answers_preflights(entry: &Entry) -> bool {
    entry
        .access
        .as_ref()
        .is_some_and(|access| access.has_cors())
}
