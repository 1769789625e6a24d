use std::collections::BTreeSet;

use super::*;

const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/api.json");

/// Set `STOKER_WRITE_REFERENCE` to write the copy instead.
#[test]
fn the_copy_in_docs_is_the_same() {
    let mut text = serde_json::to_string_pretty(&document()).unwrap();
    text.push('\n');
    if std::env::var_os("STOKER_WRITE_REFERENCE").is_some() {
        std::fs::write(COPY, &text).unwrap();
    }
    let copy = std::fs::read_to_string(COPY).unwrap_or_default();
    assert!(
        copy == text,
        "docs/api.json is out of date: STOKER_WRITE_REFERENCE=1 cargo test -p stoker-control openapi"
    );
}

#[test]
fn each_route_says_what_it_is() {
    let mut names = BTreeSet::new();
    for route in routes::all() {
        assert!(names.insert(route.id), "{} is there twice", route.id);
        assert!(!route.summary.is_empty(), "{}", route.path);
        assert!(!route.answers.is_empty(), "{}", route.path);
        for parameter in path_parameters(route.path) {
            assert_ne!(
                parameter["description"], "",
                "{parameter} of {}",
                route.path
            );
        }
        for parameter in Maker::new().query_parameters(route) {
            assert!(
                parameter["description"].is_string(),
                "{parameter} of {}",
                route.path
            );
        }
    }
}

/// The router is made of the table and nothing else, so what is not in it is nowhere.
#[test]
fn the_portal_is_in_it() {
    let document = document();
    for path in ["/", "/portal/{file}"] {
        let operation = &document["paths"][path]["get"];
        assert_eq!(operation["security"], json!([]), "{path} is for everybody");
        assert_eq!(operation["tags"], json!(["portal"]));
    }
}

/// Nothing refers to what is not there.
#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, all: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(reference) = map.get("$ref").and_then(Value::as_str) {
                    let pointer = reference.strip_prefix('#').unwrap();
                    assert!(all.pointer(pointer).is_some(), "{reference}");
                }
                map.values().for_each(|value| walk(value, all));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(value, all)),
            _ => {}
        }
    }
    let document = document();
    walk(&document, &document);
}
