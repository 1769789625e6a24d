//! Copies of requests.

/// Bounds of the copies of requests for revisions that mirror a function's traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MirrorSpec {
    /// Copies under way at the same time.
    pub requests: usize,
    /// Bytes of a request's body that is copied.
    pub body_bytes: usize,
}
