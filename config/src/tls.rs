//! Rules between the keys of listeners, TLS and certificates, and the files that they name.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::RootCertStore;

use crate::certificate;
use crate::draft::tls::{CertificateDraft, ListenerDraft, TlsDraft};
use crate::function::absolute;
use crate::page::Rules;
use crate::spec::{
    Address, CertificateSpec, ClientDemand, ClientRules, HstsSpec, ListenerSpec, TlsSpec,
};
use crate::units::HOUR;

/// The lists of browsers take no shorter `max-age`: <https://hstspreload.org/#deployment-recommendations>.
const PRELOAD_AGE: Duration = HOUR.saturating_mul(24 * 365);

/// Where the listeners' addresses are if the file names none.
const LISTEN: &str = "127.0.0.1:8080";

/// Every listener with the key of its address in the file, those of `listen` first.
pub(crate) fn listeners(
    rules: &mut Rules<'_, '_>,
    (listen, drafts): (Vec<Address>, Vec<ListenerDraft>),
    home: &Path,
) -> Vec<(String, ListenerSpec)> {
    let mut listeners: Vec<_> = listen
        .into_iter()
        .enumerate()
        .map(|(index, address)| (format!("listen[{index}]"), ListenerSpec::plain(address)))
        .collect();
    for draft in drafts {
        let key = |name: &str| format!("listeners[{}].{name}", draft.index);
        rules.require(
            !(draft.tls && draft.redirect_to_https),
            &key("redirect-to-https"),
            &[&key("tls")],
            || "false on a listener with tls".to_owned(),
        );
        rules.require(
            draft.redirect_port.is_none() || draft.redirect_to_https,
            &key("redirect-port"),
            &[&key("redirect-to-https")],
            || "no redirect-port without redirect-to-https".to_owned(),
        );
        rules.require(
            draft.proxy_protocol_from.is_empty() || draft.proxy_protocol,
            &key("proxy-protocol-from"),
            &[&key("proxy-protocol")],
            || "no proxy-protocol-from without proxy-protocol".to_owned(),
        );
        rules.require(
            !draft.tls || rules.has("certificates"),
            &key("tls"),
            &[],
            || "false, or [[certificates]] with it".to_owned(),
        );
        let port = draft.redirect_port.unwrap_or(443);
        // An address that was not allowed has been reported.
        listeners.extend(draft.address.map(|address| {
            let listener = ListenerSpec {
                address,
                tls: draft.tls,
                http2: draft.http2,
                proxy_protocol: draft.proxy_protocol,
                proxy_protocol_from: draft.proxy_protocol_from,
                redirect_to_https: draft.redirect_to_https.then_some(port),
            };
            (format!("listeners[{}].address", draft.index), listener)
        }));
    }
    if listeners.is_empty() {
        let address = LISTEN.parse().expect("a constant that a test reads");
        listeners.push(("listen".to_owned(), ListenerSpec::plain(address)));
    }
    for (_, listener) in &mut listeners {
        if let Address::Unix(path) = &mut listener.address {
            *path = absolute(home, path);
        }
    }
    listeners
}

/// What `[tls]` and `[[certificates]]` say.
pub(crate) struct Tls {
    pub(crate) spec: TlsSpec,
    /// Every file that was read or should have been.
    pub(crate) files: Vec<PathBuf>,
    /// What is no error and should be known.
    pub(crate) warnings: Vec<String>,
}

/// Reads the certificates and checks everything; `threads` are those of the data plane.
pub(crate) fn finish(
    rules: &mut Rules<'_, '_>,
    (draft, certificates): (TlsDraft, Vec<CertificateDraft>),
    (home, threads): (&Path, usize),
) -> Tls {
    let mut reader = Reader {
        home,
        files: Vec::new(),
        warnings: Vec::new(),
        certificates: Vec::new(),
    };
    for certificate in certificates {
        reader.certificate(rules, certificate);
    }
    let Reader {
        files,
        warnings,
        mut certificates,
        ..
    } = reader;
    if !certificates.iter().any(|certificate| certificate.default)
        && let Some(first) = certificates.first_mut()
    {
        first.default = true;
    }
    let spec = TlsSpec {
        minimum_version: draft.minimum_version,
        handshake_timeout: draft.handshake_timeout,
        concurrent_handshakes: draft
            .concurrent_handshakes
            .unwrap_or_else(|| (threads / 2).max(1)),
        hsts: hsts(rules, &draft),
        certificates,
    };
    Tls {
        spec,
        files,
        warnings,
    }
}

fn hsts(rules: &mut Rules<'_, '_>, draft: &TlsDraft) -> Option<HstsSpec> {
    let (age, below) = ("tls.hsts-max-age", "tls.hsts-include-subdomains");
    let named = draft.hsts_max_age.is_some();
    rules.require(
        named || !draft.hsts_include_subdomains,
        below,
        &[age],
        || "false, or hsts-max-age with it".to_owned(),
    );
    let long = draft.hsts_max_age.is_some_and(|age| age >= PRELOAD_AGE);
    let listed = long && draft.hsts_include_subdomains;
    rules.require(
        listed || !draft.hsts_preload,
        "tls.hsts-preload",
        &[age, below],
        || {
            "false, or hsts-include-subdomains and a hsts-max-age of at least \"8760h\" with it"
                .to_owned()
        },
    );
    Some(HstsSpec {
        max_age: draft.hsts_max_age?,
        include_subdomains: draft.hsts_include_subdomains,
        preload: draft.hsts_preload,
    })
}

/// Reads one certificate after the other.
struct Reader<'h> {
    home: &'h Path,
    files: Vec<PathBuf>,
    warnings: Vec<String>,
    certificates: Vec<CertificateSpec>,
}

impl Reader<'_> {
    fn certificate(&mut self, rules: &mut Rules<'_, '_>, draft: CertificateDraft) {
        let key = |name: &str| format!("certificates[{}].{name}", draft.index);
        let clients = self.clients(rules, &draft);
        let taken = self.certificates.iter().any(|other| other.default);
        rules.require(!(draft.default && taken), &key("default"), &[], || {
            "false, as another certificate is the default".to_owned()
        });
        let path = draft.certificate.as_ref().map(|path| self.file(path));
        let chain = path
            .as_deref()
            .and_then(|path| told(rules, &key("certificate"), certificate::chain(path)));
        let secret = draft.key.as_ref().map(|path| self.file(path));
        let secret = secret.and_then(|path| told(rules, &key("key"), certificate::key(&path)));
        let (Some(path), Some(chain)) = (path, chain) else {
            return;
        };
        let file = path.display().to_string();
        let leaf = certificate::leaf(&chain[0]).map_err(|problem| {
            format!("a PEM file with a certificate; {file} has none: {problem}")
        });
        let Some(leaf) = told(rules, &key("certificate"), leaf) else {
            return;
        };
        let (hosts, hosts_key) = if rules.has(&key("hosts")) {
            (draft.hosts, key("hosts"))
        } else {
            (leaf.hosts, key("certificate"))
        };
        rules.require(!hosts.is_empty(), &hosts_key, &[], || {
            format!("hosts with it, as {file} names none")
        });
        self.check_hosts(rules, &hosts, &hosts_key);
        self.check_dates(&file, (leaf.begins, leaf.expires));
        let pair = secret.and_then(|secret| {
            let pair = certificate::pair(chain, secret)
                .map_err(|problem| format!("the key of {file}: {problem}"));
            told(rules, &key("key"), pair)
        });
        if let (Some((keyed, digest)), Some(clients)) = (pair, clients) {
            self.certificates.push(CertificateSpec {
                certificate: path,
                hosts,
                default: draft.default,
                keyed,
                digest,
                expires: leaf.expires,
                clients,
            });
        }
    }

    fn clients(
        &mut self,
        rules: &mut Rules<'_, '_>,
        draft: &CertificateDraft,
    ) -> Option<ClientRules> {
        let key = |name: &str| format!("certificates[{}].{name}", draft.index);
        let ca = draft.client_ca.as_ref().map(|path| self.file(path));
        let asked = draft.demand != ClientDemand::None;
        let demand = match draft.demand {
            ClientDemand::None => "none",
            ClientDemand::Optional => "optional",
            ClientDemand::Required => "required",
        };
        let (authorities, digest) = match ca {
            Some(path) => {
                rules.require(
                    asked,
                    &key("client-ca"),
                    &[&key("client-certificates")],
                    || "client-certificates of \"optional\" or \"required\" with it".to_owned(),
                );
                let read = certificate::authorities(&path, demand.as_bytes());
                told(rules, &key("client-ca"), read)?
            }
            None => {
                let named = rules.has(&key("client-ca"));
                rules.require(named || !asked, &key("client-certificates"), &[], || {
                    "\"none\", or client-ca with it".to_owned()
                });
                let digest = certificate::digest([demand.as_bytes()]);
                (Arc::new(RootCertStore::empty()), digest)
            }
        };
        Some(ClientRules {
            demand: draft.demand,
            authorities,
            digest,
        })
    }

    fn check_hosts(&self, rules: &mut Rules<'_, '_>, hosts: &[String], key: &str) {
        for host in hosts {
            let other = self
                .certificates
                .iter()
                .find(|other| other.hosts.contains(host));
            if let Some(other) = other {
                let file = other.certificate.display();
                rules.require(false, key, &[], || {
                    format!("hosts that no other certificate has; {file} has {host} too")
                });
            }
        }
    }

    fn check_dates(&mut self, file: &str, (begins, expires): (SystemTime, SystemTime)) {
        let now = SystemTime::now();
        if expires < now {
            self.warnings
                .push(format!("the certificate {file} has expired"));
        } else if begins > now {
            self.warnings
                .push(format!("the certificate {file} is not valid yet"));
        }
    }

    fn file(&mut self, path: &Path) -> PathBuf {
        let path = absolute(self.home, path);
        self.files.push(path.clone());
        path
    }
}

/// Reports what the value of the key should be.
fn told<V>(rules: &mut Rules<'_, '_>, key: &str, result: Result<V, String>) -> Option<V> {
    result
        .map_err(|expected| rules.require(false, key, &[], || expected))
        .ok()
}
