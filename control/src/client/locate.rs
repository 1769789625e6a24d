//! Finding the gateway.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::{Client, ClientError, Target};

/// Names the admin API's address.
const ADDRESS: &str = "STOKER_ADMIN";
/// Where a gateway that was started in this directory has its socket.
const HERE: &str = ".stoker/admin.sock";
/// What `stoker serve` reads unless it is told otherwise; it may name another socket.
const FILE: &str = "stoker.toml";

impl Client {
    /// The gateway that `address` names, else `$STOKER_ADMIN`, else the first that answers of
    /// `./.stoker/admin.sock`, the socket that `./stoker.toml` names and
    /// `$XDG_RUNTIME_DIR/stoker/admin.sock`.
    ///
    /// # Errors
    /// If no gateway is named and none answers.
    pub async fn locate(address: Option<&str>, token: Option<String>) -> Result<Self, ClientError> {
        let named = address.map(str::to_owned).or_else(|| named_by(ADDRESS));
        if let Some(address) = named {
            return Client::new(&address, token);
        }
        let mut tried = Vec::new();
        // The file is read only if it is needed.
        let places: [fn() -> Option<PathBuf>; 3] = [
            || Some(PathBuf::from(HERE)),
            configured_socket,
            advertised_socket,
        ];
        for path in places.iter().filter_map(|place| place()) {
            let target = Target::Unix(path);
            match target.connect().await {
                Ok(_) => return Ok(Client { target, token }),
                Err(ClientError::Refused { place, source }) => {
                    tried.push(format!("{place} ({source})"));
                }
                Err(error) => return Err(error),
            }
        }
        Err(ClientError::NotFound(tried))
    }

    /// The host of a gateway on another machine, or on this one by a URL.
    pub(crate) fn host(&self) -> Option<&str> {
        match &self.target {
            Target::Unix(_) => None,
            Target::Tcp(authority) => authority.rsplit_once(':').map(|(host, _)| host),
        }
    }
}

/// The socket of the gateway whose file is in this directory, if it is another one.
fn configured_socket() -> Option<PathBuf> {
    let socket = stoker_config::admin_socket(Path::new(FILE))?;
    let here = std::env::current_dir().ok()?.join(HERE);
    (socket != here).then_some(socket)
}

/// Where a gateway of this user makes itself known.
pub(crate) fn advertised_socket() -> Option<PathBuf> {
    let directory = std::env::var_os("XDG_RUNTIME_DIR").filter(is_absolute)?;
    Some(Path::new(&directory).join("stoker/admin.sock"))
}

fn is_absolute(directory: &OsString) -> bool {
    Path::new(directory).is_absolute()
}

fn named_by(variable: &str) -> Option<String> {
    std::env::var(variable)
        .ok()
        .filter(|value| !value.is_empty())
}

impl Target {
    pub(crate) fn parse(address: &str) -> Result<Self, ClientError> {
        let wrong = || ClientError::Address(address.to_owned());
        if let Some(rest) = address.strip_prefix("http://") {
            let authority = rest.strip_suffix('/').unwrap_or(rest);
            let valid = authority
                .parse::<hyper::http::uri::Authority>()
                .is_ok_and(|parsed| parsed.port_u16().is_some() && !authority.contains('@'));
            return match valid {
                true => Ok(Target::Tcp(authority.to_owned())),
                false => Err(wrong()),
            };
        }
        let path = address.strip_prefix("unix:").unwrap_or(address);
        match path.is_empty() || path.contains("://") {
            true => Err(wrong()),
            false => Ok(Target::Unix(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Target::Unix(path) => path.display().fmt(f),
            Target::Tcp(authority) => write!(f, "http://{authority}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_paths_and_urls() {
        let unix = |path: &str| Some(Target::Unix(PathBuf::from(path)));
        let tcp = |authority: &str| Some(Target::Tcp(authority.to_owned()));
        let parse = |text: &str| Target::parse(text).ok();
        assert_eq!(parse("/run/admin.sock"), unix("/run/admin.sock"));
        assert_eq!(parse("unix:x.sock"), unix("x.sock"));
        assert_eq!(parse("http://127.0.0.1:9090"), tcp("127.0.0.1:9090"));
        assert_eq!(parse("http://[::1]:9090/"), tcp("[::1]:9090"));
        assert_eq!(
            parse("http://gateway.internal:80"),
            tcp("gateway.internal:80")
        );
        for wrong in [
            "",
            "unix:",
            "http://",
            "http://host",
            "http://host:port",
            "http://user@host:1",
            "http://host:1/path",
            "https://host:443",
        ] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
