//! What our own routes share, made for one listener.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;

use super::House;
use crate::api::single_sign_on::SingleSignOn;
use crate::api::{Api, HostDoor, Look, Side};
use crate::caller::RateLimiter;
use crate::identity::passkey::Passkeys;
use crate::pages::Guides;

/// For the listener at this address.
pub(super) fn api(
    house: &House,
    side: Side,
    address: SocketAddr,
    limiter: Arc<RateLimiter>,
) -> anyhow::Result<Arc<Api>> {
    let force = house.gate.force.load_full();
    let identity = &force.config.identity;
    let place = match side {
        Side::Public => &identity.customers,
        Side::Private => &identity.staff,
    };
    let tls = side == Side::Public && house.tls.is_some();
    let scheme = if tls { "https" } else { "http" };
    // A passkey is made for a name, and browsers take this machine's own name for a safe place.
    let origin = place.origin.clone().unwrap_or_else(|| format!("{scheme}://localhost:{}", address.port()));
    let name = origin.split("://").nth(1).and_then(|rest| rest.split(':').next()).unwrap_or_default();
    let site = place.site.clone().unwrap_or_else(|| name.to_owned());
    let passkeys = Passkeys::new(&site, &origin, &identity.name).with_context(|| format!("`{origin}`"))?;
    let single_sign_on = match (side, &identity.provider) {
        (Side::Private, Some(provider)) => Some(Arc::new(SingleSignOn::new(provider, &origin)?)),
        _ => None,
    };
    let guides = Guides::read(force.config.pages.guides.as_deref()).context("`pages.guides`")?;
    let host = (side == Side::Public).then(|| HostDoor::open(&force.config).map(Arc::new)).transpose()?;
    Ok(Arc::new(Api {
        gate: Arc::clone(&house.gate),
        directory: house.directory.clone(),
        side,
        origin,
        passkeys,
        bootstrap: (side == Side::Private).then(|| house.token.clone()),
        tls,
        host,
        look: Look::new()?,
        guides: Arc::new(guides),
        single_sign_on,
        limiter,
    }))
}
