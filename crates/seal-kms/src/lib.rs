//! A seal whose key stays in AWS KMS: it wraps the operator's key (`Encrypt`, `Decrypt` of the service's HTTP API, requests signed
//! with SigV4), and the kind of seal and the check value of the operator's key are bound to it as its encryption context. The KMS
//! key must be a symmetric one for encryption (`SYMMETRIC_DEFAULT`).
//!
//! One request when the operator's key is asked for, once at every start. The access key is what the operator gives; roles of an
//! instance, a container or a pod, and single sign-on are not looked for. Tested against `moto`, which checks the signature; not
//! tested against the real service.

mod call;
mod refusal;

use aws_credential_types::Credentials;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chatward_vault::{SealError, Wrapper};
use http::Uri;
use serde::Serialize;
use zeroize::Zeroizing;

use crate::call::{Answer, Service};

/// The word for this kind of seal.
const KIND: &str = "aws-kms";

/// Which key of which region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The region: `eu-central-1`.
    pub region: String,
    /// The key's id or ARN, or the name or ARN of an alias (`alias/chatward`).
    pub key: String,
    /// Where the service is, if not at the region's own address: `https://vpce-….kms.eu-central-1.vpce.amazonaws.com`. Without
    /// TLS only on this machine.
    pub endpoint: Option<String>,
}

/// An access key of AWS: whose requests these are.
pub struct Access {
    /// Its id.
    pub id: String,
    /// Its secret half.
    pub secret: Zeroizing<String>,
    /// What belongs to one that is lent for a while.
    pub session_token: Option<Zeroizing<String>>,
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { id, secret: _, session_token: _ } = self;
        write!(f, "Access({id})")
    }
}

/// A key in AWS KMS.
#[derive(Debug)]
pub struct Kms {
    key: String,
    service: Service,
}

fn failed(why: impl std::fmt::Display) -> SealError {
    SealError::Service { kind: KIND, why: why.to_string() }
}

impl Kms {
    /// The key of these settings, for whoever has this access key.
    ///
    /// # Errors
    /// A setting cannot be used, or would send the key in clear over the network.
    pub fn new(settings: Settings, access: Access) -> Result<Self, SealError> {
        let Settings { region, key, endpoint } = settings;
        let plain = |text: &str, more: &[u8]| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || more.contains(&b))
        };
        if !plain(&region, b"-") {
            return Err(failed("`seal.region` is not a region, as `eu-central-1` is one"));
        }
        if !plain(&key, b"-_/:") {
            return Err(failed("`seal.key` is not the id, the ARN or the alias of a key"));
        }
        let endpoint = endpoint.unwrap_or_else(|| {
            let china = if region.starts_with("cn-") { ".cn" } else { "" };
            format!("https://kms.{region}.amazonaws.com{china}/")
        });
        let endpoint = endpoint_of(&endpoint)?;
        let Access { id, mut secret, session_token } = access;
        if !plain(&id, b"_") || secret.is_empty() {
            return Err(failed("the access key is empty, or its id has a character that has no place in it"));
        }
        let token = session_token.map(|mut token| std::mem::take(&mut *token));
        // Moved, not copied: they are wiped where they are now.
        let credentials = Credentials::new(id, std::mem::take(&mut *secret), token, None, "chatward");
        Ok(Self { key, service: Service::new(endpoint, region, credentials) })
    }
}

/// The address of the service as it is asked.
fn endpoint_of(text: &str) -> Result<Uri, SealError> {
    let uri: Uri = text.parse().map_err(|_| failed("`seal.endpoint` is not a URL"))?;
    let host = uri.host().unwrap_or_default();
    match uri.scheme_str() {
        Some("https") if !host.is_empty() => {}
        Some("http") if ["localhost", "127.0.0.1", "[::1]"].contains(&host) => {}
        _ => {
            return Err(failed(
                "`seal.endpoint` must be https://…: the operator's key would be readable on the way",
            ));
        }
    }
    let bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
    if !bare || uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(failed("`seal.endpoint` must be a scheme and a host (and a port), and nothing else"));
    }
    Ok(uri)
}

/// What is bound to the wrapped key. It stands readable in the account's log of KMS requests and can be asked for in a key's policy:
/// nothing secret is in it.
#[derive(Serialize)]
struct Bound<'a> {
    chatward: &'a str,
    about: String,
}

impl Bound<'_> {
    fn to(about: &str) -> Self {
        // The lines as one: whether a line end may stand in a value is not written down anywhere.
        Self { chatward: "operator-key", about: about.trim_end().replace('\n', "/") }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypt<'a> {
    key_id: &'a str,
    plaintext: &'a str,
    encryption_context: Bound<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt<'a> {
    key_id: &'a str,
    ciphertext_blob: String,
    encryption_context: Bound<'a>,
}

fn unlike() -> SealError {
    failed("the answer is not what the interface describes: is `seal.endpoint` that of KMS?")
}

impl Wrapper for Kms {
    fn kind(&self) -> &'static str {
        KIND
    }

    fn wrap(&self, key: &[u8; 32], about: &str) -> Result<(String, Vec<u8>), SealError> {
        let plaintext = Zeroizing::new(STANDARD.encode(key));
        let asked =
            Encrypt { key_id: &self.key, plaintext: &plaintext, encryption_context: Bound::to(about) };
        let answer: Answer = self.service.ask("Encrypt", &asked)?;
        let wrapped = answer.ciphertext_blob.as_deref().and_then(|text| STANDARD.decode(text).ok());
        Ok((KIND.to_owned(), wrapped.filter(|wrapped| !wrapped.is_empty()).ok_or_else(unlike)?))
    }

    fn unwrap(&self, with: &str, about: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        if with != KIND {
            return Err(failed("the operator's key is wrapped in a way that this version does not know"));
        }
        let asked = Decrypt {
            key_id: &self.key,
            ciphertext_blob: STANDARD.encode(wrapped),
            encryption_context: Bound::to(about),
        };
        let answer: Answer = self.service.ask("Decrypt", &asked)?;
        let key = answer.plaintext.as_deref().and_then(|text| STANDARD.decode(text).ok());
        key.map(Zeroizing::new).ok_or_else(unlike)
    }
}
