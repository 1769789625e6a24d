//! Makes tokens, for tests.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::SystemRandom;
use ring::rsa::KeyPair as RsaKeyPair;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256,
    RSA_PSS_SHA256, RsaPublicKeyComponents,
};
use serde_json::{Value, json};

/// A key of which tests have the private half.
pub(crate) enum Forge {
    Ec(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
    Rsa(Box<RsaKeyPair>, &'static str),
    Shared(Vec<u8>),
}

impl Forge {
    pub(crate) fn ec() -> Self {
        let algorithm = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).unwrap();
        Forge::Ec(EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).unwrap())
    }

    pub(crate) fn ed() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Forge::Ed(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    /// `RS256` or `PS256`. ring makes no keys of this kind, so this is always the same one.
    pub(crate) fn rsa(algorithm: &'static str) -> Self {
        let pkcs8 = include_bytes!("forge/rsa-for-tests.pk8");
        Forge::Rsa(Box::new(RsaKeyPair::from_pkcs8(pkcs8).unwrap()), algorithm)
    }

    pub(crate) fn algorithm(&self) -> &'static str {
        match self {
            Forge::Ec(_) => "ES256",
            Forge::Ed(_) => "EdDSA",
            Forge::Rsa(_, algorithm) => algorithm,
            Forge::Shared(_) => "HS256",
        }
    }

    /// The half that everybody may know.
    pub(crate) fn jwk(&self, id: &str) -> Value {
        let encode = |bytes: &[u8]| BASE64.encode(bytes);
        match self {
            Forge::Ec(key) => {
                let point = key.public_key().as_ref();
                json!({"kty": "EC", "crv": "P-256", "kid": id, "use": "sig",
                       "x": encode(&point[1..33]), "y": encode(&point[33..])})
            }
            Forge::Ed(key) => {
                json!({"kty": "OKP", "crv": "Ed25519", "kid": id,
                       "x": encode(key.public_key().as_ref())})
            }
            Forge::Rsa(key, algorithm) => {
                let key = RsaPublicKeyComponents::<Vec<u8>>::from(key.public());
                json!({"kty": "RSA", "kid": id, "alg": algorithm,
                       "n": encode(&key.n),
                       "e": encode(&key.e)})
            }
            Forge::Shared(secret) => json!({"kty": "oct", "kid": id, "k": encode(secret)}),
        }
    }

    /// A token with this header and these claims, whatever they are.
    pub(crate) fn token_with(&self, header: &Value, claims: &Value) -> String {
        let encode = |value: &Value| BASE64.encode(value.to_string());
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", BASE64.encode(signature))
    }

    pub(crate) fn token(&self, id: &str, claims: &Value) -> String {
        let header = json!({"typ": "JWT", "alg": self.algorithm(), "kid": id});
        self.token_with(&header, claims)
    }

    fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match self {
            Forge::Ec(key) => key.sign(&random, message).unwrap().as_ref().to_vec(),
            Forge::Ed(key) => key.sign(message).as_ref().to_vec(),
            Forge::Rsa(key, algorithm) => {
                let mut signature = vec![0; key.public().modulus_len()];
                let padding: &dyn ring::signature::RsaEncoding = match *algorithm {
                    "RS256" => &RSA_PKCS1_SHA256,
                    _ => &RSA_PSS_SHA256,
                };
                key.sign(padding, &random, message, &mut signature).unwrap();
                signature
            }
            Forge::Shared(secret) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
                hmac::sign(&key, message).as_ref().to_vec()
            }
        }
    }
}
