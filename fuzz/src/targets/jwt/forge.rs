//! Makes tokens, with keys that are the same each time.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, ED25519, EcdsaKeyPair,
    Ed25519KeyPair, KeyPair as _, RSA_PKCS1_2048_8192_SHA256, RSA_PKCS1_SHA256,
    RsaPublicKeyComponents, UnparsedPublicKey,
};
use serde_json::{Value, json};

/// A key with its private half.
pub(super) enum Forge {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(RsaKeyPair),
    Shared(Vec<u8>),
}

impl Forge {
    /// One of each kind; those that can be made of a `seed` are.
    pub(super) fn all(seed: u8) -> Vec<Forge> {
        let ec = include_bytes!("ec-for-tests.pk8");
        let ec =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, ec, &SystemRandom::new());
        let rsa = include_bytes!("../../../../gateway/src/access/jwt/forge/rsa-for-tests.pk8");
        vec![
            Forge::Ec(ec.expect("it is a key")),
            Forge::Ed(Ed25519KeyPair::from_seed_unchecked(&[seed; 32]).expect("it is a seed")),
            Forge::Rsa(RsaKeyPair::from_pkcs8(rsa).expect("it is a key")),
            Forge::Shared(vec![seed; 32]),
        ]
    }

    pub(super) fn algorithm(&self) -> &'static str {
        match self {
            Forge::Ec(_) => "ES256",
            Forge::Ed(_) => "EdDSA",
            Forge::Rsa(_) => "RS256",
            Forge::Shared(_) => "HS256",
        }
    }

    /// Of the key.
    pub(super) fn id(&self) -> &'static str {
        match self {
            Forge::Ec(_) => "ec",
            Forge::Ed(_) => "ed",
            Forge::Rsa(_) => "rsa",
            Forge::Shared(_) => "shared",
        }
    }

    /// For the issuer's set.
    pub(super) fn jwk(&self) -> Value {
        let encode = |bytes: &[u8]| BASE64.encode(bytes);
        let id = self.id();
        match self {
            Forge::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id,
                       "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Forge::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id,
                       "x": encode(key.public_key().as_ref())})
            }
            Forge::Rsa(key) => {
                let key = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "kid": id, "n": encode(&key.n), "e": encode(&key.e)})
            }
            Forge::Shared(secret) => json!({"kty": "oct", "kid": id, "k": encode(secret)}),
        }
    }

    /// What everybody may know.
    pub(super) fn public(&self) -> Option<Vec<u8>> {
        match self {
            Forge::Ec(key) => Some(key.public_key().as_ref().to_vec()),
            Forge::Ed(key) => Some(key.public_key().as_ref().to_vec()),
            Forge::Rsa(key) => Some(key.public().as_ref().to_vec()),
            Forge::Shared(_) => None,
        }
    }

    /// A token with this header and these claims, whatever they are.
    pub(super) fn token(&self, header: &[u8], claims: &[u8]) -> String {
        let message = format!("{}.{}", BASE64.encode(header), BASE64.encode(claims));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Forge::Ec(key) => {
                let signature = key.sign(&random, message).expect("it can sign");
                signature.as_ref().to_vec()
            }
            Forge::Ed(key) => key.sign(message).as_ref().to_vec(),
            Forge::Rsa(key) => {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(&RSA_PKCS1_SHA256, &random, message, &mut signature)
                    .expect("it can sign");
                signature
            }
            Forge::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }

    /// Whether this key signed it.
    pub(super) fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        match self {
            Forge::Ec(key) => UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, key.public_key())
                .verify(message, signature)
                .is_ok(),
            Forge::Ed(key) => UnparsedPublicKey::new(&ED25519, key.public_key())
                .verify(message, signature)
                .is_ok(),
            Forge::Rsa(key) => UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, key.public())
                .verify(message, signature)
                .is_ok(),
            Forge::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::verify(&key, message, signature).is_ok()
            }
        }
    }
}

/// base64 as tokens have it.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    BASE64.decode(text).ok()
}
