//! The token of administrators that come over TCP.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use super::problem::{Kind, Problem};

/// Whoever checks health has no secrets.
const OPEN: [&str; 2] = ["/healthz", "/readyz"];

/// The same routes, for those who present the token only.
pub(super) fn guard(router: Router, expected: Arc<str>) -> Router {
    router.layer(middleware::from_fn_with_state(expected, check))
}

async fn check(State(expected): State<Arc<str>>, request: Request, next: Next) -> Response {
    if OPEN.contains(&request.uri().path()) || presents(request.headers(), &expected) {
        return next.run(request).await;
    }
    let detail = "present the admin token in the header \"authorization: bearer TOKEN\"";
    Problem::new(Kind::Unauthorized, detail).into_response()
}

fn presents(headers: &HeaderMap, expected: &str) -> bool {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return false;
    };
    let Some((scheme, token)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else {
        return false;
    };
    let equal = token.trim().as_bytes().ct_eq(expected.as_bytes());
    scheme.eq_ignore_ascii_case("bearer") && bool::from(equal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presented(values: &[&str]) -> bool {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(AUTHORIZATION, value.parse().unwrap());
        }
        presents(&headers, "correct-horse-battery")
    }

    #[test]
    fn takes_the_token_and_nothing_else() {
        assert!(presented(&["Bearer correct-horse-battery"]));
        assert!(presented(&["bearer  correct-horse-battery "]));
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
            assert!(!presented(&[wrong]), "{wrong:?}");
        }
        assert!(!presented(&[]));
        assert!(!presented(&[
            "Bearer correct-horse-battery",
            "Bearer correct-horse-battery"
        ]));
    }
}
