use std::path::Path;

use super::*;
use crate::schema::Name;
use crate::{function, gateway};

const COPY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/configuration.md");

/// Set `STOKER_WRITE_REFERENCE` to write the copy instead.
#[test]
fn the_copy_in_docs_is_the_same() {
    if std::env::var_os("STOKER_WRITE_REFERENCE").is_some() {
        std::fs::write(COPY, reference()).unwrap();
    }
    let copy = std::fs::read_to_string(COPY).unwrap_or_default();
    assert!(
        copy == reference(),
        "docs/configuration.md is out of date: stoker config reference > docs/configuration.md"
    );
}

/// The example has this key, in this section.
fn has(example: &str, (section, key): Name) -> bool {
    let header = format!("[{section}]");
    let after = if section.is_empty() {
        example
    } else {
        example.split_once(&header).map_or("", |(_, after)| after)
    };
    let body = after.split("\n[").next().unwrap_or_default();
    body.lines()
        .any(|line| line.split(" =").next() == Some(key) || line.contains(&format!("or: {key}")))
}

#[test]
fn the_examples_have_every_key() {
    for (example, names) in [
        (GATEWAY_EXAMPLE, crate::schema::gateway::names()),
        (MANIFEST_EXAMPLE, crate::schema::manifest::names()),
    ] {
        for name in names {
            let is_section = name.0.is_empty() && example.contains(&format!("[{}]", name.1));
            assert!(is_section || has(example, name), "{name:?}");
        }
    }
}

#[test]
fn the_examples_are_valid() {
    let file = Path::new("/srv/hello/function.toml");
    let place = function::Place {
        file,
        absolute: file,
        name: None,
    };
    // The directory need not exist here.
    let text = MANIFEST_EXAMPLE.replace("working-directory = \".\"", "working-directory = \"/\"");
    let (function, errors) = function::read(place, &text);
    assert_eq!(errors, []);
    assert_eq!(function.unwrap().spec.command[0], "/srv/hello/server");

    let text = GATEWAY_EXAMPLE.replace(
        "token-file = \"admin.token\"",
        "token = \"0123456789abcdef\"",
    );
    let home = std::env::temp_dir().join(format!("stoker-example-{}", std::process::id()));
    std::fs::create_dir_all(&home).unwrap();
    let names = ["example.org".to_owned()];
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let certificate = made.cert.pem();
    std::fs::write(home.join("example.org.pem"), &certificate).unwrap();
    std::fs::write(home.join("clients.pem"), &certificate).unwrap();
    std::fs::write(
        home.join("example.org.key"),
        made.signing_key.serialize_pem(),
    )
    .unwrap();
    let (gateway, errors) = gateway::read(Path::new("stoker.toml"), &home, &text);
    std::fs::remove_dir_all(&home).unwrap();
    assert_eq!(errors, []);
    assert_eq!(gateway.spec.listeners.len(), 4);
    assert_eq!(gateway.spec.tls.certificates.len(), 1);
    assert_eq!(gateway.files.len(), 3);
    assert_eq!(gateway.functions.len(), 2);
}

/// Every key is in a table with as many columns as its head.
#[test]
fn the_tables_are_well_formed() {
    let text = reference();
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with('|')).collect();
    for row in &rows {
        assert_eq!(row.replace("\\|", "").matches('|').count(), 6, "{row}");
    }
    assert!(rows.len() > 70);
}
