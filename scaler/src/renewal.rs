//! The connection of a frozen instance.

use std::fmt;

use crate::driver::{BoxFuture, Endpoint};

/// How the connection that an instance has when it is frozen is replaced by one that is older to
/// nobody: a program that gives idle connections a time would find that time over when it runs
/// again, and close the connection in the face of a request.
///
/// A new one is opened when the program stands still for certain. It waits in the kernel until the
/// program runs and accepts it, as that of a request would do, but is there already.
pub struct Renewal<C> {
    /// Ends a connection and gives the program, which still runs, a moment to be done with it;
    /// answers what [`Renewal::open`] needs.
    pub close: fn(C) -> BoxFuture<'static, C>,
    /// Opens another one in its place, without waiting; none if that cannot be or is not worth it.
    pub open: fn(C, &Endpoint) -> Option<C>,
}

impl<C> Clone for Renewal<C> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<C> Copy for Renewal<C> {}

impl<C> fmt::Debug for Renewal<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal")
    }
}
