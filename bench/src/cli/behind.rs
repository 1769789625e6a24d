//! Which functions of a gateway are behind URLs, so that they can be evicted.

use stoker_config::Address;

use super::Mode;
use super::arguments::Deed;
use crate::admin::Admin;
use crate::client::{Alpn, Endpoint, Url};
use crate::target::{Call, expand_all, without_duration};

impl Mode {
    /// Whether it asks a gateway for something that no URL can be asked for.
    pub(super) fn needs_gateway(&self) -> bool {
        let force = match self {
            Mode::Cold(arguments) => &arguments.force,
            Mode::Burst(arguments) => &arguments.force,
            Mode::Drain(arguments) => {
                let mut actions = arguments.actions.iter();
                return actions.any(|action| *action != Deed::None);
            }
            _ => return false,
        };
        force.cold_command.is_none() && force.cold_after.is_none()
    }
}

/// The functions that the URLs among the targets call, by the paths of their default routes. A gateway
/// that does not listen where a URL leads is not the one that is meant.
///
/// # Errors
/// If one has no function behind it that is known, in words.
pub(super) fn functions_behind(
    words: &[String],
    call: &Call,
    admin: &Admin,
) -> Result<Vec<String>, String> {
    let listeners = admin.listeners()?;
    let addresses: Vec<Address> = listeners.iter().filter_map(|text| address(text)).collect();
    let routes = admin.default_routes()?;
    let mut functions = Vec::new();
    for word in expand_all(words)? {
        if !word.contains("://") {
            continue;
        }
        let url = Url::parse(&without_duration(&word))?;
        let trust = (&call.trust, Alpn::Http1);
        let endpoint = Endpoint::resolve(&url, call.unix_socket.clone(), trust)?;
        if !endpoint.is_of(&addresses) {
            return Err(format!(
                "the gateway that was found listens on {}, which is not where {word} leads: name the \
                 gateway with --admin and what is behind the URL with --function",
                listeners.join(", ")
            ));
        }
        let function = behind(&url.path, &routes).ok_or_else(|| {
            format!(
                "no function of the gateway has {word} as its default route: name what is behind it \
                 with --function"
            )
        })?;
        functions.push(function.to_owned());
    }
    Ok(functions)
}

/// A listener as the gateway tells it: what is asked of callers beyond plain HTTP is behind the address.
fn address(text: &str) -> Option<Address> {
    text.split_whitespace().next()?.parse().ok()
}

/// The function with the longest default route that the path begins with.
fn behind<'r>(path: &str, routes: &'r [(String, String)]) -> Option<&'r str> {
    let begins = |route: &str| {
        // Below it, its query, or one of its aliases.
        let rest = path.strip_prefix(route);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['/', '?', ':']))
    };
    let fitting = routes.iter().filter(|(_, route)| begins(route));
    let longest = fitting.max_by_key(|(_, route)| route.len());
    longest.map(|(name, _)| name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_route_is_the_one() {
        let routes = [
            ("f", "/function/f"),
            ("g", "/function/f/g"),
            ("ff", "/function/ff"),
        ];
        let routes = routes.map(|(name, route)| (name.to_owned(), route.to_owned()));
        for (path, name) in [
            ("/function/f", Some("f")),
            ("/function/f?x=1", Some("f")),
            ("/function/f:stable/x", Some("f")),
            ("/function/f/x/y", Some("f")),
            ("/function/f/g/h", Some("g")),
            ("/function/ff", Some("ff")),
            ("/function/fff", None),
            ("/", None),
        ] {
            assert_eq!(behind(path, &routes), name, "{path}");
        }
    }

    #[test]
    fn listeners_are_read_as_they_are_told() {
        let tcp = |text: &str| Some(Address::Tcp(text.parse().unwrap()));
        assert_eq!(address("127.0.0.1:80"), tcp("127.0.0.1:80"));
        assert_eq!(address("[::]:443 (TLS)"), tcp("[::]:443"));
        assert_eq!(address("unix:/run/x"), Some(Address::Unix("/run/x".into())));
        assert_eq!(address(""), None);
    }
}
