use clap::Parser;
use clap::error::ErrorKind;

use super::*;
use crate::cli::Command;

/// As the program flattens it.
#[derive(Debug, Parser)]
struct Program {
    #[command(subcommand)]
    command: Command,
}

fn parse(line: &str) -> Result<Command, ErrorKind> {
    let words = std::iter::once("stoker").chain(line.split_whitespace());
    Program::try_parse_from(words)
        .map(|program| program.command)
        .map_err(|error| error.kind())
}

#[test]
fn the_definition_is_sound() {
    use clap::CommandFactory as _;
    Program::command().debug_assert();
}

#[test]
fn every_command_takes_json_and_admin() {
    for line in [
        "ls",
        "ps",
        "ps f",
        "logs f",
        "invoke f",
        "scale f 1",
        "evict f",
        "evict --all",
        "reload",
    ] {
        assert!(parse(line).is_ok(), "{line}");
        assert!(
            parse(&format!("{line} --json --admin x.sock --token-file t")).is_ok(),
            "{line}"
        );
    }
}

#[test]
fn wrong_lines_are_usage_errors() {
    for (line, kind) in [
        ("logs", ErrorKind::MissingRequiredArgument),
        ("logs f -n 10001", ErrorKind::ValueValidation),
        ("logs f -n x", ErrorKind::ValueValidation),
        ("invoke f -H nocolon", ErrorKind::ValueValidation),
        ("invoke f -X bad@method", ErrorKind::ValueValidation),
        ("scale f", ErrorKind::MissingRequiredArgument),
        ("scale f many", ErrorKind::ValueValidation),
        ("scale f -1", ErrorKind::UnknownArgument),
        ("evict", ErrorKind::MissingRequiredArgument),
        ("evict f --all", ErrorKind::ArgumentConflict),
        ("evict f --wait 10", ErrorKind::ValueValidation),
        ("evict f --wait 10m", ErrorKind::ValueValidation),
        ("ls --bogus", ErrorKind::UnknownArgument),
    ] {
        assert_eq!(parse(line).unwrap_err(), kind, "{line}");
    }
}

#[test]
fn invoke_reads_like_curl() {
    let line = "invoke f /x?y=1 -X PUT -H a:b -H content-type:text/plain -d - -v";
    let Ok(Command::Invoke(arguments)) = parse(line) else {
        panic!("an invocation")
    };
    assert_eq!(arguments.path, "/x?y=1");
    assert_eq!(arguments.method, Some(hyper::Method::PUT));
    assert_eq!(arguments.headers.len(), 2);
    assert_eq!(arguments.headers[1].1, "text/plain");
    assert_eq!(arguments.data.as_deref(), Some("-"));
    assert!(arguments.verbose);
}

#[test]
fn scale_takes_a_number_or_auto() {
    assert_eq!(instances("0"), Ok(Instances::Held(0)));
    assert_eq!(instances("3"), Ok(Instances::Held(3)));
    assert_eq!(instances("auto"), Ok(Instances::Auto));
    assert!(instances("Auto").is_err());
}
