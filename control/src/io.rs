//! A connection of either kind.

use tokio::io::{AsyncRead, AsyncWrite};

/// What a connection can do, of whichever kind it is.
pub(crate) trait Io: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Io for T {}

/// A connection over TCP or a Unix socket.
pub(crate) type BoxIo = Box<dyn Io>;
