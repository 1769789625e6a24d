//! From host, path and method to a function.

mod tree;

use std::collections::HashMap;
use std::sync::Arc;

use stoker_config::{PathPattern, RouteSpec, Segment};

use tree::{Found, Tree};

/// Finds the target of a request among any number of them.
///
/// The default route is one look into a table; the routes of manifests are a tree of segments per
/// host, so that neither depends on the number of functions.
pub(crate) struct Router<T> {
    /// `/function/`, with the slash at its end.
    prefix: String,
    by_name: HashMap<Arc<str>, Arc<T>>,
    by_host: HashMap<String, Tree<Leaf<T>>>,
    /// `.example.org` for `*.example.org`.
    by_suffix: HashMap<String, Tree<Leaf<T>>>,
    any_host: Tree<Leaf<T>>,
}

/// What stands at the end of a pattern.
struct Leaf<T> {
    target: Arc<T>,
    pattern: PathPattern,
    methods: Vec<String>,
    strip_prefix: bool,
}

/// Where a request goes.
pub(crate) struct Routed<'a, T> {
    pub(crate) target: &'a Arc<T>,
    /// The path as the function is to see it.
    pub(crate) path: &'a str,
    /// The pattern's parameters and what they matched, still percent-encoded.
    pub(crate) parameters: Vec<(&'a str, &'a str)>,
}

/// Why a request goes nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoRoute {
    /// No function answers at this host and path.
    NotFound,
    /// One does, but only to these methods.
    MethodNotAllowed(Vec<String>),
}

impl<T> Router<T> {
    /// A router without targets whose default routes begin with `prefix`.
    pub(crate) fn new(prefix: &str) -> Self {
        Router {
            prefix: format!("{prefix}/"),
            by_name: HashMap::new(),
            by_host: HashMap::new(),
            by_suffix: HashMap::new(),
            any_host: Tree::default(),
        }
    }

    /// Adds a target at its default route and at `routes`.
    pub(crate) fn add(&mut self, name: &Arc<str>, routes: &[RouteSpec], target: &Arc<T>) {
        self.by_name.insert(Arc::clone(name), Arc::clone(target));
        for route in routes {
            let leaf = Leaf {
                target: Arc::clone(target),
                pattern: route.path.clone(),
                methods: route.methods.clone(),
                strip_prefix: route.strip_prefix,
            };
            self.tree_mut(route.host.as_deref())
                .insert(&route.path.segments, leaf);
        }
    }

    /// Finds the target. Routes of manifests come before default routes, exact hosts before
    /// wildcards before routes for any host, literal segments before parameters before a rest.
    pub(crate) fn route<'a>(
        &'a self,
        host: &str,
        path: &'a str,
        method: &str,
    ) -> Result<Routed<'a, T>, NoRoute> {
        let mut allowed = Vec::new();
        for tree in self.trees(host) {
            let mut fits = |leaf: &Leaf<T>| {
                let fits =
                    leaf.methods.is_empty() || leaf.methods.iter().any(|known| known == method);
                if !fits {
                    allowed.extend_from_slice(&leaf.methods);
                }
                fits
            };
            if let Some(Found { leaf, captures }) = tree.find(path, &mut fits) {
                return Ok(leaf.routed(path, captures));
            }
        }
        if let Some(routed) = self.default_route(path) {
            return Ok(routed);
        }
        if allowed.is_empty() {
            return Err(NoRoute::NotFound);
        }
        allowed.sort();
        allowed.dedup();
        Err(NoRoute::MethodNotAllowed(allowed))
    }

    fn default_route<'a>(&'a self, path: &'a str) -> Option<Routed<'a, T>> {
        let rest = path.strip_prefix(&self.prefix)?;
        let (name, path) = match rest.find('/') {
            Some(end) => rest.split_at(end),
            None => (rest, "/"),
        };
        let target = self.by_name.get(name)?;
        Some(Routed {
            target,
            path,
            parameters: Vec::new(),
        })
    }

    fn trees<'a>(&'a self, host: &str) -> impl Iterator<Item = &'a Tree<Leaf<T>>> {
        let named = !(self.by_host.is_empty() && self.by_suffix.is_empty());
        let host = named.then(|| bare_host(host));
        let exact = host.as_deref().and_then(|host| self.by_host.get(host));
        let suffix = host.as_deref().and_then(|host| {
            let dots = host.match_indices('.');
            dots.map(|(at, _)| &host[at..])
                .find_map(|suffix| self.by_suffix.get(suffix))
        });
        let any = Some(&self.any_host).filter(|tree| !tree.is_empty());
        [exact, suffix, any].into_iter().flatten()
    }

    fn tree_mut(&mut self, host: Option<&str>) -> &mut Tree<Leaf<T>> {
        match host {
            None => &mut self.any_host,
            Some(host) => match host.strip_prefix('*') {
                Some(suffix) => self.by_suffix.entry(suffix.to_owned()).or_default(),
                None => self.by_host.entry(host.to_owned()).or_default(),
            },
        }
    }
}

impl<T> Leaf<T> {
    fn routed<'a>(&'a self, path: &'a str, captures: Vec<&'a str>) -> Routed<'a, T> {
        let names = self
            .pattern
            .segments
            .iter()
            .filter_map(|segment| match segment {
                Segment::Literal(_) => None,
                Segment::Parameter(name) | Segment::Rest(name) => Some(name.as_str()),
            });
        let path = if self.strip_prefix {
            after_literals(path, &self.pattern)
        } else {
            path
        };
        Routed {
            target: &self.target,
            path,
            parameters: names.zip(captures).collect(),
        }
    }
}

/// `path` without as many segments as the pattern has literals at its start.
fn after_literals<'a>(path: &'a str, pattern: &PathPattern) -> &'a str {
    let literals = pattern
        .segments
        .iter()
        .take_while(|segment| matches!(segment, Segment::Literal(_)));
    let slash = path
        .match_indices('/')
        .nth(literals.count())
        .map(|(at, _)| at);
    slash.map_or("/", |at| &path[at..])
}

/// The host in lower case without its port.
pub(crate) fn bare_host(host: &str) -> String {
    let end = match host.strip_prefix('[') {
        Some(address) => address.find(']').map_or(host.len(), |at| at + 2),
        None => host.find(':').unwrap_or(host.len()),
    };
    host[..end].trim_end_matches('.').to_ascii_lowercase()
}

#[cfg(test)]
mod tests;
