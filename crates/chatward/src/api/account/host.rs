//! The host site's door: whose word names its customers.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context as _;

use crate::api::Api;
use crate::caller::{Caller, Origin};
use crate::config::{Config, Host, Signed};
use crate::identity::host::{HostCustomer, HostKeys, HostSecrets, HostSite};
use crate::problem::{Code, Problem};

/// What is known of the host site: its keys are read at start, and again with the configuration.
pub(crate) struct HostDoor(Mutex<(Arc<Config>, Option<Arc<Known>>)>);

/// A host site whose keys were read.
pub(super) struct Known {
    caller: String,
    signed: Checks,
}

enum Checks {
    Keys(HostSite, HostKeys),
    Secrets(HostSecrets),
}

impl HostDoor {
    /// As the configuration says.
    ///
    /// # Errors
    ///
    /// If the file of keys cannot be read or used.
    pub(crate) fn open(config: &Arc<Config>) -> anyhow::Result<Self> {
        let known = config.identity.host.as_ref().map(read).transpose()?.map(Arc::new);
        Ok(Self(Mutex::new((Arc::clone(config), known))))
    }

    /// As it is now. A new configuration with a file that cannot be used leaves the keys as they were.
    pub(super) fn now(&self, config: &Arc<Config>) -> Option<Arc<Known>> {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&held.0, config) {
            held.0 = Arc::clone(config);
            match config.identity.host.as_ref().map(read).transpose() {
                Ok(known) => held.1 = known.map(Arc::new),
                Err(error) => {
                    tracing::error!(cause = %format_args!("{error:#}"), "the host site's keys stay as they were");
                }
            }
        }
        held.1.clone()
    }
}

fn read(host: &Host) -> anyhow::Result<Known> {
    let bytes = |file: &std::path::Path| {
        let read = std::fs::read(file).map(zeroize::Zeroizing::new);
        read.with_context(|| format!("`identity.host`: {} cannot be read", file.display()))
    };
    let signed = match &host.signed {
        Signed::Keys { file, issuer, audience } => {
            let keys = HostKeys::parse(&bytes(file)?).map_err(|refused| {
                anyhow::anyhow!("`identity.host`: {} ({})", file.display(), refused.why.code())
            })?;
            let (issuer, audience) = (issuer.clone(), audience.clone());
            Checks::Keys(HostSite { issuer, audience, lifetime: host.lifetime }, keys)
        }
        Signed::Secrets { file } => {
            let text = bytes(file)?;
            let lines = text.split(|b| *b == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty());
            let secrets = HostSecrets::new(lines);
            Checks::Secrets(secrets.with_context(|| format!("`identity.host`: {}", file.display()))?)
        }
    };
    Ok(Known { caller: host.caller.clone(), signed })
}

impl Known {
    /// Whom a token names, and through which caller.
    pub(super) fn named(&self, api: &Api, token: &str) -> Result<(HostCustomer, Caller), Problem> {
        let now = api.directory.now();
        let customer = match &self.signed {
            Checks::Keys(site, keys) => site.verify(token, keys, now)?,
            Checks::Secrets(secrets) => secrets.verify(token, now)?,
        };
        let force = api.gate.force.load();
        let is_it = |caller: &&Caller| matches!(caller.origin(), Origin::OwnKey { name, .. } if **name == *self.caller);
        let caller = force.callers.iter().find(is_it).cloned();
        Ok((customer, caller.ok_or(Code::NotFound)?))
    }
}

impl std::fmt::Debug for HostDoor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HostDoor(..)")
    }
}
