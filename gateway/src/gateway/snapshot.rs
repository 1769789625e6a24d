//! What is routed at one moment.

use std::collections::BTreeMap;
use std::sync::Arc;

use stoker_config::GatewaySpec;

use super::Entry;
use crate::access::Issuers;
use crate::router::Router;
use crate::tls::Tls;

/// Routes and functions that belong together; replaced as a whole, so that they never disagree.
pub struct Snapshot {
    pub(crate) router: Router<Entry>,
    /// The gateway's settings.
    pub gateway: Arc<GatewaySpec>,
    /// `None` without certificates.
    pub(crate) tls: Option<Arc<Tls>>,
    /// By name.
    pub functions: BTreeMap<Arc<str>, Arc<Entry>>,
    /// Revisions that have addresses of their own, by `NAME:ALIAS`.
    aliases: BTreeMap<Arc<str>, Arc<Entry>>,
    pub(crate) issuers: Issuers,
}

impl Snapshot {
    /// The function that answers a request to `host` and `path`, which has no dot segments.
    pub fn resolve<'a>(
        &'a self,
        host: &str,
        path: &'a str,
        method: &str,
    ) -> Option<&'a Arc<Entry>> {
        self.router
            .route(host, path, method)
            .ok()
            .map(|routed| routed.target)
    }

    /// The function of this name, or one revision of it by `NAME:ALIAS`.
    pub fn find(&self, name: &str) -> Option<&Arc<Entry>> {
        let function = self.functions.get(name);
        function.or_else(|| self.aliases.get(name))
    }

    /// Every live revision of every function, by name.
    pub fn revisions(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.functions.values().flat_map(|entry| entry.revisions())
    }

    /// Of these settings and functions; certificates that stay are those of `before`.
    pub(super) fn new(
        gateway: Arc<GatewaySpec>,
        entries: Vec<Arc<Entry>>,
        issuers: Issuers,
        before: Option<&Arc<Tls>>,
    ) -> Self {
        let mut router = Router::new(&gateway.function_prefix);
        let mut functions = BTreeMap::new();
        let mut aliases = BTreeMap::new();
        for entry in entries {
            router.add(&entry.spec.name, &entry.spec.routes, &entry);
            if let Some(split) = &entry.split {
                for (name, revision) in split.addresses() {
                    router.add(&name, &[], revision);
                    aliases.insert(name, Arc::clone(revision));
                }
            }
            functions.insert(Arc::clone(&entry.spec.name), entry);
        }
        Snapshot {
            router,
            tls: Tls::new(&gateway.tls, before),
            gateway,
            functions,
            aliases,
            issuers,
        }
    }
}
