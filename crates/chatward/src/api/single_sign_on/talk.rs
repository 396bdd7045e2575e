//! What is said to the identity provider, and what it answers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use openidconnect::core::CoreClient;
use openidconnect::{
    ClientSecret, HttpRequest, HttpResponse, OAuth2TokenResponse as _, PkceCodeVerifier, TokenResponse as _,
};
use tokio::sync::Mutex;
use zeroize::Zeroizing;

use crate::config;
use crate::identity::sso::{Exchange, Provider};
use crate::problem::{Code, Problem};

/// How long the provider has to answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The longest answer that is read.
const ANSWER_MAX: usize = 256 * 1024;
/// How long its description and keys are taken for the newest.
const KEPT: Duration = Duration::from_secs(300);

/// Single sign-on cannot be set up.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SetupError {
    /// The roots by which the provider is verified.
    #[error(transparent)]
    Roots(#[from] crate::upstream::SetupError),
    /// The file with the secret.
    #[error("identity.provider.client_secret_file: {0}")]
    Secret(#[from] std::io::Error),
}

/// The provider did not answer as one does.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TalkError {
    #[error("no answer: {0}")]
    Away(Box<str>),
    #[error("no answer within {} seconds", PATIENCE.as_secs())]
    Slow,
    #[error("the answer is longer than {ANSWER_MAX} bytes, or broke off")]
    Answer,
    #[error("status {0}")]
    Status(u16),
    #[error("a request that cannot be sent")]
    Request,
}

/// The identity provider of the house, and the way to it.
pub(crate) struct SingleSignOn {
    settings: config::Provider,
    redirect: String,
    secret: Option<Zeroizing<String>>,
    client: Talk,
    known: Mutex<Option<(Instant, Arc<Provider>)>>,
}

/// What a code was exchanged for.
pub(super) struct Tokens {
    pub(super) id: Zeroizing<String>,
    pub(super) access: Option<Zeroizing<String>>,
}

impl SingleSignOn {
    /// With this provider; browsers come back to this origin.
    pub(crate) fn new(settings: &config::Provider, origin: &str) -> Result<Self, SetupError> {
        let secret = match &settings.client_secret_file {
            Some(file) => {
                let text = Zeroizing::new(std::fs::read_to_string(file)?);
                Some(Zeroizing::new(text.trim().to_owned()))
            }
            None => None,
        };
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let tls = crate::upstream::verified(settings.issuer.starts_with("https://"))?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Ok(Self {
            settings: settings.clone(),
            redirect: format!("{origin}{}", super::BACK),
            secret,
            client: Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp)),
            known: Mutex::new(None),
        })
    }

    /// The provider as it describes itself, read anew every few minutes.
    pub(super) async fn provider(&self) -> Result<Arc<Provider>, Problem> {
        let mut known = self.known.lock().await;
        if let Some((since, provider)) = &*known
            && since.elapsed() < KEPT
        {
            return Ok(Arc::clone(provider));
        }
        let provider = Arc::new(self.read().await?);
        *known = Some((Instant::now(), Arc::clone(&provider)));
        Ok(provider)
    }

    /// Asks the provider for its description and keys again next time.
    pub(super) async fn forget(&self) {
        *self.known.lock().await = None;
    }

    async fn read(&self) -> Result<Provider, Problem> {
        let config::Provider { issuer, client_id, second_factor, .. } = &self.settings;
        let description =
            self.get(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).await?;
        let told: serde_json::Value = serde_json::from_slice(&description).map_err(|_| odd("description"))?;
        let keys = told["jwks_uri"].as_str().ok_or_else(|| odd("description"))?;
        // What it names is asked only over the same kind of connection.
        if issuer.starts_with("https://") && !keys.starts_with("https://") {
            return Err(odd("address of its keys"));
        }
        let keys = self.get(keys).await?;
        let provider =
            Provider::new(issuer, &description, &keys, client_id, &self.redirect, second_factor.clone());
        provider.map_err(|error| {
            tracing::error!(cause = %error, "the identity provider cannot be used");
            Code::ProviderAway.into()
        })
    }

    async fn get(&self, address: &str) -> Result<Vec<u8>, Problem> {
        let request = http::Request::get(address).header(http::header::ACCEPT, "application/json");
        let asked = async {
            let request = request.body(Vec::new()).map_err(|_| TalkError::Request)?;
            let answer = send(self.client.clone(), request).await?;
            match answer.status().as_u16() {
                200 => Ok(answer.into_body()),
                status => Err(TalkError::Status(status)),
            }
        };
        asked.await.map_err(|error: TalkError| {
            tracing::error!(cause = %error, "the identity provider cannot be asked");
            Code::ProviderAway.into()
        })
    }

    /// Exchanges the code of a browser that came back (OpenID Connect Core, 3.1.3).
    pub(super) async fn exchange(&self, provider: &Provider, exchange: &Exchange) -> Result<Tokens, Problem> {
        let secret = self.secret.as_ref().map(|secret| ClientSecret::new(secret.to_string()));
        let client = CoreClient::from_provider_metadata(
            provider.metadata().clone(),
            provider.client().clone(),
            secret,
        )
        .set_redirect_uri(provider.redirect().clone());
        let asked = client.exchange_code(exchange.code.clone()).map_err(|_| odd("description"))?;
        let verifier = PkceCodeVerifier::new(exchange.verifier.secret().clone());
        let client_of_http = self.client.clone();
        let http = move |request: HttpRequest| send(client_of_http.clone(), request);
        let answer = asked.set_pkce_verifier(verifier).request_async(&http).await.map_err(|error| {
            // Its words may repeat what it was sent.
            let cause = match error {
                openidconnect::RequestTokenError::ServerResponse(_) => "it refused the code",
                openidconnect::RequestTokenError::Request(_) => "it cannot be reached",
                openidconnect::RequestTokenError::Parse(..) => "its answer is none",
                openidconnect::RequestTokenError::Other(_) => "its answer is odd",
            };
            tracing::warn!(cause, "a code could not be exchanged at the identity provider");
            Problem::new(Code::ProviderAway)
        })?;
        let id = answer.id_token().ok_or_else(|| odd("answer"))?;
        Ok(Tokens {
            id: Zeroizing::new(id.to_string()),
            access: Some(Zeroizing::new(answer.access_token().secret().clone())),
        })
    }
}

type Talk = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

async fn send(client: Talk, request: HttpRequest) -> Result<HttpResponse, TalkError> {
    let request = request.map(|body| Full::new(Bytes::from(body)));
    let talk = async {
        let answer = client.request(request).await.map_err(|e| TalkError::Away(e.to_string().into()))?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, ANSWER_MAX).collect().await.map_err(|_| TalkError::Answer)?;
        Ok(http::Response::from_parts(head, body.to_bytes().to_vec()))
    };
    tokio::time::timeout(PATIENCE, talk).await.map_err(|_| TalkError::Slow)?
}

fn odd(what: &str) -> Problem {
    tracing::error!(what, "the identity provider does not say what it should");
    Code::ProviderAway.into()
}
