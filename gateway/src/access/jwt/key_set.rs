//! A JSON Web Key Set (RFC 7517), as far as its keys can check signatures.

use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;

/// Of one set. More are no key set of an issuer.
const KEYS: usize = 256;
/// A shorter shared secret can be guessed; RFC 7518 section 3.2 asks for the hash's length.
const SECRET_BYTES: usize = 32;

/// Keys of one issuer.
#[derive(Debug, Default)]
pub(crate) struct KeySet {
    /// Differs between any two sets of the process; 0 if there never was one.
    pub(super) generation: u64,
    keys: Vec<VerifyingKey>,
}

/// A key, and what it may be used for.
pub(super) struct VerifyingKey {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    pub(super) key: DecodingKey,
}

impl KeySet {
    /// Reads a set. Keys that are for something else are left out.
    ///
    /// # Errors
    /// A sentence on what is wrong, also if no key is left.
    pub(crate) fn parse(text: &[u8], generation: u64) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let set: Set = serde_json::from_slice(text)
            .map_err(|error| format!("it is no JSON Web Key Set: {error}"))?;
        if set.keys.len() > KEYS {
            return Err(format!("it has {} keys, more than {KEYS}", set.keys.len()));
        }
        // One by one: a kind of key that is not known here must not cost the others.
        let keys: Vec<VerifyingKey> = set
            .keys
            .into_iter()
            .filter_map(|value| serde_json::from_value::<Jwk>(value).ok())
            .filter_map(|jwk| VerifyingKey::new(&jwk))
            .collect();
        if keys.is_empty() {
            return Err("none of its keys can check a signature here".to_owned());
        }
        Ok(KeySet { generation, keys })
    }

    /// Differs between any two sets; 0 if there never was one.
    #[cfg(test)]
    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// The keys that may have signed a token with this header; a key without an id fits any.
    pub(super) fn candidates<'s>(
        &'s self,
        id: Option<&'s str>,
        algorithm: Algorithm,
    ) -> impl Iterator<Item = &'s VerifyingKey> {
        self.keys.iter().filter(move |key| {
            let same = match (&key.id, id) {
                (Some(own), Some(id)) => own == id,
                _ => true,
            };
            same && key.algorithms.contains(&algorithm)
        })
    }
}

impl VerifyingKey {
    fn new(jwk: &Jwk) -> Option<Self> {
        let signs = match &jwk.common.public_key_use {
            None | Some(PublicKeyUse::Signature) => true,
            Some(_) => false,
        };
        let mut algorithms = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => vec![
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ],
            AlgorithmParameters::EllipticCurve(key) => match key.curve {
                EllipticCurve::P256 => vec![Algorithm::ES256],
                EllipticCurve::P384 => vec![Algorithm::ES384],
                _ => return None,
            },
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => {
                vec![Algorithm::EdDSA]
            }
            AlgorithmParameters::OctetKey(_) => {
                vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512]
            }
            _ => return None,
        };
        if let Some(only) = jwk.common.key_algorithm {
            let only = only.to_string();
            algorithms.retain(|algorithm| format!("{algorithm:?}") == only);
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        let shared = matches!(jwk.algorithm, AlgorithmParameters::OctetKey(_));
        let weak = shared && key.try_get_as_bytes().ok()?.len() < SECRET_BYTES;
        (signs && !weak && !algorithms.is_empty()).then(|| VerifyingKey {
            id: jwk.common.key_id.clone(),
            algorithms,
            key,
        })
    }
}

/// Without the key, which may be a shared secret.
impl std::fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("VerifyingKey")
            .field("id", &self.id)
            .field("algorithms", &self.algorithms)
            .finish_non_exhaustive()
    }
}
