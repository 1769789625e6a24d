//! What an answer says about the instance that gave it.

use http::{HeaderMap, StatusCode, header};
use stoker_scaler::Lease;

use crate::Connection;
use crate::upstream::ExchangeError;

/// Notes the head of an answer. `server_errors_fail` says that 5xx counts against the instance;
/// 503 with `Retry-After`, as 429, only says that it is busy.
pub(crate) fn note_head(
    lease: &mut Lease<Connection>,
    (status, headers): (StatusCode, &HeaderMap),
    server_errors_fail: bool,
) {
    let busy =
        || status == StatusCode::SERVICE_UNAVAILABLE && headers.contains_key(header::RETRY_AFTER);
    if server_errors_fail && status.is_server_error() && !busy() {
        lease.failed();
    } else {
        lease.answered();
    }
}

/// True if the instance is to blame: not for a caller that broke off.
pub(crate) fn blames_instance(error: &ExchangeError) -> bool {
    match error {
        ExchangeError::Lost(_) | ExchangeError::Invalid(_) => true,
        // One that refuses a request has too much to do.
        ExchangeError::Reset(error) => error.reason() != Some(h2::Reason::REFUSED_STREAM),
        ExchangeError::Caller(_) => false,
    }
}
