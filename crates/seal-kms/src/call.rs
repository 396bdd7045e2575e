//! One signed request to the service, and its answer.

use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use bytes::Bytes;
use chatward_vault::SealError;
use http::{Method, Request, Uri};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use crate::refusal::refused;
use crate::{failed, unlike};

/// So long an answer is waited for.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest answer, in bytes.
const LONGEST: usize = 64 << 10;
/// The form of bodies (AWS JSON 1.1).
const FORM: &str = "application/x-amz-json-1.1";

/// What an answer may hold that is of use.
#[derive(Deserialize, Zeroize, ZeroizeOnDrop)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Answer {
    /// Base64.
    pub(crate) plaintext: Option<String>,
    /// Base64.
    pub(crate) ciphertext_blob: Option<String>,
}

/// KMS at one address, for whoever has this access key.
pub(crate) struct Service {
    endpoint: Uri,
    region: String,
    credentials: Credentials,
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { endpoint, region, credentials: _ } = self;
        write!(f, "Service({endpoint}, {region})")
    }
}

impl Service {
    pub(crate) fn new(endpoint: Uri, region: String, credentials: Credentials) -> Self {
        Self { endpoint, region, credentials }
    }

    /// Has the service do one thing. On a thread of its own: whoever asks may be in the midst of a runtime.
    pub(crate) fn ask(&self, action: &str, asked: &impl Serialize) -> Result<Answer, SealError> {
        // `to_vec` would leave pieces of the key where its buffer grew.
        let mut body = Zeroizing::new(Vec::with_capacity(LONGEST));
        serde_json::to_writer(&mut *body, asked).map_err(failed)?;
        let request = self.signed(action, body)?;
        let done = std::thread::scope(|scope| {
            scope
                .spawn(|| {
                    let runtime =
                        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(failed)?;
                    runtime.block_on(async {
                        let asked = tokio::time::timeout(PATIENCE, exchange(action, request)).await;
                        asked.unwrap_or_else(|_| {
                            Err(failed(
                                "the service does not answer in time: look at the way to `seal.endpoint`",
                            ))
                        })
                    })
                })
                .join()
        });
        done.unwrap_or_else(|_| Err(failed("the request panicked")))
    }

    fn signed(&self, action: &str, body: Zeroizing<Vec<u8>>) -> Result<Request<Full<Bytes>>, SealError> {
        let unsigned = |_| failed("the request cannot be signed: look at the access key");
        let target = format!("TrentService.{action}");
        let headers = [("content-type", FORM), ("x-amz-target", &*target)];
        let identity = self.credentials.clone().into();
        let params = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("kms")
            .time(SystemTime::now())
            .settings(SigningSettings::default())
            .build()
            .map_err(|_| failed("the request cannot be signed"))?
            .into();
        let uri = self.endpoint.to_string();
        let signable = SignableRequest::new("POST", &uri, headers.into_iter(), SignableBody::Bytes(&body));
        let (signature, _) = sign(signable.map_err(unsigned)?, &params).map_err(unsigned)?.into_parts();
        let mut request = Request::builder().method(Method::POST).uri(&self.endpoint);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        // The body is wiped when the client lets it go.
        let mut request = request
            .body(Full::new(Bytes::from_owner(body)))
            .map_err(|_| failed("the request cannot be made"))?;
        signature.apply_to_request_http1x(&mut request);
        Ok(request)
    }
}

async fn exchange(action: &str, request: Request<Full<Bytes>>) -> Result<Answer, SealError> {
    let https = hyper_rustls::HttpsConnectorBuilder::new().with_native_roots().map_err(failed)?;
    let client: Client<_, Full<Bytes>> =
        Client::builder(TokioExecutor::new()).build(https.https_or_http().enable_http1().build());
    let response = client.request(request).await.map_err(|e| {
        failed(format_args!(
            "the service is away: look at the way to `seal.endpoint` and its certificate: {e}"
        ))
    })?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST).collect().await;
    let body =
        Zeroizing::new(body.map_err(|_| failed("the answer is broken off or too long"))?.to_bytes().to_vec());
    if !status.is_success() {
        return Err(refused(action, status, &body));
    }
    serde_json::from_slice(&body).map_err(|_| unlike())
}
