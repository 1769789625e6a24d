//! Functions whose handler is run by one of Stoker's own runners.

/// A handler and how it is run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuntimeSpec {
    /// The language.
    pub language: Language,
    /// Where the handler is, in the language's own terms: `main:app`, `main.mjs`, `main.mjs#name`.
    pub handler: String,
    /// How the handler is called.
    pub interface: Interface,
    /// Instances come from processes that were prepared; otherwise each executes an interpreter of
    /// its own.
    pub preload: bool,
    /// An instance that cannot be made from a prepared process executes an interpreter of its own.
    pub fallback: bool,
    /// Of one message from a caller's WebSocket, where the runner serves those.
    pub websocket_bytes: u64,
}

/// The default of [`RuntimeSpec::websocket_bytes`].
pub(crate) const WEBSOCKET_BYTES: u64 = 16 * 1024 * 1024;

/// A language that there is a runner for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// CPython 3.
    Python,
    /// Node.js.
    Node,
}

/// How a handler is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Interface {
    /// As the handler looks.
    Auto,
    /// Python: PEP 3333.
    Wsgi,
    /// Python: ASGI 3.
    Asgi,
    /// Python: `handler(request)`.
    Handler,
    /// Node: `(request, response)`.
    Listener,
    /// Node: a `Request` to a `Response`.
    Fetch,
}

impl Language {
    /// As in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Language::Python => "python",
            Language::Node => "node",
        }
    }

    /// Looked up on the path unless the manifest says otherwise.
    pub(crate) fn interpreter(self) -> &'static str {
        match self {
            Language::Python => "python3",
            Language::Node => "node",
        }
    }
}

impl Interface {
    /// As in a manifest.
    pub fn name(self) -> &'static str {
        match self {
            Interface::Auto => "auto",
            Interface::Wsgi => "wsgi",
            Interface::Asgi => "asgi",
            Interface::Handler => "handler",
            Interface::Listener => "listener",
            Interface::Fetch => "fetch",
        }
    }

    /// Whether handlers of the language can be called so.
    pub(crate) fn is_of(self, language: Language) -> bool {
        match self {
            Interface::Auto => true,
            Interface::Wsgi | Interface::Asgi | Interface::Handler => language == Language::Python,
            Interface::Listener | Interface::Fetch => language == Language::Node,
        }
    }
}
