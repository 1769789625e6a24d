//! Who calls: by the token over TCP, by the socket's permissions otherwise.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use stoker_config::{AdminRole, AdminTokenSpec};
use subtle::{Choice, ConditionallySelectable as _, ConstantTimeEq as _};

use super::App;

/// Below this, tools of other systems present the token as a password (RFC 7617). Not elsewhere,
/// for a browser sends a password by itself, on behalf of whatever page asks it to.
const BASIC: &str = "/api/";

/// Who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Caller {
    /// For the audit log.
    pub(super) name: Arc<str>,
    /// None without a valid token.
    pub(super) role: Option<AdminRole>,
    /// The user's name of Basic authentication.
    pub(super) user: Option<String>,
}

impl Caller {
    /// Whoever may connect to the Unix socket.
    pub(super) fn of_socket() -> Self {
        Caller {
            name: "socket".into(),
            role: Some(AdminRole::Admin),
            user: None,
        }
    }

    fn anonymous() -> Self {
        Caller {
            name: "anonymous".into(),
            role: None,
            user: None,
        }
    }
}

/// The same routes, for callers who present a token.
pub(super) fn by_token(router: Router, app: Arc<App>) -> Router {
    router.layer(middleware::from_fn_with_state(app, identify))
}

/// The same routes, for whoever may connect to the Unix socket.
pub(super) fn by_socket(router: Router) -> Router {
    router.layer(Extension(Caller::of_socket()))
}

async fn identify(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let snapshot = app.state.gateway.snapshot();
    let basic = request.uri().path().starts_with(BASIC);
    let caller = caller(request.headers(), basic, &snapshot.gateway.admin.tokens);
    request.extensions_mut().insert(caller);
    drop(snapshot);
    next.run(request).await
}

fn caller(headers: &HeaderMap, basic: bool, tokens: &[AdminTokenSpec]) -> Caller {
    let presented = presented(headers, basic);
    let Some((user, token)) = presented else {
        return Caller::anonymous();
    };
    match bearer(&token, tokens) {
        Some(spec) => Caller {
            name: spec.name.as_str().into(),
            role: Some(spec.role),
            user,
        },
        None => Caller::anonymous(),
    }
}

/// Whose token it is. Takes as long for one token as for another, right or wrong.
fn bearer<'t>(token: &str, tokens: &'t [AdminTokenSpec]) -> Option<&'t AdminTokenSpec> {
    let presented = digest(&SHA256, token.as_bytes());
    let mut found = u32::MAX;
    for (index, spec) in (0..).zip(tokens) {
        let equal: Choice = presented.as_ref().ct_eq(&spec.digest);
        found = u32::conditional_select(&found, &index, equal);
    }
    tokens.get(usize::try_from(found).ok()?)
}

/// What is presented: a token, and with Basic authentication a user's name.
fn presented(headers: &HeaderMap, basic: bool) -> Option<(Option<String>, String)> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return None;
    };
    let (scheme, credentials) = value.to_str().ok()?.split_once(' ')?;
    let credentials = credentials.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some((None, credentials.to_owned()));
    }
    if !basic || !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(credentials).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some((Some(user.to_owned()), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(name: &str, role: AdminRole, token: &str) -> AdminTokenSpec {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        AdminTokenSpec {
            name: name.to_owned(),
            role,
            digest: bytes,
        }
    }

    fn ask(values: &[&str], basic: bool) -> Caller {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        let tokens = [
            token("admin", AdminRole::Admin, "correct-horse-battery"),
            token("wall", AdminRole::Reader, "another-horse-battery"),
        ];
        caller(&headers, basic, &tokens)
    }

    #[test]
    fn takes_a_token_and_nothing_else() {
        let role = |value: &str| ask(&[value], false).role;
        assert_eq!(role("Bearer correct-horse-battery"), Some(AdminRole::Admin));
        assert_eq!(
            role("bearer  another-horse-battery "),
            Some(AdminRole::Reader)
        );
        for wrong in [
            "",
            "correct-horse-battery",
            "Basic correct-horse-battery",
            "Bearer",
            "Bearer ",
            "Bearer correct-horse-batter",
            "Bearer correct-horse-batteryy",
            "Bearer Correct-horse-battery",
        ] {
            assert_eq!(ask(&[wrong], false), Caller::anonymous(), "{wrong:?}");
        }
        assert_eq!(ask(&[], false).role, None);
        let twice = ["Bearer correct-horse-battery"; 2];
        assert_eq!(ask(&twice, false).role, None);
    }

    #[test]
    fn takes_a_password_where_tools_send_one() {
        let basic = format!("Basic {}", STANDARD.encode("$hello:correct-horse-battery"));
        assert_eq!(ask(&[&basic], false).role, None);
        let known = ask(&[&basic], true);
        assert_eq!(
            (known.role, &*known.name),
            (Some(AdminRole::Admin), "admin")
        );
        assert_eq!(known.user.as_deref(), Some("$hello"));
        let wrong = format!("Basic {}", STANDARD.encode("$hello:correct"));
        assert_eq!(ask(&[&wrong], true).role, None);
    }
}
