//! Requests that another site has a browser send.

use chatward::identity::Role;
use chatward::identity::Why;
use chatward::identity::site::{From, own_page};

use crate::common::*;

fn from(fetch_site: Option<&str>, origin: Option<&str>) -> Result<(), Why> {
    own_page(From { origin, fetch_site }, ORIGIN).map_err(|no| no.why)
}

#[test]
fn our_own_pages_may_change_something() {
    assert_eq!(from(Some("same-origin"), Some(ORIGIN)), Ok(()));
    assert_eq!(from(Some("same-origin"), None), Ok(()));
    // Browsers before 2023 have no Sec-Fetch-Site.
    assert_eq!(from(None, Some(ORIGIN)), Ok(()));
}

#[test]
fn another_site_may_not() {
    let others = [
        "https://evil.test",
        "https://chat.shop.example.evil.test",
        "http://chat.shop.example",
        "https://chat.shop.example:8443",
        "https://shop.example",
        "",
    ];
    for origin in others {
        assert_eq!(from(None, Some(origin)), Err(Why::CrossSite), "{origin}");
        assert_eq!(from(Some("same-origin"), Some(origin)), Err(Why::CrossSite), "{origin}");
    }
    for site in ["cross-site", "same-site", "none", "", "Same-Origin "] {
        assert_eq!(from(Some(site), Some(ORIGIN)), Err(Why::CrossSite), "{site}");
        assert_eq!(from(Some(site), None), Err(Why::CrossSite), "{site}");
    }
    assert_eq!(from(None, None), Err(Why::CrossSite));
    // A page that sends no referrer names no origin: what counts is where the browser says it comes from.
    for site in [None, Some("cross-site"), Some("same-site"), Some("none")] {
        assert_eq!(from(site, Some("null")), Err(Why::CrossSite), "{site:?}");
    }
    assert_eq!(from(Some("same-origin"), Some("null")), Ok(()));
}

#[test]
fn a_form_carries_its_own_sessions_token() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.staff(&[Role::Analyst]);
    let (account, other) = house.sign_in(account, &mut phone);
    let token = signed_in.session.form_token();
    assert_eq!(signed_in.session.check_form(&token), Ok(()));
    for wrong in ["", "x", &other.session.form_token(), &token[1..], &format!("{token}=")] {
        assert_eq!(signed_in.session.check_form(wrong).unwrap_err().why, Why::FormToken);
    }
    // It is neither the session's token nor anything that tells it, and it is another after a second factor.
    assert!(!signed_in.token.expose().contains(&token));
    let (_, stepped) = ok(house.step_up(account, &signed_in.session, &mut phone));
    assert_eq!(stepped.session.check_form(&token).unwrap_err().why, Why::FormToken);
}
