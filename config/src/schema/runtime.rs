//! The keys of a manifest for handlers that one of Stoker's runners runs.

use super::Field::{Choice, Flag, Size, Span, Text, Whole};
use super::Preset::{Else, Value};
use super::{Key, key, rules};
use crate::draft::FunctionDraft;
use crate::spec::{Interface, Language};
use crate::units::{DAY, KIB, MIB, SECOND, narrow};

type Draft = FunctionDraft;

pub(crate) const RUNTIME: Key<Draft> = key(
    "runtime",
    Else("none: `command` is executed"),
    Choice(&[
        ("python", |d| d.runtime.language = Some(Language::Python)),
        ("node", |d| d.runtime.language = Some(Language::Node)),
    ]),
    "Run `handler` by Stoker's own runner for this language. `listen` is `inherit` then, and \
     `contract` is `http`.",
);

pub(crate) const HANDLER: Key<Draft> = key(
    "handler",
    Else("required with `runtime`"),
    Text(
        "where the handler is, such as \"main:app\" for Python or \"main.mjs\" for Node: 1 to 255 \
         characters without spaces",
        |d, v| rules::put(&mut d.runtime.handler, rules::handler(v).map(Some)),
    ),
    "Python: a module, a colon and what it holds. Node: a file, and after `#` the name of an \
     export if it is not the default one. Looked up from `working-directory`.",
);

pub(crate) const INTERFACE: Key<Draft> = key(
    "interface",
    Value("'auto'"),
    Choice(&[
        ("auto", |d| d.runtime.interface = Interface::Auto),
        ("wsgi", |d| d.runtime.interface = Interface::Wsgi),
        ("asgi", |d| d.runtime.interface = Interface::Asgi),
        ("handler", |d| d.runtime.interface = Interface::Handler),
        ("listener", |d| d.runtime.interface = Interface::Listener),
        ("fetch", |d| d.runtime.interface = Interface::Fetch),
    ]),
    "How the handler is called. Python: `wsgi`, `asgi` or `handler`, which takes a request and \
     returns the answer. Node: `listener` takes a request and a response, `fetch` takes a \
     `Request` and returns a `Response`. `auto` goes by what the handler looks like.",
);

pub(crate) const INTERPRETER: Key<Draft> = key(
    "interpreter",
    Else("`python3` or `node`"),
    Text(rules::PATH, |d, v| {
        rules::put(
            &mut d.runtime.interpreter,
            (!v.is_empty()).then(|| Some(v.to_owned())),
        )
    }),
    "What runs the handler; with a slash it is relative to the manifest's directory, or absolute, \
     and without one it is looked up on `PATH`.",
);

/// `[websocket]`.
pub(crate) const WEBSOCKET: &[Key<Draft>] = &[key(
    "message-bytes",
    Value("'16MiB'"),
    Size(KIB, 1024 * MIB, |d, v| d.runtime.websocket_bytes = v),
    "The longest message that a caller may send on a WebSocket that Stoker's runner serves, which is \
     that for Python with the interface `asgi`. A longer one closes the connection with 1009.",
)];

/// `[preload]`.
pub(crate) const PRELOAD: &[Key<Draft>] = &[
    key(
        "enabled",
        Value("true"),
        Flag(|d, v| d.runtime.preload = v),
        "Python: a process with the handler loaded forks instances. Node: a process that has \
         booted waits for the handler. Otherwise each instance executes an interpreter of its own, \
         as a handler needs that starts threads when it is loaded.",
    ),
    key(
        "fallback",
        Value("false"),
        Flag(|d, v| d.runtime.fallback = v),
        "An instance that cannot be made from a prepared process executes an interpreter of its \
         own, instead of failing with the cause.",
    ),
    key(
        "at",
        Value("'first-request'"),
        Choice(&[
            ("first-request", |d| d.runtime.spares.eager = false),
            ("start", |d| d.runtime.spares.eager = true),
        ]),
        "When the processes are prepared: when the first instance is needed, or when the function \
         is registered. In the second case they are kept for good.",
    ),
    key(
        "spares",
        Value("1"),
        Whole(0, 1000, |d, v| d.runtime.spares.least = narrow(v)),
        "Processes that wait to become an instance, at least; no more than `spares-max`. With 0 an \
         instance is forked when it is needed. For Node all functions share them that have the \
         same user, interpreter and limits.",
    ),
    key(
        "spares-max",
        Value("4"),
        Whole(0, 1000, |d, v| d.runtime.spares.most = narrow(v)),
        "The same, at most: as many are kept as instances were started at once during the last \
         `idle-timeout`.",
    ),
    key(
        "idle-timeout",
        Value("'10m'"),
        Span(SECOND, DAY, |d, v| d.runtime.spares.idle_timeout = v),
        "Nothing is kept of a function that had no request for this long.",
    ),
];
