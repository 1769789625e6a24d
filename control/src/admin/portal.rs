//! The portal: a page for people, made of files that are part of the program.
//!
//! Whoever reaches the listener may have these files, for nothing is in them but what the program's
//! source has. What the page shows it asks for by the other routes, with the token that it was given.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    HeaderName, IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use miniz_oxide::deflate::compress_to_vec_zlib;

use super::problem::{Kind, Problem};

/// Nothing from elsewhere, nothing in a frame, no markup made of text.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
     img-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'";

const OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");

/// As small as it gets: it is done once.
const LEVEL: u8 = 9;

/// One file of the page.
struct File {
    name: &'static str,
    content: &'static [u8],
    /// The same in zlib's format, which HTTP calls `deflate`; made when it is asked for first.
    small: LazyLock<Vec<u8>>,
}

macro_rules! file {
    ($name:literal) => {
        File {
            name: $name,
            content: include_bytes!(concat!("../../portal/", $name)),
            small: LazyLock::new(|| {
                compress_to_vec_zlib(include_bytes!(concat!("../../portal/", $name)), LEVEL)
            }),
        }
    };
}

macro_rules! files {
    ($($name:literal)*) => { [$(file!($name)),*] };
}

static PAGE: File = file!("index.html");

static FILES: [File; 23] = files![
    "api.js" "audit.js" "canary.js" "charts.js" "console.js" "dom.js" "feed.js" "format.js"
    "function.js" "functions.js" "icon.svg" "ignore.js" "logs.js" "main.js" "overview.js" "past.js" "portal.css"
    "publish.js" "revisions.js" "scaling.js" "settings.js" "usage.js" "zip.js"
];

pub(super) async fn page(headers: HeaderMap) -> Response {
    PAGE.answer(&headers)
}

pub(super) async fn file(
    Path(name): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = FILES.iter().find(|file| file.name == name);
    let file = found.ok_or_else(|| {
        let detail = "the portal has no such file; it begins at \"/\"";
        Problem::new(Kind::UnknownRoute, detail)
    })?;
    Ok(file.answer(&headers))
}

impl File {
    fn answer(&'static self, headers: &HeaderMap) -> Response {
        let tag = self.tag(takes_deflate(headers));
        let known = headers.get_all(IF_NONE_MATCH).iter();
        let is_known = known
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .any(|known| known.trim().trim_start_matches("W/") == tag);
        let common = [
            (CONTENT_SECURITY_POLICY, POLICY),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (OPENER_POLICY, "same-origin"),
            // The next program has other files by the same names.
            (CACHE_CONTROL, "no-cache"),
            (VARY, "accept-encoding"),
        ];
        let tag = [(ETAG, tag)];
        if is_known {
            return (StatusCode::NOT_MODIFIED, common, tag).into_response();
        }
        let kind = [(CONTENT_TYPE, self.kind())];
        match takes_deflate(headers) {
            true => {
                let coding = [(CONTENT_ENCODING, "deflate")];
                (common, kind, tag, coding, self.small.as_slice()).into_response()
            }
            false => (common, kind, tag, self.content).into_response(),
        }
    }

    /// Another one for other content, or another coding of it.
    fn tag(&self, is_small: bool) -> String {
        let mut hasher = DefaultHasher::new();
        (self.content, is_small).hash(&mut hasher);
        format!("\"{:016x}\"", hasher.finish())
    }

    fn kind(&self) -> &'static str {
        match self.name.rsplit_once('.').map(|(_, ending)| ending) {
            Some("js") => "text/javascript; charset=utf-8",
            Some("css") => "text/css; charset=utf-8",
            Some("svg") => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        }
    }
}

/// Whether the caller reads what is compressed; who weighs codings gets it as it is.
fn takes_deflate(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT_ENCODING).iter();
    let mut codings = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','));
    codings.any(|coding| coding.trim().eq_ignore_ascii_case("deflate"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_that_is_named_is_there() {
        for file in FILES.iter().chain([&PAGE]) {
            let text = str::from_utf8(file.content).unwrap();
            let quoted = text.split(['"', '\'']);
            let named = quoted.filter_map(|part| {
                let name = part
                    .strip_prefix("/portal/")
                    .or_else(|| part.strip_prefix("./"))?;
                let plain = |it: char| it.is_ascii_lowercase() || it == '.';
                (name.contains('.') && name.chars().all(plain)).then_some(name)
            });
            for name in named {
                let found = FILES.iter().any(|file| file.name == name);
                assert!(found, "{} names {name}, which is not there", file.name);
            }
        }
    }

    #[test]
    fn nothing_comes_from_elsewhere_and_no_text_becomes_markup() {
        for file in FILES.iter().chain([&PAGE]) {
            let text = str::from_utf8(file.content).unwrap();
            // What names a kind of XML is fetched by nobody.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for forbidden in [
                "http://",
                "https://",
                "innerHTML",
                "outerHTML",
                "insertAdjacentHTML",
                "document.write",
                "eval(",
                "new Function",
                " style=",
                "document.cookie",
            ] {
                assert!(!text.contains(forbidden), "{}: {forbidden}", file.name);
            }
        }
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        let first = PAGE.answer(&HeaderMap::new());
        assert_eq!(first.status(), StatusCode::OK);
        let mut headers = HeaderMap::new();
        headers.insert(IF_NONE_MATCH, first.headers()[ETAG].clone());
        assert_eq!(PAGE.answer(&headers).status(), StatusCode::NOT_MODIFIED);
        headers.insert(IF_NONE_MATCH, "\"other\"".parse().unwrap());
        assert_eq!(PAGE.answer(&headers).status(), StatusCode::OK);
    }

    #[test]
    fn all_of_it_is_small_and_the_same_when_it_is_compressed() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_ENCODING, "gzip, deflate, br".parse().unwrap());
        let mut bytes = 0;
        for file in FILES.iter().chain([&PAGE]) {
            let answer = file.answer(&headers);
            assert_eq!(answer.headers()[CONTENT_ENCODING], "deflate");
            let plain = miniz_oxide::inflate::decompress_to_vec_zlib(&file.small).unwrap();
            assert_eq!(plain, file.content, "{}", file.name);
            bytes += file.small.len();
        }
        assert!(bytes < 100_000, "{bytes} bytes");
        headers.insert(ACCEPT_ENCODING, "gzip, deflate;q=0".parse().unwrap());
        assert!(
            !PAGE
                .answer(&headers)
                .headers()
                .contains_key(CONTENT_ENCODING)
        );
    }
}
