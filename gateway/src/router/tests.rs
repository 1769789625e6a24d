use super::*;

struct Case {
    router: Router<&'static str>,
}

impl Case {
    fn new(routes: &[(&'static str, &str, &str, &[&str], bool)]) -> Self {
        let mut router = Router::new("/function");
        for &(name, host, pattern, methods, strip_prefix) in routes {
            let route = RouteSpec {
                host: (!host.is_empty()).then(|| host.to_owned()),
                path: PathPattern::parse(pattern).unwrap(),
                methods: methods.iter().map(|method| (*method).to_owned()).collect(),
                strip_prefix,
            };
            router.add(&name.into(), &[route], &Arc::new(name));
        }
        Case { router }
    }

    fn get(&self, host: &str, path: &str) -> Option<(&'static str, String)> {
        let routed = self.router.route(host, path, "GET").ok()?;
        Some((**routed.target, routed.path.to_owned()))
    }
}

fn at(name: &'static str, path: &str) -> Option<(&'static str, String)> {
    Some((name, path.to_owned()))
}

#[test]
fn default_route_strips_the_name() {
    let case = Case::new(&[("a", "", "/only/a", &[], false)]);
    assert_eq!(case.get("", "/function/a"), at("a", "/"));
    assert_eq!(case.get("", "/function/a/"), at("a", "/"));
    assert_eq!(case.get("", "/function/a/b/c"), at("a", "/b/c"));
    assert_eq!(case.get("", "/function/b"), None);
    assert_eq!(case.get("", "/function/"), None);
    assert_eq!(case.get("", "/function"), None);
    assert_eq!(case.get("", "/functions/a"), None);
}

#[test]
fn the_most_specific_pattern_wins() {
    let case = Case::new(&[
        ("rest", "", "/users/{*rest}", &[], false),
        ("one", "", "/users/{id}", &[], false),
        ("me", "", "/users/me", &[], false),
        ("posts", "", "/users/{id}/posts", &[], false),
    ]);
    assert_eq!(case.get("", "/users/me"), at("me", "/users/me"));
    assert_eq!(case.get("", "/users/%6de"), at("me", "/users/%6de"));
    assert_eq!(case.get("", "/users/5"), at("one", "/users/5"));
    assert_eq!(case.get("", "/users/5/"), at("one", "/users/5/"));
    assert_eq!(
        case.get("", "/users/me/posts"),
        at("posts", "/users/me/posts")
    );
    assert_eq!(
        case.get("", "/users/5/other/deep"),
        at("rest", "/users/5/other/deep")
    );
    assert_eq!(case.get("", "/users"), at("rest", "/users"));
    assert_eq!(case.get("", "/other"), None);
}

#[test]
fn hosts_go_from_exact_to_any() {
    let case = Case::new(&[
        ("any", "", "/x", &[], false),
        ("wild", "*.example.org", "/x", &[], false),
        ("exact", "api.example.org", "/x", &[], false),
    ]);
    assert_eq!(case.get("API.Example.org:8080", "/x"), at("exact", "/x"));
    assert_eq!(case.get("a.b.example.org.", "/x"), at("wild", "/x"));
    assert_eq!(case.get("example.org", "/x"), at("any", "/x"));
    assert_eq!(case.get("[::1]:80", "/x"), at("any", "/x"));
}

#[test]
fn methods_choose_and_refuse() {
    let case = Case::new(&[
        ("read", "", "/x", &["GET", "HEAD"], false),
        ("write", "", "/x", &["POST"], false),
    ]);
    assert_eq!(case.get("", "/x"), at("read", "/x"));
    let write = case
        .router
        .route("", "/x", "POST")
        .ok()
        .map(|routed| **routed.target);
    assert_eq!(write, Some("write"));
    let refused = case.router.route("", "/x", "PUT").err();
    let methods = ["GET", "HEAD", "POST"].map(str::to_owned).to_vec();
    assert_eq!(refused, Some(NoRoute::MethodNotAllowed(methods)));
}

#[test]
fn prefixes_are_stripped_and_parameters_named() {
    let case = Case::new(&[("a", "", "/api/v1/{id}/{*rest}", &[], true)]);
    let routed = case.router.route("", "/api/v1/7/b/c", "GET").ok().unwrap();
    assert_eq!(routed.path, "/7/b/c");
    assert_eq!(routed.parameters, [("id", "7"), ("rest", "b/c")]);
    let routed = case.router.route("", "/api/v1/7", "GET").ok().unwrap();
    assert_eq!((routed.path, &routed.parameters[1]), ("/7", &("rest", "")));
}
