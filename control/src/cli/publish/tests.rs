use super::*;

fn packed() -> Packed {
    Packed {
        digest: String::new(),
        archive_bytes: 1536,
        total_bytes: 9000,
        files: 3,
    }
}

#[test]
fn what_was_published_is_told_in_words() {
    let answer = r#"{"number":4,"url":"/function/shop","revision_url":"/function/shop:r4",
        "percent":12.5,"notes":["built in 2 s\n"],"digest":"x"}"#;
    let revision: Revision = serde_json::from_str(answer).unwrap();
    let base = "http://127.0.0.1:8080";
    let text = summary("shop", &revision, base, (&packed(), Duration::from_secs(1)));
    assert_eq!(
        text,
        "shop: revision 4 gets 12.5 % of the requests to http://127.0.0.1:8080/function/shop\n\
         this revision alone: http://127.0.0.1:8080/function/shop:r4\n\
         built in 2 s\n\
         1.5 KiB of 3 files were sent; it took 1.0s\n"
    );
    let revision: Revision = serde_json::from_str(r#"{"number":1,"url":"/function/a"}"#).unwrap();
    let text = summary("a", &revision, "", (&packed(), Duration::from_millis(250)));
    assert!(
        text.starts_with("a: revision 1 serves /function/a\n"),
        "{text}"
    );
}

#[test]
fn traffic_is_all_none_or_a_percentage() {
    for good in ["all", "none", "0", "12.5", "100"] {
        assert_eq!(traffic(good), Ok(good.to_owned()));
    }
    for bad in ["", "101", "-1", "NaN", "half"] {
        assert!(traffic(bad).is_err(), "{bad}");
    }
}

#[test]
fn sizes_are_rough() {
    assert_eq!(rough(900), "900 B");
    assert_eq!(rough(1 << 20), "1.0 MiB");
}
