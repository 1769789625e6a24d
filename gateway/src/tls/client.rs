//! The client's certificate, in words that a function reads.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::{AttributeTypeAndValue, X509Name};

/// The header fields about a client's certificate: `Client-Cert` with all of it (RFC 9440 section
/// 2.2) and `Stoker-Client-Subject` with the subject's name (RFC 4514).
pub(super) fn fields(certificate: &[u8]) -> Vec<(&'static str, String)> {
    let encoded = format!(":{}:", STANDARD.encode(certificate));
    let mut fields = vec![("client-cert", encoded)];
    if let Ok((_, parsed)) = X509Certificate::from_der(certificate) {
        fields.push(("stoker-client-subject", name(parsed.subject())));
    }
    fields
}

/// The name as RFC 4514 section 2 has it: the last part first, escaped so that no value can look
/// like another part, and nothing but visible ASCII.
fn name(name: &X509Name<'_>) -> String {
    let mut text = String::new();
    let mut parts: Vec<_> = name.iter_rdn().collect();
    parts.reverse();
    for (index, part) in parts.into_iter().enumerate() {
        if index > 0 {
            text.push(',');
        }
        for (index, attribute) in part.iter().enumerate() {
            if index > 0 {
                text.push('+');
            }
            push(&mut text, attribute);
        }
    }
    text
}

fn push(text: &mut String, attribute: &AttributeTypeAndValue<'_>) {
    let kind = attribute.attr_type();
    let value = attribute.as_str();
    match (oid2abbrev(kind, oid_registry()), value) {
        (Ok(kind), Ok(value)) => {
            text.push_str(kind);
            text.push('=');
            push_escaped(text, value);
        }
        // What has no name of its own is shown as it is encoded (section 2.4).
        _ => {
            text.push_str(&kind.to_id_string());
            text.push_str("=#");
            for byte in attribute.as_slice() {
                text.push_str(&format!("{byte:02x}"));
            }
        }
    }
}

/// Section 2.4.
fn push_escaped(text: &mut String, value: &str) {
    let last = value.len().saturating_sub(1);
    for (index, byte) in value.bytes().enumerate() {
        let special = b"\"+,;<=>\\".contains(&byte)
            || index == 0 && matches!(byte, b' ' | b'#')
            || index == last && byte == b' ';
        match byte {
            b' '..=b'~' if special => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => text.push_str(&format!("\\{byte:02X}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};

    use super::*;

    fn subject(parts: &[(DnType, &str)]) -> String {
        let mut params = CertificateParams::default();
        params.distinguished_name = DistinguishedName::new();
        for (kind, value) in parts {
            params.distinguished_name.push(kind.clone(), *value);
        }
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let [(whole, encoded), (subject, name)] = &fields(certificate.der())[..] else {
            panic!("not two fields");
        };
        assert_eq!((*whole, *subject), ("client-cert", "stoker-client-subject"));
        assert_eq!(
            *encoded,
            format!(":{}:", STANDARD.encode(certificate.der()))
        );
        name.clone()
    }

    #[test]
    fn the_last_part_comes_first() {
        let parts = [
            (DnType::CountryName, "DE"),
            (DnType::OrganizationName, "Example, Inc."),
            (DnType::CommonName, "alice"),
        ];
        assert_eq!(subject(&parts), "CN=alice,O=Example\\, Inc.,C=DE");
    }

    #[test]
    fn no_value_can_look_like_another_part_or_another_line() {
        for (value, escaped) in [
            ("a,O=Admin", "a\\,O\\=Admin"),
            ("a\r\nX: y", "a\\0D\\0AX: y"),
            ("a\u{fc}\0", "a\\C3\\BC\\00"),
            (" a ", "\\ a\\ "),
            ("#a", "\\#a"),
            ("a+b\"c\\d<e>;", "a\\+b\\\"c\\\\d\\<e\\>\\;"),
        ] {
            assert_eq!(
                subject(&[(DnType::CommonName, value)]),
                format!("CN={escaped}")
            );
        }
    }
}
