//! The pages customers see: `/chat` and the files it needs.
//!
//! Rendered once, at start, from a template and the Fluent texts; what the browser gets is what stands in `static/`,
//! byte for byte. No page runs or loads anything that is not ours ([`CONTENT_SECURITY_POLICY`]). The routes a page
//! talks to (`/chat/v1/messages`, `/me/v1/…`) are not here: they belong to the turn.

mod guides;
mod language;
mod words;

use std::sync::Arc;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::Path;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;

pub use guides::GuideError;
pub(crate) use guides::{Guide, Guides, TRYING};
pub(crate) use language::Language;
pub use words::TextError;
pub(crate) use words::Words;

/// What a page of ours may do: load and ask this site, and nothing else; no script or style in the page itself, and
/// no way from text to script (Trusted Types, none allowed).
pub const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; \
    img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// What every answer to a browser carries.
const SECURITY_HEADERS: [(HeaderName, &str); 6] = [
    (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (
        HeaderName::from_static("permissions-policy"),
        "accelerometer=(), autoplay=(), camera=(), display-capture=(), geolocation=(), gyroscope=(), \
         magnetometer=(), microphone=(), midi=(), payment=(), usb=()",
    ),
];

/// The files of the pages, as they stand in the repository.
const FILES: [(&str, &str, &str); 10] = [
    ("account.css", "text/css; charset=utf-8", include_str!("../static/account.css")),
    ("account.js", "text/javascript; charset=utf-8", include_str!("../static/account.js")),
    ("centre.css", "text/css; charset=utf-8", include_str!("../static/centre.css")),
    ("centre.js", "text/javascript; charset=utf-8", include_str!("../static/centre.js")),
    ("chat.css", "text/css; charset=utf-8", include_str!("../static/chat.css")),
    ("chat.js", "text/javascript; charset=utf-8", include_str!("../static/chat.js")),
    ("mark.svg", "image/svg+xml", include_str!("../static/mark.svg")),
    ("proof.js", "text/javascript; charset=utf-8", include_str!("../static/proof.js")),
    ("received.js", "text/javascript; charset=utf-8", include_str!("../static/received.js")),
    ("stream.js", "text/javascript; charset=utf-8", include_str!("../static/stream.js")),
];

/// The pages cannot be made. Our fault, found at start.
#[derive(Debug, thiserror::Error)]
pub enum PagesError {
    /// A text is missing or unsound.
    #[error(transparent)]
    Text(#[from] TextError),
    /// The template does not render.
    #[error("a page does not render: {0}")]
    Render(#[from] askama::Error),
}

/// Routes `/` and `/chat`, security headers included.
pub fn router<S: Clone + Send + Sync + 'static>(tls: bool) -> Result<Router<S>, PagesError> {
    let tree = tree();
    let page = |language| {
        let page = chat(&tree, Words::of(language)?)?;
        Ok((language, File::new("text/html; charset=utf-8", page, "no-cache")))
    };
    let pages: Arc<[_]> = Language::ALL.into_iter().map(page).collect::<Result<_, PagesError>>()?;
    let answer = async move |uri: Uri, asked: HeaderMap| {
        let language = Language::of(&uri, &asked);
        let found = pages.iter().find(|(one, _)| *one == language).or_else(|| pages.first());
        let Some((_, page)) = found else { return secured(StatusCode::NOT_FOUND.into_response()) };
        let mut response = page.answer(&asked);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept-language, cookie"));
        remember(&uri, tls, response.headers_mut());
        response
    };
    Ok(Router::new()
        .route("/", get(async || secured(Redirect::temporary("/chat").into_response())))
        .route("/chat", get(answer)))
}

/// Remembers the language that somebody just chose.
pub(crate) fn remember(uri: &Uri, tls: bool, headers: &mut HeaderMap) {
    if let Some(cookie) = Language::chosen(uri).and_then(|language| language.remembered(tls)) {
        headers.append(header::SET_COOKIE, cookie);
    }
}

/// Route `/static/…`: what the pages of both listeners need.
pub fn files<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let tree = tree();
    Router::new().route(
        "/static/{tree}/{file}",
        get(async move |Path((asked_tree, name)): Path<(String, String)>, asked: HeaderMap| {
            let found = FILES.iter().find(|(file, ..)| *file == name && asked_tree == *tree);
            match found {
                Some((_, kind, text)) => {
                    File::new(kind, *text, "public, max-age=31536000, immutable").answer(&asked)
                }
                None => secured(StatusCode::NOT_FOUND.into_response()),
            }
        }),
    )
}

/// Where the pages' files are.
pub(crate) fn assets() -> String {
    format!("/static/{}", tree())
}

/// Puts the security headers on an answer that a browser may show.
pub fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY_HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
}

fn secured(mut response: Response) -> Response {
    secure(response.headers_mut());
    response
}

/// The chat page.
#[derive(Template)]
#[template(path = "chat.html")]
struct Chat {
    t: &'static Words,
    /// Where the page's files are.
    assets: String,
    examples: [(&'static str, &'static str); 4],
    kinds: [(&'static str, &'static str); 13],
}

fn chat(tree: &str, words: &'static Words) -> Result<String, PagesError> {
    let page = Chat {
        t: words,
        assets: format!("/static/{tree}"),
        examples: [
            ("example-card", "example-card-text"),
            ("example-address", "example-address-text"),
            ("example-order", "example-order-text"),
            ("example-secret", "example-secret-text"),
        ],
        // The words of a placeholder's label, and what it stands for: the first that fits.
        kinds: [
            ("REMOVED", "kind-secret"),
            ("WALLET CRYPTO BITCOIN BTC ETHEREUM ETH", "kind-wallet"),
            ("SSN ITIN TAX PASSPORT LICENCE LICENSE ID NATIONAL NHS NINO PESEL BSN SIN TFN", "kind-identity"),
            ("BIRTH BIRTHDATE BIRTHDAY DOB", "kind-birth"),
            ("EMAIL MAIL", "kind-email"),
            ("IP MAC URL USER USERNAME", "kind-other"),
            ("PERSON NAME", "kind-name"),
            ("PHONE TEL TELEPHONE MOBILE", "kind-phone"),
            ("EXPIRY", "kind-expiry"),
            ("CARD", "kind-card"),
            ("IBAN ACCOUNT ROUTING SORT SWIFT BIC BANK UPI", "kind-account"),
            ("ADDRESS STREET POSTCODE ZIP POSTAL CITY LOCATION PLACE", "kind-address"),
            ("*", "kind-other"),
        ],
    };
    Ok(page.render()?)
}

/// The name of this set of files: a hash over all of them, so that a cached one is never a stale one.
fn tree() -> String {
    let mut all = Vec::new();
    for (name, _, text) in FILES {
        for part in [name, text] {
            all.extend_from_slice(&(part.len() as u64).to_be_bytes());
            all.extend_from_slice(part.as_bytes());
        }
    }
    short_hash(&all)
}

/// 64 bits of SHA-256, in hex.
fn short_hash(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// Something to send, and its name for caches.
struct File {
    kind: &'static str,
    body: Bytes,
    etag: String,
    keep: &'static str,
}

impl File {
    fn new(kind: &'static str, text: impl Into<Bytes>, keep: &'static str) -> Self {
        let body = text.into();
        let etag = format!("\"{}\"", short_hash(&body));
        Self { kind, body, etag, keep }
    }

    fn answer(&self, asked: &HeaderMap) -> Response {
        let known =
            asked.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok()).is_some_and(|tags| {
                tags.split(',').any(|tag| {
                    let tag = tag.trim();
                    tag.strip_prefix("W/").unwrap_or(tag) == self.etag
                })
            });
        let head = [(header::ETAG, self.etag.as_str()), (header::CACHE_CONTROL, self.keep)];
        secured(if known {
            (StatusCode::NOT_MODIFIED, head).into_response()
        } else {
            (head, [(header::CONTENT_TYPE, self.kind)], self.body.clone()).into_response()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Asks the real router over a socket: status, head and body.
    fn ask(path: &str, head: &str) -> (u16, String, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(
                async move { axum::serve(listener, router::<()>(false).unwrap().merge(files())).await },
            );
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{head}\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
        })
    }

    /// Whether a file belongs to the chat page.
    fn of_chat(name: &str) -> bool {
        !["account.", "centre.", "proof."].iter().any(|start| name.starts_with(start))
    }

    fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
        head.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }

    #[test]
    fn the_page_and_all_it_names_are_there_with_the_headers() {
        let (status, head, page) = ask("/chat", "");
        assert_eq!(status, 200);
        let mut paths = vec!["/chat".to_owned(), "/".to_owned(), "/static/0/none.js".to_owned()];
        paths.extend(page.split('"').filter(|part| part.starts_with("/static/")).map(str::to_owned));
        let own = FILES.iter().filter(|(name, ..)| of_chat(name));
        assert_eq!(paths.len(), 3 + own.count(), "every file is named in the page, once");
        assert_eq!(header(&head, "cache-control"), Some("no-cache"));
        for path in paths {
            let (status, head, _) = ask(&path, "");
            assert_eq!(
                status,
                match path.as_str() {
                    "/" => 307,
                    "/static/0/none.js" => 404,
                    _ => 200,
                },
                "{path}"
            );
            for (name, value) in SECURITY_HEADERS {
                assert_eq!(
                    header(&head, name.as_str()),
                    Some(value.to_lowercase().as_str()),
                    "{path} {name}"
                );
            }
        }
    }

    #[test]
    fn a_file_known_to_the_browser_is_not_sent_again() {
        let (_, head, page) = ask("/chat", "");
        let tag = header(&head, "etag").unwrap();
        assert_eq!(ask("/chat", &format!("if-none-match: \"x\", W/{tag}\r\n")).0, 304);
        let script = page.split('"').find(|part| part.ends_with("/chat.js")).unwrap();
        let (_, head, body) = ask(script, "");
        assert!(header(&head, "cache-control").unwrap().contains("immutable"));
        assert_eq!(body, include_str!("../static/chat.js"));
    }

    /// What the policy would block must not stand in the page in the first place.
    #[test]
    fn nothing_runs_or_is_styled_inline_and_nothing_comes_from_elsewhere() {
        let page = chat(&tree(), Words::of(Language::English).unwrap()).unwrap();
        assert!(!page.contains(" style=") && !page.contains("<style"), "inline style");
        let handler = page.split_whitespace().find(|word| word.starts_with("on") && word.contains("=\""));
        assert_eq!(handler, None, "inline handler");
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src=\"/static/").count()
        );
        for (name, _, text) in FILES {
            let outside = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!outside.contains("http://") && !outside.contains("https://"), "{name}");
            for sink in
                ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "localStorage"]
            {
                assert!(!text.contains(sink), "{name}: {sink}");
            }
        }
        assert!(!page.contains("//"), "an address of another site");
    }

    #[test]
    fn the_page_stays_light() {
        let own = FILES.iter().filter(|(name, ..)| of_chat(name));
        let all: usize = own.map(|(.., text)| text.len()).sum::<usize>()
            + chat("x", Words::of(Language::English).unwrap()).unwrap().len();
        assert!(all < 60_000, "{all} bytes, uncompressed");
    }
}
