//! `[identity]`: who people are, and how they show it.

use super::load::fault;
use super::raw::{Raw, RawHost, RawIdentity, RawProvider};
use super::{Fault, Host, Identity, Place, Provider, Signed};
use crate::identity::passkey::Passkeys;
use crate::identity::{Rules, Settings};

/// How long a token of a host site may count, in seconds, if nothing is said, and at most.
const TOKEN_LIFE: (u64, u64) = (300, 3600);

pub(super) fn identity(raw: &Raw, faults: &mut Vec<Fault>) -> Option<Identity> {
    let RawIdentity { name, origin, site, staff_origin, staff_site, .. } = &raw.identity;
    let customers = place("identity.origin", "identity.site", name, origin, site, faults);
    let staff = place("identity.staff_origin", "identity.staff_site", name, staff_origin, staff_site, faults);
    let host = raw.identity.host.as_ref().and_then(|host| host_site(raw, host, faults));
    let provider = raw.identity.provider.as_ref().and_then(|provider| single_sign_on(provider, faults));
    let RawIdentity {
        customer_idle, customer_absolute, staff_idle, staff_absolute, fresh, passwords, ..
    } = &raw.identity;
    let settings = Settings {
        customer_idle: customer_idle.0,
        customer_absolute: customer_absolute.0,
        staff_idle: staff_idle.0,
        staff_absolute: staff_absolute.0,
        fresh: fresh.0,
        passwords: *passwords,
        single_sign_on: raw.identity.provider.is_some(),
    };
    let rules = Rules::new(&settings)
        .map_err(|bounds| faults.push(fault(&format!("identity.{}", bounds.setting), bounds.to_string())))
        .ok()?;
    Some(Identity {
        name: name.clone(),
        customers,
        staff,
        rules,
        breached_passwords: raw.identity.breached_passwords.clone(),
        host,
        provider,
    })
}

fn place(
    origin_path: &str,
    site_path: &str,
    name: &str,
    origin: &Option<String>,
    site: &Option<String>,
    faults: &mut Vec<Fault>,
) -> Place {
    match (origin, site) {
        (None, Some(_)) => {
            faults.push(fault(site_path, format!("only has a meaning with `{origin_path}`")));
        }
        (Some(origin), site) => {
            let host = origin.split("://").nth(1).unwrap_or_default();
            let host = host.split([':', '/']).next().unwrap_or_default();
            let tried = Passkeys::new(site.as_deref().unwrap_or(host), origin, name);
            // A path would never be equal to what browsers call the origin.
            if origin.matches('/').count() > 2 {
                faults.push(fault(origin_path, "must end after the name and the port"));
            } else if let Err(error) = tried {
                faults.push(fault(origin_path, error.to_string()));
            }
        }
        (None, None) => {}
    }
    Place { origin: origin.clone(), site: site.clone() }
}

fn host_site(raw: &Raw, host: &RawHost, faults: &mut Vec<Fault>) -> Option<Host> {
    if !raw.callers.iter().any(|caller| caller.name.as_ref() == Some(&host.caller)) {
        faults.push(fault("identity.host.caller", format!("there is no caller `{}`", host.caller)));
    }
    let lifetime = host.lifetime.map_or(TOKEN_LIFE.0, |life| life.0.as_secs());
    if lifetime == 0 || lifetime > TOKEN_LIFE.1 {
        faults.push(fault("identity.host.lifetime", format!("must be between 1s and {}s", TOKEN_LIFE.1)));
    }
    let signed = match (&host.keys_file, &host.secrets_file, &host.issuer, &host.audience) {
        (Some(file), None, Some(issuer), Some(audience)) => {
            Signed::Keys { file: file.clone(), issuer: issuer.clone(), audience: audience.clone() }
        }
        (None, Some(file), None, None) => Signed::Secrets { file: file.clone() },
        _ => {
            let what = "needs either `keys_file` with `issuer` and `audience`, or `secrets_file` alone";
            faults.push(fault("identity.host", what));
            return None;
        }
    };
    Some(Host { caller: host.caller.clone(), signed, lifetime })
}

fn single_sign_on(provider: &RawProvider, faults: &mut Vec<Fault>) -> Option<Provider> {
    let RawProvider { issuer, client_id, client_secret_file, second_factor } = provider;
    let loopback = issuer.strip_prefix("http://").is_some_and(|rest| {
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        host == "localhost" || host == "127.0.0.1"
    });
    if !issuer.starts_with("https://") && !loopback {
        faults.push(fault("identity.provider.issuer", "must be an `https://` address"));
        return None;
    }
    if client_id.trim().is_empty() {
        faults.push(fault("identity.provider.client_id", "missing"));
        return None;
    }
    Some(Provider {
        issuer: issuer.clone(),
        client_id: client_id.clone(),
        client_secret_file: client_secret_file.clone(),
        second_factor: second_factor.clone(),
    })
}
