//! The pages customers see: `/chat` and the files it needs, the same page for the inside of other sites (`/widget`), and what such a
//! site loads to show it (`/embed.js`).
//!
//! Rendered once, at start, from a template and the Fluent texts; what the browser gets is what stands in `static/`,
//! byte for byte. No page runs or loads anything that is not ours ([`CONTENT_SECURITY_POLICY`]). The routes a page
//! talks to (`/chat/v1/messages`, `/me/v1/…`) are not here: they belong to the turn.

mod channel_files;
mod file;
mod guides;
mod language;
mod words;

use std::collections::HashMap;
use std::sync::Arc;

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::Router;
use axum::extract::Path;
use axum::http::header::{self, HeaderName};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Uri};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{MethodRouter, get};

use crate::config::Widget;
use file::File;
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

macro_rules! files {
    ($($name:literal: $kind:literal,)+) => {
        [$(($name, $kind, include_str!(concat!("../static/", $name))),)+]
    };
}

/// The files of the pages, as they stand in the repository.
const FILES: [(&str, &str, &str); 18] = files! {
    "account.css": "text/css; charset=utf-8",
    "account.js": "text/javascript; charset=utf-8",
    "answer.js": "text/javascript; charset=utf-8",
    "centre.css": "text/css; charset=utf-8",
    "centre.js": "text/javascript; charset=utf-8",
    "chat.css": "text/css; charset=utf-8",
    "chat.js": "text/javascript; charset=utf-8",
    "flags.js": "text/javascript; charset=utf-8",
    "frame.js": "text/javascript; charset=utf-8",
    "hints.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
    "page.js": "text/javascript; charset=utf-8",
    "passage.js": "text/javascript; charset=utf-8",
    "proof.js": "text/javascript; charset=utf-8",
    "received.js": "text/javascript; charset=utf-8",
    "requests.js": "text/javascript; charset=utf-8",
    "shield.js": "text/javascript; charset=utf-8",
    "stream.js": "text/javascript; charset=utf-8",
};

/// What other sites load.
const EMBED: &str = include_str!("../static/embed.js");

/// Those, and the modules of the encrypted channel. Names may have folders, so that modules find each other by relative paths.
fn every_file() -> impl Iterator<Item = &'static (&'static str, &'static str, &'static str)> {
    FILES.iter().chain(channel_files::FILES)
}

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

/// Whether a file belongs to the chat page.
fn of_chat(name: &str) -> bool {
    !["account.", "centre.", "proof."].iter().any(|start| name.starts_with(start))
}

/// The pages that stand here.
pub(crate) const PATHS: [&str; 1] = ["/chat"];

/// The bot behind the chat page, as customers are told of it.
#[derive(Debug, Clone)]
pub struct Bot {
    /// What it is called; nothing: a support bot.
    pub name: Option<String>,
    /// What the house is called.
    pub house: String,
    /// Whether it is the built-in one, to be tried.
    pub demo: bool,
    /// The largest file that may be attached, in bytes; 0: none.
    pub max_file: usize,
}

/// The keys that the page trusts from the start.
#[derive(Debug, Clone)]
pub struct Pins {
    /// The public key that signs the lists of the encrypted channel's keys: the page takes no other.
    pub lists: String,
    /// The key of the log in which those lists stand.
    pub log: String,
}

/// What the chat page shows, whoever looks at it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Whom one talks to.
    pub bot: Bot,
    /// What the page trusts.
    pub pins: Pins,
}

/// Routes `/`, `/chat`, and where other sites may show the page `/widget` and `/embed.js`; security headers included.
pub fn router<S: Clone + Send + Sync + 'static>(
    tls: bool,
    widget: &Widget,
    shown: &Shown,
) -> Result<Router<S>, PagesError> {
    let routes = Router::new()
        .route("/", get(async || secured(Redirect::temporary("/chat").into_response())))
        .route("/chat", Spoken::new(tls, shown, &[])?.route());
    if widget.host_origins.is_empty() {
        return Ok(routes);
    }
    let embed = File::new("text/javascript; charset=utf-8", EMBED, "no-cache");
    let embed = async move |asked: HeaderMap| for_other_sites(embed.answer(&asked), None);
    Ok(routes
        .route("/widget", Spoken::new(tls, shown, &widget.host_origins)?.route())
        .route("/embed.js", get(embed)))
}

/// A page in every language.
#[derive(Clone)]
struct Spoken {
    pages: Arc<[(Language, File)]>,
    tls: bool,
    /// The policy that lets other sites show it.
    framed: Option<HeaderValue>,
}

impl Spoken {
    fn new(tls: bool, shown: &Shown, hosts: &[String]) -> Result<Self, PagesError> {
        let tree = tree();
        let page = |language| {
            let page = chat(&tree, Words::of(language)?, shown, hosts)?;
            Ok((language, File::new("text/html; charset=utf-8", page, "no-cache")))
        };
        let pages = Language::ALL.into_iter().map(page).collect::<Result<_, PagesError>>()?;
        let policy = || {
            let ancestors = format!("frame-ancestors {}", hosts.join(" "));
            HeaderValue::try_from(CONTENT_SECURITY_POLICY.replace("frame-ancestors 'none'", &ancestors)).ok()
        };
        Ok(Self { pages, tls, framed: if hosts.is_empty() { None } else { policy() } })
    }

    fn route<S: Clone + Send + Sync + 'static>(self) -> MethodRouter<S> {
        get(async move |uri: Uri, asked: HeaderMap| self.answer(&uri, &asked))
    }

    fn answer(&self, uri: &Uri, asked: &HeaderMap) -> Response {
        let language = Language::of(uri, asked);
        let found = self.pages.iter().find(|(one, _)| *one == language).or_else(|| self.pages.first());
        let Some((_, page)) = found else { return secured(StatusCode::NOT_FOUND.into_response()) };
        let mut response = page.answer(asked);
        if let Some(policy) = &self.framed {
            response = for_other_sites(response, Some(policy.clone()));
        }
        response
            .headers_mut()
            .insert(header::VARY, HeaderValue::from_static("accept-language, cookie, accept-encoding"));
        remember(uri, self.tls, response.headers_mut());
        response
    }
}

/// Lets other sites load an answer, and show it under this policy.
fn for_other_sites(mut response: Response, policy: Option<HeaderValue>) -> Response {
    let headers = response.headers_mut();
    let resource = HeaderName::from_static("cross-origin-resource-policy");
    headers.insert(resource, HeaderValue::from_static("cross-origin"));
    if let Some(policy) = policy {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
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
    let kept = "public, max-age=31536000, immutable";
    let all: HashMap<&str, File> =
        every_file().map(|(name, kind, text)| (*name, File::new(kind, *text, kept))).collect();
    let all = Arc::new(all);
    let answer = async move |Path((asked_tree, name)): Path<(String, String)>, asked: HeaderMap| {
        let found = all.get(&*name).filter(|_| asked_tree == *tree);
        found.map_or_else(|| secured(StatusCode::NOT_FOUND.into_response()), |file| file.answer(&asked))
    };
    Router::new().route("/static/{tree}/{*file}", get(answer))
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

/// The words of a placeholder's label, and what it stands for: in the chat, and in the Privacy Centre. The first that fits.
const KINDS: [(&str, &str, &str); 13] = [
    ("REMOVED", "kind-secret", "item-other"),
    ("WALLET CRYPTO BITCOIN BTC ETHEREUM ETH", "kind-wallet", "item-wallet"),
    (
        "SSN ITIN TAX PASSPORT LICENCE LICENSE ID NATIONAL NHS NINO PESEL BSN SIN TFN",
        "kind-identity",
        "item-identity",
    ),
    ("BIRTH BIRTHDATE BIRTHDAY DOB", "kind-birth", "item-birth"),
    ("EMAIL MAIL", "kind-email", "item-email"),
    ("IP MAC URL USER USERNAME", "kind-other", "item-other"),
    ("PERSON NAME", "kind-name", "item-name"),
    ("PHONE TEL TELEPHONE MOBILE", "kind-phone", "item-phone"),
    ("EXPIRY", "kind-expiry", "item-expiry"),
    ("CARD", "kind-card", "item-card"),
    ("IBAN ACCOUNT ROUTING SORT SWIFT BIC BANK UPI", "kind-account", "item-account"),
    ("ADDRESS STREET POSTCODE ZIP POSTAL CITY LOCATION PLACE", "kind-address", "item-address"),
    ("*", "kind-other", "item-other"),
];

/// What a label stands for, as a message of the Privacy Centre.
pub(crate) fn kind_words(label: &str) -> &'static str {
    let fits = |known: &str| known.split(' ').any(|word| label.split('_').any(|part| part == word));
    KINDS.iter().find(|(words, ..)| fits(words)).map_or("item-other", |(_, _, item)| item)
}

/// The chat page.
#[derive(Template)]
#[template(path = "chat.html")]
struct Chat<'a> {
    t: &'static Words,
    /// Where the page's files are.
    assets: String,
    pins: &'a Pins,
    bot: &'a Bot,
    /// The bot's name, whoever chose it.
    bot_name: &'a str,
    /// The sites that may show it; none where it is a page of its own.
    hosts: String,
    title: String,
    who_house: String,
    who_bot: String,
    sealed: String,
    /// Modules that are loaded along.
    modules: Vec<&'static str>,
    examples: [(&'static str, &'static str); 4],
    reasons: [(&'static str, &'static str); 6],
    kinds: [(&'static str, &'static str); 13],
}

fn chat(tree: &str, words: &'static Words, shown: &Shown, hosts: &[String]) -> Result<String, PagesError> {
    let Shown { bot, pins } = shown;
    let bot_name = bot.name.as_deref().map_or_else(|| words.get("said-bot"), Ok)?;
    let named = [("house", bot.house.as_str()), ("bot", bot_name)];
    let script = |(name, kind, _): &(&'static str, &str, &str)| {
        let own = kind.starts_with("text/javascript")
            && of_chat(name)
            && *name != "chat.js"
            && !channel_files::late(name);
        own.then_some(*name)
    };
    let page = Chat {
        t: words,
        assets: format!("/static/{tree}"),
        pins,
        bot,
        bot_name,
        hosts: hosts.join(" "),
        title: bot.name.as_deref().map_or_else(|| words.get("page-title"), Ok)?.to_owned(),
        who_house: words.with("who-house", &named)?,
        who_bot: words.with("who-bot", &named)?,
        sealed: words.with("sealed-channel", &named)?,
        modules: every_file().filter_map(script).collect(),
        examples: [
            ("example-card", "example-card-text"),
            ("example-address", "example-address-text"),
            ("example-order", "example-order-text"),
            ("example-secret", "example-secret-text"),
        ],
        reasons: [
            ("untrue", "flag-untrue"),
            ("harmful", "flag-harmful"),
            ("not-hidden", "flag-not-hidden"),
            ("hidden-needlessly", "flag-hidden-needlessly"),
            ("fraud", "flag-fraud"),
            ("other", "flag-other"),
        ],
        kinds: KINDS.map(|(words, in_chat, _)| (words, in_chat)),
    };
    Ok(page.render()?)
}

/// The name of this set of files: a hash over all of them, so that a cached one is never a stale one.
fn tree() -> String {
    let mut all = Vec::new();
    for (name, _, text) in every_file() {
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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    const SHOP: &str = "https://shop.example";

    fn shown() -> Shown {
        let bot = Bot { name: None, house: "Chatward".to_owned(), demo: true, max_file: 1000 };
        Shown { bot, pins: Pins { lists: "pin".to_owned(), log: "log".to_owned() } }
    }

    fn routes() -> Router {
        let host_origins = vec![SHOP.to_owned(), "http://localhost:3000".to_owned()];
        let (enabled, model, bot_name, max_file_bytes) = (None, None, None, 1000);
        let widget = Widget { enabled, model, bot_name, host_origins, max_file_bytes };
        router::<()>(false, &widget, &shown()).unwrap().merge(files())
    }

    /// Asks the real router over a socket: status, head and body.
    fn ask(path: &str, head: &str) -> (u16, String, String) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            tokio::spawn(async move { axum::serve(listener, routes()).await });
            let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
            let request = format!("GET {path} HTTP/1.1\r\nhost: here\r\nconnection: close\r\n{head}\r\n");
            socket.write_all(request.as_bytes()).await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            (head[9..12].parse().unwrap(), head.to_lowercase(), body.to_owned())
        })
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
        let own = every_file().filter(|(name, ..)| of_chat(name) && !channel_files::late(name));
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
    fn other_sites_show_the_page_only_where_they_are_named() {
        let (status, head, page) = ask("/widget?lang=de", "");
        assert_eq!(status, 200);
        let policy = header(&head, "content-security-policy").unwrap();
        let named = "frame-ancestors https://shop.example http://localhost:3000;";
        assert_eq!(policy, CONTENT_SECURITY_POLICY.to_lowercase().replace("frame-ancestors 'none';", named));
        assert_eq!(header(&head, "cross-origin-resource-policy"), Some("cross-origin"));
        assert!(
            page.contains("data-hosts=\"https://shop.example http://localhost:3000\"")
                && page.contains("lang=\"de\"")
        );
        let (status, head, script) = ask("/embed.js", "");
        assert_eq!((status, header(&head, "cross-origin-resource-policy")), (200, Some("cross-origin")));
        assert_eq!(script, EMBED);
        let (_, head, page) = ask("/chat", "");
        assert!(header(&head, "content-security-policy").unwrap().contains("frame-ancestors 'none'"));
        assert!(!page.contains("data-hosts"));
        // Without hosts there is neither.
        let widget = Widget {
            enabled: None,
            model: None,
            bot_name: None,
            host_origins: Vec::new(),
            max_file_bytes: 0,
        };
        let routes = format!("{:?}", router::<()>(false, &widget, &shown()).unwrap());
        assert!(!routes.contains("/widget") && !routes.contains("/embed.js"), "{routes}");
    }

    #[test]
    fn labels_are_told_by_their_words() {
        for (label, words) in [
            ("EMAIL_1", "item-email"),
            ("BANK_ACCOUNT", "item-account"),
            ("UK_NHS_NUMBER_2", "item-identity"),
            ("CARD_EXPIRY_1", "item-expiry"),
            ("IP_ADDRESS_1", "item-other"),
            ("ORDER_7", "item-other"),
        ] {
            assert_eq!(kind_words(label), words, "{label}");
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
        let page = chat(&tree(), Words::of(Language::English).unwrap(), &shown(), &[]).unwrap();
        assert!(!page.contains(" style=") && !page.contains("<style"), "inline style");
        let handler = page.split_whitespace().find(|word| word.starts_with("on") && word.contains("=\""));
        assert_eq!(handler, None, "inline handler");
        assert_eq!(
            page.matches("<script").count(),
            page.matches("<script type=\"module\" src=\"/static/").count()
        );
        for (name, _, text) in FILES.into_iter().chain([("embed.js", "", EMBED)]) {
            let outside =
                text.replace("http://www.w3.org/2000/svg", "").replace("https://GATEWAY/embed.js", "");
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
            + chat("x", Words::of(Language::English).unwrap(), &shown(), &[]).unwrap().len();
        assert!(all < 100_000, "{all} bytes, uncompressed");
    }
}
