//! Certificates and keys from PEM files.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use ring::digest::{Context, SHA256};
use rustls::RootCertStore;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::load::read_bytes;
use crate::schema::rules;

/// What a certificate says of itself.
pub(crate) struct Leaf {
    /// Hosts in lower case: names, and addresses as they stand in a `Host`.
    pub(crate) hosts: Vec<String>,
    pub(crate) begins: SystemTime,
    pub(crate) expires: SystemTime,
}

/// The certificates of a PEM file; at least one.
///
/// # Errors
/// What the file should be, in words.
pub(crate) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let expected = |problem: &str| {
        let file = path.display();
        format!("a PEM file with a certificate; {file} {problem}")
    };
    let bytes = read_bytes(path).map_err(|problem| expected(&unreadable(&problem)))?;
    let found: Result<Vec<_>, pem::Error> = CertificateDer::pem_slice_iter(&bytes).collect();
    match found {
        Ok(found) if found.is_empty() => Err(expected("has none")),
        Ok(found) => Ok(found),
        Err(problem) => Err(expected(&format!("is no PEM: {problem}"))),
    }
}

/// The first private key of a PEM file.
///
/// # Errors
/// What the file should be, in words.
pub(crate) fn key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let expected = |problem: &str| {
        let file = path.display();
        format!("a PEM file with a private key; {file} {problem}")
    };
    let bytes = read_bytes(path).map_err(|problem| expected(&unreadable(&problem)))?;
    PrivateKeyDer::from_pem_slice(&bytes).map_err(|problem| match problem {
        pem::Error::NoItemsFound => expected("has none that is not encrypted"),
        problem => expected(&format!("is no PEM: {problem}")),
    })
}

/// Chain and key together, and their SHA-256.
///
/// # Errors
/// If the key is of no known kind or belongs to another certificate.
pub(crate) fn pair(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<(Arc<CertifiedKey>, [u8; 32]), rustls::Error> {
    let parts = chain.iter().map(AsRef::as_ref);
    let digest = digest(parts.chain([key.secret_der()]));
    let keyed = CertifiedKey::from_der(chain, key, &default_provider())?;
    Ok((Arc::new(keyed), digest))
}

/// The authorities of a PEM file, and the SHA-256 of them and of `demand`.
///
/// # Errors
/// What the file should be, in words.
pub(crate) fn authorities(
    path: &Path,
    demand: &[u8],
) -> Result<(Arc<RootCertStore>, [u8; 32]), String> {
    let chain = chain(path)?;
    let digest = digest([demand].into_iter().chain(chain.iter().map(AsRef::as_ref)));
    let mut store = RootCertStore::empty();
    for (index, authority) in chain.into_iter().enumerate() {
        store.add(authority).map_err(|problem| {
            let (file, number) = (path.display(), index + 1);
            format!("authorities' certificates; number {number} in {file} is none: {problem}")
        })?;
    }
    Ok((Arc::new(store), digest))
}

/// SHA-256 of the parts, each with its length before it.
pub(crate) fn digest<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(context.finish().as_ref());
    digest
}

/// Reads a certificate.
///
/// # Errors
/// Why it is none.
pub(crate) fn leaf(certificate: &CertificateDer<'_>) -> Result<Leaf, String> {
    let (_, parsed) = X509Certificate::from_der(certificate).map_err(|error| error.to_string())?;
    let names = parsed
        .subject_alternative_name()
        .map_err(|error| error.to_string())?;
    let names = names
        .into_iter()
        .flat_map(|names| &names.value.general_names);
    let validity = parsed.validity();
    Ok(Leaf {
        hosts: names.filter_map(host).collect(),
        begins: time(validity.not_before.timestamp()),
        expires: time(validity.not_after.timestamp()),
    })
}

fn host(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(name) => rules::host(name),
        GeneralName::IPAddress(bytes) => {
            if let Ok(bytes) = <[u8; 4]>::try_from(*bytes) {
                return Some(IpAddr::from(bytes).to_string());
            }
            let bytes = <[u8; 16]>::try_from(*bytes).ok()?;
            Some(format!("[{}]", IpAddr::from(bytes)))
        }
        _ => None,
    }
}

/// Before 1970 counts as then.
fn time(seconds: i64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

fn unreadable(problem: &std::io::Error) -> String {
    format!("cannot be read: {}", crate::load::words(problem))
}
