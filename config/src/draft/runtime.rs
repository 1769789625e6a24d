//! The handler of a runtime, with everything still open.

use std::time::Duration;

use stoker_core::SpareSpec;

use crate::spec::{Interface, Language, RuntimeSpec};

/// What a fork of a Python process takes on a busy machine.
const FORK: Duration = Duration::from_millis(10);

/// What Node takes to boot on a busy machine.
const BOOT: Duration = Duration::from_millis(250);

/// The keys about a runtime.
#[derive(Clone)]
pub(crate) struct RuntimeDraft {
    pub(crate) language: Option<Language>,
    pub(crate) handler: Option<String>,
    pub(crate) interface: Interface,
    pub(crate) interpreter: Option<String>,
    pub(crate) preload: bool,
    pub(crate) fallback: bool,
    pub(crate) spares: SpareSpec,
    pub(crate) websocket_bytes: u64,
}

impl RuntimeDraft {
    /// Before the defaults are put in.
    pub(crate) fn blank() -> Self {
        RuntimeDraft {
            language: None,
            handler: None,
            interface: Interface::Auto,
            interpreter: None,
            preload: false,
            fallback: false,
            spares: SpareSpec {
                least: 0,
                most: 0,
                idle_timeout: Duration::ZERO,
                eager: false,
                refill: Duration::ZERO,
            },
            websocket_bytes: 0,
        }
    }

    /// What it comes to; none without a runtime.
    pub(crate) fn spec(&self) -> Option<RuntimeSpec> {
        Some(RuntimeSpec {
            language: self.language?,
            handler: self.handler.clone()?,
            interface: self.interface,
            preload: self.preload,
            fallback: self.fallback,
            websocket_bytes: self.websocket_bytes,
        })
    }

    /// How many processes wait; none where instances are not made of such.
    pub(crate) fn spares(&self) -> Option<SpareSpec> {
        let refill = match self.language? {
            Language::Python => FORK,
            Language::Node => BOOT,
        };
        self.preload.then_some(SpareSpec {
            refill,
            ..self.spares
        })
    }
}
