use std::path::Path;

use super::*;
use crate::parse_function;

const ROUTES: &str = "command = [\"true\"]\n[[routes]]\npath = \"/a/{id}\"\nmethods = [\"GET\"]\n\
    [[routes]]\npath = \"/function/other/{*rest}\"\n";

fn function(name: &str, text: &str) -> FunctionSpec {
    let place = Path::new("/srv/code/function.toml");
    parse_function(place, text, name).unwrap()
}

fn found(spec: &FunctionSpec, functions: Vec<FunctionSpec>) -> Vec<String> {
    let path = std::env::temp_dir().join(format!("stoker-joining-{}", std::process::id()));
    std::fs::create_dir_all(&path).unwrap();
    let file = path.join("stoker.toml");
    std::fs::create_dir_all(path.join("functions")).unwrap();
    std::fs::write(&file, "").unwrap();
    let config = crate::load(&file).unwrap();
    conflicts(spec, &config.gateway, functions.iter())
}

#[test]
fn routes_of_others_are_taken() {
    let spec = function("f", ROUTES);
    assert_eq!(found(&spec, Vec::new()), [""; 0]);
    assert_eq!(found(&spec, vec![spec.clone()]), [""; 0]);
    let others = vec![
        function("g", ROUTES),
        function("other", "command = [\"true\"]"),
    ];
    let taken = found(&spec, others.clone());
    assert_eq!(taken.len(), 2);
    assert!(taken[0].contains("\"g\""), "{taken:?}");
    assert!(taken[1].contains("\"other\""), "{taken:?}");
    let text = ROUTES.replace("GET", "PUT").replace("other", "another");
    assert_eq!(found(&function("f", &text), others), [""; 0]);
}

#[test]
fn issuers_must_be_known() {
    let text = "command = [\"true\"]\n[access.jwt]\nissuers = [\"staff\"]\n";
    let found = found(&function("f", text), Vec::new());
    assert!(found.len() == 1 && found[0].contains("staff"), "{found:?}");
}

#[test]
fn a_published_name_is_given() {
    let parse = |text| parse_function(Path::new("/srv/x/function.toml"), text, "f");
    assert_eq!(&*parse("command = [\"true\"]").unwrap().name, "f");
    assert!(parse("name = \"f\"\ncommand = [\"true\"]").is_ok());
    let error = parse("name = \"g\"\ncommand = [\"true\"]").unwrap_err();
    assert!(
        error.to_string().contains("function.toml:1: name"),
        "{error}"
    );
}
