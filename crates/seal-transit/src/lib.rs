//! A seal whose key stays in the transit engine of HashiCorp Vault or OpenBao: it wraps the operator's key (`encrypt`, `decrypt`
//! of the engine's HTTP API), and the kind of seal and the check value of the operator's key are bound to it as associated data
//! (the engine's key must be of an AEAD type: `aes256-gcm96`, which is the default).
//!
//! One request when the operator's key is asked for, once at every start. Tested against a server of the tests that speaks the
//! documented interface; not tested against the real services.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chatward_vault::{SealError, Wrapper};
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use zeroize::Zeroizing;

/// The word for this kind of seal.
const KIND: &str = "transit";
/// So long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const LONGEST: usize = 64 << 10;

/// Which key of which engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Where the service is: `https://vault.example:8200`. Without TLS only on this machine.
    pub url: String,
    /// Where the engine is mounted; `transit` if nobody changed it.
    pub mount: String,
    /// The name of the key.
    pub key: String,
}

/// A key of a transit engine.
pub struct Transit {
    settings: Settings,
    token: Zeroizing<String>,
}

impl std::fmt::Debug for Transit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { settings, token: _ } = self;
        write!(f, "Transit({}, {})", settings.url, settings.key)
    }
}

fn failed(why: impl std::fmt::Display) -> SealError {
    SealError::Service { kind: KIND, why: why.to_string() }
}

impl Transit {
    /// The key of these settings, for whoever has this token.
    ///
    /// # Errors
    /// The URL or a name cannot be used, or would send the key in clear over the network.
    pub fn new(settings: Settings, token: Zeroizing<String>) -> Result<Self, SealError> {
        let uri: Uri = settings.url.parse().map_err(|_| failed("`seal.url` is not a URL"))?;
        let loopback = ["localhost", "127.0.0.1", "[::1]"].contains(&uri.host().unwrap_or_default());
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") if loopback => {}
            _ => {
                return Err(failed(
                    "`seal.url` must be https://…: the operator's key would be readable on the way",
                ));
            }
        }
        let plain = |name: &str| {
            !name.is_empty()
                && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_./".contains(&b))
                && !name.contains("..")
        };
        if !plain(&settings.mount) || !plain(&settings.key) || settings.key.contains('/') {
            return Err(failed("`seal.mount` or `seal.key` has a character that has no place in it"));
        }
        Ok(Self { settings, token })
    }

    /// Has the engine do one thing. On a thread of its own: whoever asks may be in the midst of a runtime.
    fn ask(&self, what: &str, body: &Value) -> Result<Value, SealError> {
        let done = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
                    runtime.block_on(async {
                        let asked = tokio::time::timeout(PATIENCE, self.exchange(what, body)).await;
                        asked.unwrap_or_else(|_| Err(failed("the service does not answer in time")))
                    })
                })
                .join()
        });
        done.unwrap_or_else(|_| Err(failed("the request panicked")))
    }

    async fn exchange(&self, what: &str, body: &Value) -> Result<Value, SealError> {
        let Settings { url, mount, key } = &self.settings;
        let https = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots().map_err(failed)?;
        let client: Client<_, Full<Bytes>> =
            Client::builder(TokioExecutor::new()).build(https.https_or_http().enable_http1().build());
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/v1/{mount}/{what}/{key}", url.trim_end_matches('/')))
            .header("x-vault-token", self.token.as_str())
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(body.to_string())))
            .map_err(|_| failed("the token has a character that has no place in a header"))?;
        let response =
            client.request(request).await.map_err(|e| failed(format_args!("the service is away: {e}")))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), LONGEST).collect().await;
        let body = Zeroizing::new(
            body.map_err(|_| failed("the answer is broken off or too long"))?.to_bytes().to_vec(),
        );
        // What it says of an error may hold what was sent: only its number is told.
        if !status.is_success() {
            return Err(failed(format_args!(
                "the service says {status} to `{what}`: look at the token, its policy and the key"
            )));
        }
        serde_json::from_slice(&body).map_err(|_| failed("the answer is not what the interface describes"))
    }
}

fn text<'a>(answer: &'a Value, name: &str) -> Result<&'a str, SealError> {
    let found = answer.get("data").and_then(|data| data.get(name)).and_then(Value::as_str);
    found.ok_or_else(|| failed("the answer is not what the interface describes"))
}

impl Wrapper for Transit {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn wrap(&self, key: &[u8; 32], about: &str) -> Result<(String, Vec<u8>), SealError> {
        let body = json!({ "plaintext": STANDARD.encode(key), "associated_data": STANDARD.encode(about) });
        let answer = self.ask("encrypt", &body)?;
        Ok((KIND.to_owned(), text(&answer, "ciphertext")?.as_bytes().to_vec()))
    }

    fn unwrap(&self, with: &str, about: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if with != KIND {
            return Err(failed("the operator's key is wrapped in a way that this version does not know"));
        }
        let wrapped =
            std::str::from_utf8(wrapped).map_err(|_| failed("the wrapped operator's key is damaged"))?;
        let body = json!({ "ciphertext": wrapped, "associated_data": STANDARD.encode(about) });
        let answer = self.ask("decrypt", &body)?;
        let key = STANDARD.decode(text(&answer, "plaintext")?).map_err(failed)?;
        Ok(Zeroizing::new(key))
    }
}
