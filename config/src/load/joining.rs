//! What a function that is in no file has against those that are there.

use crate::spec::{FunctionSpec, GatewaySpec, RouteSpec};

/// What a published function contradicts: another function's route, or an issuer that the gateway
/// does not know. One sentence for each; none of a function with the same name, which it replaces.
pub fn conflicts<'f>(
    spec: &FunctionSpec,
    gateway: &GatewaySpec,
    functions: impl Iterator<Item = &'f FunctionSpec>,
) -> Vec<String> {
    let prefix = &gateway.function_prefix;
    let others: Vec<&FunctionSpec> = functions.filter(|it| it.name != spec.name).collect();
    let mut found = Vec::new();
    for (index, route) in spec.routes.iter().enumerate() {
        let shape = route.path.shape();
        let default = others.iter().find(|it| {
            let default = format!("{prefix}/{}/{{*}}", it.name);
            route.host.is_none() && shape == default
        });
        let taken = others
            .iter()
            .find(|it| it.routes.iter().any(|taken| overlap(route, taken)));
        if let Some(owner) = default.or(taken) {
            found.push(format!(
                "routes[{index}].path: got \"{}\", expected a route whose host, path and methods are \
                 not taken; the function {:?} has the same",
                route.path, owner.name
            ));
        }
        // What is declared twice would be found in files too.
        if spec.routes[..index].iter().any(|it| overlap(route, it)) {
            found.push(format!(
                "routes[{index}].path: got \"{}\", expected a route that is not in the manifest twice",
                route.path
            ));
        }
    }
    let issuers = &gateway.jwt;
    for name in &spec.access.jwt.issuers {
        if !issuers.iter().any(|issuer| issuer.name == *name) {
            found.push(format!(
                "access.jwt.issuers: got {name:?}, expected the name of a [[jwt]] of the gateway file"
            ));
        }
    }
    found
}

/// Some request is for both.
fn overlap(one: &RouteSpec, other: &RouteSpec) -> bool {
    let methods = one.methods.is_empty()
        || other.methods.is_empty()
        || one.methods.iter().any(|it| other.methods.contains(it));
    methods && one.host == other.host && one.path.shape() == other.path.shape()
}

#[cfg(test)]
mod tests;
