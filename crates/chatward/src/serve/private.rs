//! The private listener: health, numbers, and the routes of staff.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use axum::Router;

use super::{House, own};
use crate::api::{self, Side};
use crate::caller::RateLimiter;
use crate::seeing::{Live, private_router};

/// Who is remembered by the rate limiter at most: all on this machine.
const REMEMBERED: usize = 1000;

pub(super) fn router(house: &House, address: SocketAddr) -> anyhow::Result<Router> {
    let gate = &house.gate;
    let limiter = Arc::new(RateLimiter::new(REMEMBERED, Instant::now()));
    let own = own::api(house, Side::Private, address, limiter)?;
    let counted = Arc::clone(gate);
    let live = move || Live {
        audit_queue_length: counted.store.stats().waiting as u64,
        turns_open: counted.open.load(Ordering::Relaxed),
        more: crate::alerts::metrics(&counted.alerts),
    };
    let without_token = gate.force.load().config.server.metrics_without_token;
    Ok(private_router(
        house.private,
        house.token.clone(),
        Arc::clone(&gate.health),
        Arc::clone(&gate.metrics),
        without_token,
        live,
        api::private_routes().router(own).merge(crate::pages::files()),
    )?)
}
