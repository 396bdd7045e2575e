//! The request inside: Binary HTTP (RFC 9292), made into an ordinary request for the public routes.
//!
//! Only customers' own routes are reached this way. What the browser itself says of a request (its cookies, from which page it
//! comes, over which connection) is taken from the outer request; the inner one, which a script wrote, cannot say any of it.

use std::io::Cursor;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};

use crate::problem::Code;

/// Below which paths the channel leads.
const PATHS: [&str; 3] = ["/chat/v1/", "/me/v1/", "/account/v1/"];
/// Fields of an inner request at most.
const MOST_FIELDS: usize = 64;

/// What only a connection or a browser says.
const OUTER: [HeaderName; 16] = [
    header::COOKIE,
    header::ORIGIN,
    header::HOST,
    header::REFERER,
    header::CONNECTION,
    header::UPGRADE,
    header::TRANSFER_ENCODING,
    header::TE,
    header::TRAILER,
    header::EXPECT,
    header::FORWARDED,
    header::VIA,
    header::PROXY_AUTHORIZATION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    HeaderName::from_static("x-real-ip"),
];

/// Whether a field comes from the outer request, and never from the inner one.
fn is_outer(name: &HeaderName) -> bool {
    let text = name.as_str();
    OUTER.contains(name) || text.starts_with("sec-") || text.starts_with("x-forwarded-")
}

/// Which fields of the outer request go along.
fn goes_along(name: &HeaderName) -> bool {
    [header::COOKIE, header::ORIGIN, header::HOST, header::USER_AGENT].contains(name)
        || name.as_str().starts_with("sec-")
}

/// Binary HTTP that is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NotHttp;

/// A request that was read, but not let further. It is answered inside the channel.
pub(super) type Read = Result<Request<Bytes>, Code>;

/// Reads the inner request. The fields of `outer` that belong to the browser are put on it.
pub(super) fn request(text: &[u8], outer: &HeaderMap) -> Result<Read, NotHttp> {
    let mut tape = Cursor::new(text);
    let message = bhttp::Message::read_bhttp(&mut tape).map_err(|_| NotHttp)?;
    let read = usize::try_from(tape.position()).map_err(|_| NotHttp)?;
    // Behind the message there is nothing but padding, and that is zeros (RFC 9292, 3.8).
    if text.get(read..).is_none_or(|rest| rest.iter().any(|byte| *byte != 0)) {
        return Err(NotHttp);
    }
    let control = message.control();
    let (Some(method), Some(path)) = (control.method(), control.path()) else { return Err(NotHttp) };
    let method = Method::from_bytes(method).map_err(|_| NotHttp)?;
    let path = PathAndQuery::try_from(path).map_err(|_| NotHttp)?;
    if !path.path().starts_with('/') || message.header().len() > MOST_FIELDS {
        return Err(NotHttp);
    }
    if method == Method::CONNECT || !PATHS.iter().any(|below| path.path().starts_with(below)) {
        return Ok(Err(Code::NotFound));
    }
    let mut headers = HeaderMap::new();
    for field in message.header().iter() {
        // `from_bytes` takes capitals too; Binary HTTP has none (RFC 9292, 3.6).
        let name = HeaderName::from_lowercase(field.name()).map_err(|_| NotHttp)?;
        let value = HeaderValue::from_bytes(field.value()).map_err(|_| NotHttp)?;
        if is_outer(&name) {
            return Ok(Err(Code::BadHeader));
        }
        if name != header::CONTENT_LENGTH {
            headers.append(name, value);
        }
    }
    for (name, value) in outer.iter().filter(|(name, _)| goes_along(name)) {
        headers.append(name, value.clone());
    }
    // Scripts seldom say which language is wanted; browsers always do.
    if let Some(language) = outer.get(header::ACCEPT_LANGUAGE) {
        headers.entry(header::ACCEPT_LANGUAGE).or_insert_with(|| language.clone());
    }
    let mut request = Request::new(Bytes::copy_from_slice(message.content()));
    *request.method_mut() = method;
    *request.uri_mut() = Uri::from(path);
    *request.headers_mut() = headers;
    Ok(Ok(request))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(method: &str, path: &str, fields: &[(&str, &str)], body: &str) -> Vec<u8> {
        let mut message = bhttp::Message::request(
            method.into(),
            b"https".to_vec(),
            b"elsewhere.example".to_vec(),
            path.into(),
        );
        for (name, value) in fields {
            message.put_header(*name, *value);
        }
        message.write_content(body);
        let mut text = Vec::new();
        message.write_bhttp(bhttp::Mode::IndeterminateLength, &mut text).unwrap();
        text
    }

    fn outer() -> HeaderMap {
        let mut outer = HeaderMap::new();
        for (name, value) in [
            ("cookie", "chatward=abc"),
            ("host", "chat.example"),
            ("sec-fetch-site", "same-origin"),
            ("sec-gpc", "1"),
            ("authorization", "Bearer outside"),
            ("accept-language", "de"),
            ("content-type", "message/ohttp-chunked-req"),
        ] {
            outer.insert(name, HeaderValue::from_static(value));
        }
        outer
    }

    #[test]
    fn what_the_browser_says_comes_from_outside_and_nothing_else_does() {
        let text = message("POST", "/chat/v1/messages?x=1", &[("content-type", "application/json")], "{}");
        for padding in [0, 1, 700] {
            let padded = [text.clone(), vec![0; padding]].concat();
            let request = request(&padded, &outer()).unwrap().unwrap();
            assert_eq!(
                (request.method().as_str(), request.uri().to_string().as_str()),
                ("POST", "/chat/v1/messages?x=1")
            );
            assert_eq!(request.body().as_ref(), b"{}");
            let header = |name: &str| request.headers().get(name).map(|value| value.to_str().unwrap());
            assert_eq!(header("cookie"), Some("chatward=abc"));
            assert_eq!(header("host"), Some("chat.example"), "not the authority inside");
            assert_eq!(header("sec-gpc"), Some("1"));
            assert_eq!(header("content-type"), Some("application/json"));
            assert_eq!(header("authorization"), None);
            assert_eq!(header("accept-language"), Some("de"));
        }
    }

    #[test]
    fn a_language_that_the_script_asks_for_counts() {
        let text = message("POST", "/chat/v1/messages", &[("accept-language", "fr")], "{}");
        let request = request(&text, &outer()).unwrap().unwrap();
        let asked: Vec<&HeaderValue> = request.headers().get_all(header::ACCEPT_LANGUAGE).iter().collect();
        assert_eq!(asked, ["fr"]);
    }

    #[test]
    fn the_inner_request_says_nothing_that_belongs_to_the_browser() {
        for name in [
            "cookie",
            "origin",
            "host",
            "sec-fetch-site",
            "x-forwarded-for",
            "connection",
            "transfer-encoding",
        ] {
            let text = message("POST", "/chat/v1/messages", &[(name, "x")], "");
            assert_eq!(request(&text, &outer()).unwrap().unwrap_err(), Code::BadHeader, "{name}");
        }
    }

    #[test]
    fn the_channel_leads_to_customers_own_routes_only() {
        for path in [
            "/v1/chat/completions",
            "/guard/v1/inspect",
            "/chat",
            "/",
            "/admin/v1/staff",
            "/chat/v1",
            "/log/checkpoint",
        ] {
            assert_eq!(
                request(&message("GET", path, &[], ""), &outer()).unwrap().unwrap_err(),
                Code::NotFound,
                "{path}"
            );
        }
        for path in ["", "x", "*", "https://chat.example/me/v1/looks"] {
            let read = request(&message("GET", path, &[], ""), &outer());
            assert!(!matches!(read, Ok(Ok(_))), "{path}");
        }
        assert!(request(&message("GET", "/me/v1/looks", &[], ""), &outer()).unwrap().is_ok());
    }

    #[test]
    fn what_is_not_binary_http_is_refused() {
        let text = message("GET", "/me/v1/looks", &[("accept", "a")], "body");
        assert!(request(&text, &outer()).is_ok());
        // Cut after the content, the rest may be left out (RFC 9292, 3.8).
        for cut in 0..text.len() - 6 {
            assert!(!matches!(request(&text[..cut], &outer()), Ok(Ok(_))), "cut at {cut}");
        }
        assert_eq!(
            request(&[text.clone(), vec![0, 1]].concat(), &outer()).unwrap_err(),
            NotHttp,
            "padding that is none"
        );
        assert!(request(&[1, 0x40, 200, 0, 0, 0], &outer()).is_err(), "an answer");
        assert!(
            request(&message("GET", "/me/v1/looks", &[("Accept", "a")], ""), &outer()).is_err(),
            "capitals"
        );
    }
}
