//! The head of a request, as the function is to see it.

use std::borrow::Cow;

use bytes::BytesMut;
use http::header::{self, HeaderValue};
use http::request::Parts;
use stoker_config::Contract;

use crate::access::Admission;
use crate::caller::{Caller, passes};
use crate::gateway::Entry;
use crate::identity::RequestId;
use crate::problem::{Problem, ProblemKind};
use crate::router::Routed;
use crate::upstream::{FieldMap, FieldSink, Framing, Head, copy_fields, takes_trailers};

/// What the head of the request is made of.
pub(super) struct HeadParts<'a> {
    pub(super) parts: &'a Parts,
    pub(super) caller: &'a Caller,
    pub(super) host: &'a str,
    pub(super) id: &'a RequestId,
    pub(super) framing: Framing,
    pub(super) upgrade: Option<&'a HeaderValue>,
    pub(super) admission: Option<&'a Admission>,
    /// The function is told that nobody gets the answer.
    pub(super) mirrored: bool,
}

impl HeadParts<'_> {
    /// The query without what is not for the function.
    fn query(&self) -> Option<&str> {
        let query = self.parts.uri.query();
        self.admission
            .map_or(query, |admission| admission.query(query))
    }
}

/// The head as the function is to see it.
pub(super) fn encode_head(
    from: &HeadParts<'_>,
    routed: &Routed<'_, Entry>,
) -> Result<Head, Problem> {
    if routed.target.spec.contract == Contract::H2c {
        encode_http2(from, routed).map(|head| Head::Http2(Box::new(head)))
    } else {
        let bytes = encode_http1(from, routed);
        let upgrade = from.upgrade.is_some();
        Ok(Head::Http1 { bytes, upgrade })
    }
}

fn encode_http1(from: &HeadParts<'_>, routed: &Routed<'_, Entry>) -> BytesMut {
    let mut out = BytesMut::with_capacity(512);
    out.extend_from_slice(from.parts.method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(routed.path.as_bytes());
    if let Some(query) = from.query() {
        out.extend_from_slice(b"?");
        out.extend_from_slice(query.as_bytes());
    }
    out.extend_from_slice(b" HTTP/1.1\r\n");
    out.field("host", from.host.as_bytes());
    encode_fields(from, routed, &mut out);
    match from.framing {
        Framing::Length(length) => out.field("content-length", length.to_string().as_bytes()),
        Framing::Chunked => out.field("transfer-encoding", b"chunked"),
        Framing::None | Framing::Close => {}
    }
    if let Some(protocol) = from.upgrade {
        out.field("connection", b"upgrade");
        out.field("upgrade", protocol.as_bytes());
    } else if takes_trailers(&from.parts.headers) {
        out.field("connection", b"te");
        out.field("te", b"trailers");
    }
    out.extend_from_slice(b"\r\n");
    out
}

fn encode_http2(
    from: &HeadParts<'_>,
    routed: &Routed<'_, Entry>,
) -> Result<http::Request<()>, Problem> {
    let mut fields = FieldMap::default();
    encode_fields(from, routed, &mut fields);
    if let Framing::Length(length) = from.framing {
        fields.field("content-length", length.to_string().as_bytes());
    }
    if takes_trailers(&from.parts.headers) {
        fields.field("te", b"trailers");
    }
    let target = match from.query() {
        Some(query) => Cow::Owned(format!("{}?{query}", routed.path)),
        None => Cow::Borrowed(routed.path),
    };
    // One that says no host, as HTTP/1.0 may, must be given one here.
    let host = if from.host.is_empty() {
        "localhost"
    } else {
        from.host
    };
    let uri = http::Uri::builder()
        .scheme("http")
        .authority(host)
        .path_and_query(&*target)
        .build()
        .map_err(|error| {
            let detail = format!("the host or the path is not valid: {error}");
            Problem::new(ProblemKind::BadRequest, detail)
        })?;
    let mut head = http::Request::new(());
    *head.method_mut() = from.parts.method.clone();
    *head.uri_mut() = uri;
    *head.headers_mut() = fields.headers;
    Ok(head)
}

/// The fields that do not depend on how the function is spoken to.
fn encode_fields(from: &HeadParts<'_>, routed: &Routed<'_, Entry>, out: &mut impl FieldSink) {
    let headers = &from.parts.headers;
    copy_fields(headers, out, |name| {
        let admitted = |admission: &Admission| admission.passes(name);
        passes(name) && *name != header::HOST && from.admission.is_none_or(admitted)
    });
    for (name, value) in &routed.parameters {
        out.open(&format!("stoker-parameter-{name}"));
        out.push(value.as_bytes());
        out.close();
    }
    if let Some(admission) = from.admission {
        admission.encode(out);
    }
    if from.mirrored {
        out.field("stoker-mirrored", b"true");
    }
    from.caller.encode(out, headers, from.host);
    from.id.encode(out);
}
