//! `[recipients]`: who is told when a customer's data is erased, corrected or frozen.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::check::{plain_name, secret, secret_file, url};
use super::load::fault;
use super::{Fault, Secret};
use crate::webhook;

/// What somebody is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Tell {
    /// A customer was erased (GDPR 17).
    Erased,
    /// A value was corrected (GDPR 16).
    Corrected,
    /// Data was frozen, or is so no longer (GDPR 18).
    Restricted,
}

impl Tell {
    /// The word for it in the configuration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Erased => "erased",
            Self::Corrected => "corrected",
            Self::Restricted => "restricted",
        }
    }
}

/// `[recipients.NAME]`
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct RawRecipient {
    /// Where it is told: `https://crm.example/hooks/chatward`.
    #[schemars(required)]
    pub url: Option<String>,
    /// File with the secret that signs what it is told: `whsec_` and 24 to 64 random bytes in base64.
    pub secret_file: Option<PathBuf>,
    /// Environment variable with that secret.
    pub secret_env: Option<String>,
    /// What it is told of. Default: everything.
    pub tell: Vec<Tell>,
    /// Danger: tell somebody on another machine without TLS.
    pub unsafe_plain_http: bool,
}

impl Default for RawRecipient {
    fn default() -> Self {
        Self {
            url: None,
            secret_file: None,
            secret_env: None,
            tell: vec![Tell::Erased, Tell::Corrected, Tell::Restricted],
            unsafe_plain_http: false,
        }
    }
}

/// Somebody who is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recipient {
    /// Its name here.
    pub name: Arc<str>,
    /// Where it is told.
    pub url: http::Uri,
    /// What signs it.
    pub secret: Secret,
    /// What it is told of.
    pub tell: Vec<Tell>,
}

/// Those of the house.
pub(super) fn recipients(raw: &BTreeMap<String, RawRecipient>, faults: &mut Vec<Fault>) -> Vec<Recipient> {
    raw.iter().filter_map(|(name, raw)| recipient(name, raw, faults)).collect()
}

fn recipient(name: &str, raw: &RawRecipient, faults: &mut Vec<Fault>) -> Option<Recipient> {
    let at = |key: &str| format!("recipients.{name}.{key}");
    if !plain_name(name) {
        faults.push(fault(&format!("recipients.{name}"), "the name must be 1 to 63 of a-z 0-9 -"));
    }
    let example = "https://crm.example/hooks/chatward";
    let url = url(&at("url"), (raw.url.as_deref(), example), raw.unsafe_plain_http, faults);
    let secret = match (&raw.secret_file, &raw.secret_env) {
        (Some(file), None) => secret_file(&at("secret_file"), file, faults),
        (None, Some(variable)) => match std::env::var(variable) {
            Ok(value) => secret(&at("secret_env"), Zeroizing::new(value), faults),
            Err(_) => {
                faults.push(fault(&at("secret_env"), format!("the variable {variable} is not set")));
                None
            }
        },
        _ => {
            let message = "missing or twice: either a file or a variable holds the secret";
            faults.push(fault(&at("secret_file"), message));
            None
        }
    };
    if secret.as_ref().is_some_and(|secret| webhook::secret(secret.expose()).is_none()) {
        faults.push(fault(
            &at("secret_file"),
            "the secret is `whsec_` and 24 to 64 random bytes in base64: `echo whsec_$(head -c 32 /dev/urandom | base64)`",
        ));
    }
    if raw.tell.is_empty() {
        faults.push(fault(&at("tell"), "it would be told of nothing: leave the recipient out"));
    }
    Some(Recipient { name: name.into(), url: url?, secret: secret?, tell: raw.tell.clone() })
}
