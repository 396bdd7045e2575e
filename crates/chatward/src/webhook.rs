//! Telling others by webhook, as the Standard Webhooks specification (version 1) has it: a JSON body over HTTPS, with an id that
//! stays the same over all tries, the time of the try, and an HMAC over both and the body under a secret of that receiver.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use chatward_message::UnixMillis;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use zeroize::Zeroizing;

use crate::upstream::{SetupError, verified};

/// How long a receiver has for everything.
const PATIENCE: Duration = Duration::from_secs(15);
/// What a secret begins with in its written form.
const SECRET_PREFIX: &str = "whsec_";
/// The lengths of a secret, in bytes.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Why somebody could not be told. Holds no content.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WebhookError {
    /// The network's or the receiver's: no connection, or it broke off.
    #[error("cannot be reached: {0}")]
    Away(Box<str>),
    /// The receiver's: it does not answer in time.
    #[error("does not answer within {} s", PATIENCE.as_secs())]
    Slow,
    /// The receiver's: it did not take it.
    #[error("answers with status {0}")]
    Refused(StatusCode),
    /// The operator's: the configuration does not name it, now.
    #[error("is not in the configuration")]
    Nobody,
    /// Ours.
    #[error("a request could not be made")]
    Request,
}

/// The secret of a receiver from its written form: `whsec_` and 24 to 64 bytes in base64.
pub(crate) fn secret(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    let bytes = Zeroizing::new(STANDARD.decode(text.strip_prefix(SECRET_PREFIX)?).ok()?);
    SECRET_BYTES.contains(&bytes.len()).then_some(bytes)
}

/// Somebody who is told.
pub(crate) struct Webhook {
    url: Uri,
    key: hmac::Key,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Webhook {
    /// The receiver at this address, with this secret. Over HTTPS it is verified against the roots of the platform.
    pub(crate) fn new(url: &Uri, secret: &[u8]) -> Result<Self, SetupError> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_connect_timeout(Some(PATIENCE));
        let tls = verified(url.scheme_str() == Some("https"))?;
        let connector = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        Ok(Self {
            url: url.clone(),
            key: hmac::Key::new(hmac::HMAC_SHA256, secret),
            client: Client::builder(TokioExecutor::new()).build(connector.wrap_connector(tcp)),
        })
    }

    /// Tells it once. Any status of success says that it was taken; what it says beside that is not read.
    pub(crate) async fn tell(&self, id: &str, at: UnixMillis, body: &Arc<str>) -> Result<(), WebhookError> {
        let seconds = at.0 / 1000;
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| WebhookError::Request);
        let request = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/json")
            .header("webhook-id", value(id)?)
            .header("webhook-timestamp", seconds)
            .header("webhook-signature", value(&self.signature(id, seconds, body))?)
            .body(Full::new(Bytes::copy_from_slice(body.as_bytes())))
            .map_err(|_| WebhookError::Request)?;
        let answer = tokio::time::timeout(PATIENCE, self.client.request(request));
        let answer = answer.await.map_err(|_| WebhookError::Slow)?;
        let answer = answer.map_err(|error| WebhookError::Away(error.to_string().into()))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err(WebhookError::Refused(status)),
        }
    }

    fn signature(&self, id: &str, seconds: u64, body: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{id}.{seconds}.{body}").as_bytes());
        format!("v1,{}", STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_what_others_compute() {
        // The example of the specification's own libraries.
        let secret = secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let hook = Webhook::new(&Uri::from_static("http://127.0.0.1/"), &secret).unwrap();
        let body = r#"{"test": 2432232314}"#;
        let signature = hook.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_secret_has_its_form() {
        assert_eq!(secret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap().len(), 24);
        for bad in
            ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_not base64 at all…"]
        {
            assert!(secret(bad).is_none(), "{bad}");
        }
    }
}
