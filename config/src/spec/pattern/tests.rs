use super::*;

#[test]
fn patterns_read_and_shown() {
    for text in [
        "/",
        "/a",
        "/{*rest}",
        "/users/{id}/files/{*rest}",
        "/.well-known/x",
        "/a b/ü",
    ] {
        let pattern = PathPattern::parse(text).unwrap();
        assert_eq!(pattern.to_string(), text);
        assert_eq!(text.parse(), Ok(pattern));
    }
    let pattern = PathPattern::parse("/users/{id}/{*rest}").unwrap();
    assert_eq!(
        pattern.segments,
        [
            Segment::Literal("users".to_owned()),
            Segment::Parameter("id".to_owned()),
            Segment::Rest("rest".to_owned()),
        ]
    );
}

#[test]
fn what_is_no_pattern() {
    let cases = [
        "",
        "a",
        "//",
        "/a/",
        "/a//b",
        "/./a",
        "/a/..",
        "/{*rest}/a",
        "/{a}/{a}",
        "/{a}/{*a}",
        "/{}",
        "/{*}",
        "/{1a}",
        "/{a-b}",
        "/x{a}",
        "/{a}x",
        "/{a",
        "/a}",
        "/a%20b",
        "/a?b",
        "/a#b",
        "/a\nb",
        "/{*rest}/",
    ];
    for text in cases {
        let error = PathPattern::parse(text).unwrap_err();
        assert!(
            error.starts_with(|c: char| !c.is_uppercase()),
            "{text}: {error}"
        );
    }
}

#[test]
fn names_do_not_change_the_shape() {
    let shape = |text: &str| PathPattern::parse(text).unwrap().shape();
    assert_eq!(shape("/a/{x}/{*y}"), shape("/a/{p}/{*q}"));
    assert_ne!(shape("/a/{x}"), shape("/a/{*x}"));
    assert_ne!(shape("/a/{x}"), shape("/a/x"));
}
