//! Requests that another site has a browser send behind its user's back.
//!
//! What changes something needs three things to be right: where the browser says the request comes from
//! (`Sec-Fetch-Site`), the origin it names (`Origin`), and the token of the session's own form
//! ([`Session::check_form`](super::session::Session::check_form)). The cookie's `SameSite=Lax` stands before all of them.

use super::outcome::{Next, Refused, Why};

/// What a browser says about where a request comes from: the headers as they came, each the only one of its name.
#[derive(Debug, Clone, Copy, Default)]
pub struct From<'a> {
    /// `Origin`.
    pub origin: Option<&'a str>,
    /// `Sec-Fetch-Site`.
    pub fetch_site: Option<&'a str>,
}

/// Whether a request that changes something comes from our own pages, at this origin.
///
/// # Errors
///
/// [`Why::CrossSite`] if it does not, or if the browser says nothing: every browser of today says one of the two.
pub fn own_page(from: From<'_>, own_origin: &str) -> Result<(), Refused> {
    let site = from.fetch_site.map(|site| site == "same-origin");
    // Pages that send no referrer name no origin either (Fetch, "append a request `Origin` header"): the other header decides.
    let origin = from.origin.filter(|origin| *origin != "null");
    let origin = origin.map(|origin| origin.eq_ignore_ascii_case(own_origin));
    match (site, origin) {
        (Some(true), Some(true) | None) | (None, Some(true)) => Ok(()),
        _ => Err(Refused::new(Why::CrossSite, Next::StartOver)),
    }
}
