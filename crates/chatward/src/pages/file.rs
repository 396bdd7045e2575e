//! Something that is sent as it stands: its name for caches, and its packed form, made when somebody first takes it.

use std::io::Write as _;
use std::sync::{Arc, OnceLock};

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use super::{secured, short_hash};

/// How hard it is tried to make it small (Brotli, RFC 7932): 11 is the most; once for each file.
const QUALITY: u32 = 9;
/// Brotli's window, as a power of two.
const WINDOW: u32 = 22;
/// Bytes at once.
const BUFFER: usize = 4096;

/// A file or page that is the same for everybody.
#[derive(Clone)]
pub(super) struct File {
    kind: &'static str,
    body: Bytes,
    packed: Arc<OnceLock<Bytes>>,
    hash: Arc<str>,
    keep: &'static str,
}

impl File {
    /// `kind` is its media type, `keep` what caches may do with it.
    pub(super) fn new(kind: &'static str, text: impl Into<Bytes>, keep: &'static str) -> Self {
        let body = text.into();
        let hash = short_hash(&body).into();
        Self { kind, body, packed: Arc::default(), hash, keep }
    }

    /// The answer to somebody who may have it, and may take it packed.
    pub(super) fn answer(&self, asked: &HeaderMap) -> Response {
        let packs = tokens(asked, header::ACCEPT_ENCODING).any(takes_brotli);
        // Two forms of one thing have two names (RFC 9110, 8.8.3).
        let etag = format!("\"{}{}\"", self.hash, if packs { "-br" } else { "" });
        let known =
            tokens(asked, header::IF_NONE_MATCH).any(|tag| tag.strip_prefix("W/").unwrap_or(tag) == etag);
        let head = [
            (header::ETAG, etag.as_str()),
            (header::CACHE_CONTROL, self.keep),
            (header::VARY, "accept-encoding"),
        ];
        if known {
            return secured((StatusCode::NOT_MODIFIED, head).into_response());
        }
        let body = if packs { self.packed() } else { self.body.clone() };
        let mut response = (head, [(header::CONTENT_TYPE, self.kind)], body).into_response();
        if packs {
            response.headers_mut().insert(header::CONTENT_ENCODING, HeaderValue::from_static("br"));
        }
        secured(response)
    }

    fn packed(&self) -> Bytes {
        let pack = || {
            let mut packer = brotli::CompressorWriter::new(Vec::new(), BUFFER, QUALITY, WINDOW);
            // Writing into memory does not fail.
            let _ = packer.write_all(&self.body);
            packer.into_inner().into()
        };
        self.packed.get_or_init(pack).clone()
    }
}

fn tokens(headers: &HeaderMap, name: header::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}

/// `br`, and not `br;q=0`.
fn takes_brotli(coding: &str) -> bool {
    let (name, weight) = coding.split_once(';').unwrap_or((coding, ""));
    let never = weight.trim().strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q <= 0.0));
    name.trim().eq_ignore_ascii_case("br") && !never
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use http_body_util::BodyExt as _;

    use super::*;

    async fn given(file: &File, name: header::HeaderName, value: &str) -> (u16, HeaderMap, Vec<u8>) {
        let mut asked = HeaderMap::new();
        asked.insert(name, HeaderValue::from_str(value).unwrap());
        let (head, body) = file.answer(&asked).into_parts();
        (head.status.as_u16(), head.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test]
    async fn it_is_packed_for_who_takes_it_so_and_has_two_names() {
        let text = "The same words again and again. ".repeat(100);
        let file = File::new("text/plain", text.clone(), "no-cache");
        for value in ["gzip, br;q=0", "gzip", "*"] {
            let (status, head, body) = given(&file, header::ACCEPT_ENCODING, value).await;
            assert_eq!((status, head.get(header::CONTENT_ENCODING)), (200, None), "{value}");
            assert_eq!(body, text.as_bytes());
        }
        let (_, plain, _) = given(&file, header::ACCEPT_ENCODING, "gzip").await;
        let (status, head, body) = given(&file, header::ACCEPT_ENCODING, "gzip, deflate, br").await;
        assert_eq!((status, head[header::CONTENT_ENCODING].as_bytes()), (200, &b"br"[..]));
        assert!(body.len() < text.len() / 10);
        let mut unpacked = String::new();
        brotli::Decompressor::new(&body[..], BUFFER).read_to_string(&mut unpacked).unwrap();
        assert_eq!(unpacked, text);
        assert_ne!(head[header::ETAG], plain[header::ETAG]);
        let known = plain[header::ETAG].to_str().unwrap();
        assert_eq!(given(&file, header::IF_NONE_MATCH, known).await.0, 304);
        assert_eq!(given(&file, header::IF_NONE_MATCH, "\"other\"").await.0, 200);
    }
}
