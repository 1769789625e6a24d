use super::Fnv;

/// From the reference implementation's test vectors.
#[test]
fn fnv_1a_as_specified() {
    for (text, expected) in [
        ("", 0xcbf2_9ce4_8422_2325_u64),
        ("a", 0xaf63_dc4c_8601_ec8c),
        ("foobar", 0x8594_4171_f739_67e8),
    ] {
        let mut hash = Fnv::new();
        hash.bytes(text.as_bytes());
        assert_eq!(hash.0, expected, "{text}");
    }
}
