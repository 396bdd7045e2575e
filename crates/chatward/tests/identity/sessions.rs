//! Sessions: how they begin, what they are good for, how they end.

use chatward::caller::{Caller, PageCookie};
use chatward::identity::account::StoredError;
use chatward::identity::claim::{Begun, claim};
use chatward::identity::rules::Settings;
use chatward::identity::secret::{TokenHash, TokenKind};
use chatward::identity::session::{
    DEVICES_MAX, DeviceName, PRE_SESSION_COOKIE, SESSION_COOKIE, drop_cookie, set_cookie,
};
use chatward::identity::{Account, Need, Role, Rules, Why};
use chatward_message::{Action, CustomerId, TenantId, UnixMillis};
use std::time::Duration;

use crate::common::*;

#[test]
fn a_planted_token_never_becomes_a_session() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    // The attacker's own session and pre-session are in the victim's browser.
    let (_, planted) = house.customer_from_host();
    let mut arrival = house.browser();
    arrival.session = Some(*planted.session.token());
    let (options, sealed) = house.challenge(&arrival);
    let answer = phone.show(&options);
    let (account, signed_in) = ok(house.answer(account, &answer, &sealed, &arrival));
    assert_ne!(signed_in.session.token(), planted.session.token());
    assert_ne!(*signed_in.session.token(), arrival.pre_session);
    assert_eq!(signed_in.ends, [*planted.session.token()]);
    // And the token is new again after a second factor; the old one ends.
    let (_, stepped) = ok(house.step_up(account, &signed_in.session, &mut phone));
    assert_ne!(stepped.session.token(), signed_in.session.token());
    assert_eq!(stepped.ends, [*signed_in.session.token()]);
}

#[test]
fn a_token_is_256_random_bits_and_only_its_hash_is_kept() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let token = signed_in.token.expose();
    assert!(token.starts_with("cwu_") && token.len() == 4 + 43);
    assert_eq!(*signed_in.session.token(), TokenHash::of(TokenKind::Session, token));
    // One kind never stands for another.
    for kind in [TokenKind::PreSession, TokenKind::Invitation, TokenKind::Service] {
        assert_ne!(*signed_in.session.token(), TokenHash::of(kind, token));
    }
    let stored = serde_json::to_string(&signed_in.session).unwrap();
    assert!(!stored.contains(token) && !stored.contains(&token[4..]));
    assert_eq!(serde_json::from_str::<chatward::identity::Session>(&stored).unwrap(), signed_in.session);
    assert!(!format!("{account:?}{signed_in:?}").contains(token));
}

#[test]
fn the_cookie_is_ours_alone() {
    let mut house = House::new();
    let (.., signed_in) = house.staff(&[Role::Analyst]);
    let cookie = set_cookie(SESSION_COOKIE, &signed_in.token);
    assert_eq!(
        *cookie,
        format!(
            "__Host-chatward-session={}; Path=/; Secure; HttpOnly; SameSite=Lax",
            signed_in.token.expose()
        )
    );
    assert!(PRE_SESSION_COOKIE.starts_with("__Host-"));
    assert_eq!(
        drop_cookie(SESSION_COOKIE),
        "__Host-chatward-session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"
    );
}

#[test]
fn a_session_that_is_not_used_ends() {
    let mut house = House::new();
    let (staff, _, hers) = house.staff(&[Role::Analyst]);
    let (customer, his) = house.customer_from_host();
    house.wait(15 * MINUTE - 1);
    assert_eq!(house.meets(&hers.session, Need::Security, &staff), Ok(()));
    house.wait(1);
    assert_eq!(house.meets(&hers.session, Need::Security, &staff), Err(Why::SessionIdle));
    house.wait(15 * MINUTE - 1);
    let used = his.session.used(&customer, &house.rules, house.now).unwrap();
    house.wait(1);
    assert_eq!(house.meets(&his.session, Need::Security, &customer), Err(Why::SessionIdle));
    assert_eq!(house.meets(&used, Need::Security, &customer), Ok(()));
}

#[test]
fn a_session_ends_however_much_it_is_used() {
    let mut house = House::new();
    let (mut account, mut phone, signed_in) = house.staff(&[Role::Analyst]);
    let (mut session, end) = (signed_in.session, house.now.0 + 8 * HOUR);
    while house.now.0 + 14 * MINUTE < end {
        house.wait(14 * MINUTE);
        session = session.used(&account, &house.rules, house.now).unwrap();
        // Not even a second factor makes it any younger.
        let stepped;
        (account, stepped) = ok(house.step_up(account, &session, &mut phone));
        session = stepped.session;
    }
    assert_eq!(session.ends_at(&house.rules), UnixMillis(end));
    house.now = UnixMillis(end);
    assert_eq!(house.meets(&session, Need::Security, &account), Err(Why::SessionOver));
}

#[test]
fn a_clock_that_is_set_back_makes_nothing_younger() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    house.wait(10 * MINUTE);
    let used = signed_in.session.used(&account, &house.rules, house.now).unwrap();
    assert_eq!(house.meets(&used, Need::Fresh, &account), Err(Why::NeedFreshFactor));
    house.now = UnixMillis(house.now.0 - 10 * MINUTE);
    assert_eq!(house.meets(&used, Need::Fresh, &account), Err(Why::NeedFreshFactor));
}

#[test]
fn a_second_factor_is_fresh_for_ten_minutes() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.customer_with_passkey();
    house.wait(10 * MINUTE - 1);
    assert_eq!(house.meets(&signed_in.session, Need::Fresh, &account), Ok(()));
    house.wait(1);
    assert_eq!(house.meets(&signed_in.session, Need::Fresh, &account), Err(Why::NeedFreshFactor));
    assert_eq!(house.meets(&signed_in.session, Need::Pages, &account), Ok(()));
    let (account, stepped) = ok(house.step_up(account, &signed_in.session, &mut phone));
    assert_eq!(house.meets(&stepped.session, Need::Fresh, &account), Ok(()));
}

#[test]
fn signing_out_everywhere_ends_every_session() {
    let mut house = House::new();
    let (account, mut phone, here) = house.staff(&[Role::Analyst]);
    let (account, there) = house.sign_in(account, &mut phone);
    let change = account.sign_out_everywhere(&here.session, &house.rules, house.now);
    assert_eq!(actions(&change.events), [Action::SignedOutEverywhere]);
    let (account, ()) = ok(change);
    for session in [&here.session, &there.session] {
        assert_eq!(house.meets(session, Need::Security, &account), Err(Why::SessionEnded));
    }
    assert!(account.devices().is_empty());
    house.sign_in(account, &mut phone);
}

#[test]
fn one_browser_is_signed_out_from_another() {
    let mut house = House::new();
    let (account, mut phone, here) = house.staff(&[Role::Analyst]);
    let (account, there) = house.sign_in(account, &mut phone);
    assert_eq!(account.devices()[0].name, DeviceName::of("Firefox/140 (X11; Linux)"));
    let (account, ()) = ok(account.sign_out(&here.session, there.session.device(), &house.rules, house.now));
    assert_eq!(house.meets(&there.session, Need::Security, &account), Err(Why::SessionEnded));
    assert_eq!(house.meets(&here.session, Need::Security, &account), Ok(()));
}

#[test]
fn the_list_of_browsers_is_bounded_and_the_oldest_leaves() {
    let mut house = House::new();
    let (mut account, mut phone, first) = house.staff(&[Role::Analyst]);
    let mut last = None;
    for _ in 0..DEVICES_MAX {
        house.wait(1000);
        let signed_in;
        (account, signed_in) = house.sign_in(account, &mut phone);
        last = Some(signed_in);
    }
    assert_eq!(account.devices().len(), DEVICES_MAX);
    assert_eq!(house.meets(&first.session, Need::Security, &account), Err(Why::SessionEnded));
    assert_eq!(house.meets(&last.unwrap().session, Need::Security, &account), Ok(()));
}

#[test]
fn a_session_counts_for_its_own_account_and_house() {
    let mut house = House::new();
    let (ann, _, hers) = house.staff(&[Role::Analyst]);
    let (bob, _, his) = house.staff(&[Role::Admin]);
    assert_eq!(house.meets(&hers.session, Need::Security, &bob), Err(Why::NoSession));
    assert_eq!(house.meets(&his.session, Need::Security, &ann), Err(Why::NoSession));
    // The same account in another house's store.
    let stored = String::from_utf8(ann.to_bytes().unwrap().to_vec()).unwrap();
    let moved = stored.replace(r#""tenant":"default""#, r#""tenant":"other""#);
    let other: TenantId = "other".parse().unwrap();
    let moved = Account::from_bytes(moved.as_bytes(), &other).unwrap();
    assert_eq!(house.meets(&hers.session, Need::Security, &moved), Err(Why::NoSession));
}

#[test]
fn locked_and_closed_accounts_have_no_sessions() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let operator = house.operator();
    let (locked, ()) = ok(account.clone().lock(&operator, OTHERS, house.now));
    assert_eq!(house.meets(&signed_in.session, Need::Security, &locked), Err(Why::Locked));
    let (unlocked, ()) = ok(locked.unlock(&operator, house.now));
    assert_eq!(house.meets(&signed_in.session, Need::Security, &unlocked), Err(Why::SessionEnded));
    let (closed, ()) = ok(account.close(&operator, OTHERS, house.now));
    assert_eq!(house.meets(&signed_in.session, Need::Security, &closed), Err(Why::Closed));
}

#[test]
fn a_new_password_ends_the_other_sessions() {
    let mut house = House::new();
    let (account, mut phone, here) = house.staff(&[Role::Analyst]);
    let (account, there) = house.sign_in(account, &mut phone);
    let change = account.set_password(
        "correct horse battery",
        &here.session,
        &chatward::identity::password::Argon2id,
        &mut chatward::identity::password::ShippedList,
        &mut house.with(),
    );
    let (account, ()) = ok(change);
    assert_eq!(house.meets(&there.session, Need::Security, &account), Err(Why::SessionEnded));
    assert_eq!(house.meets(&here.session, Need::Security, &account), Ok(()));
}

#[test]
fn the_limits_cannot_be_set_out_of_bounds() {
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let wrong = [
        Settings { staff_idle: minutes(16), ..Settings::default() },
        Settings { staff_absolute: minutes(12 * 60 + 1), ..Settings::default() },
        Settings { customer_idle: minutes(61), ..Settings::default() },
        Settings { customer_idle: minutes(4), ..Settings::default() },
        Settings { customer_absolute: minutes(24 * 60 + 1), ..Settings::default() },
        Settings { fresh: minutes(11), ..Settings::default() },
        Settings { fresh: Duration::ZERO, ..Settings::default() },
    ];
    for settings in wrong {
        assert!(Rules::new(&settings).is_err(), "{settings:?}");
    }
    assert!(Rules::new(&Settings::default()).is_ok());
}

#[test]
fn devices_are_told_apart_coarsely() {
    let name = |agent: &str| {
        let DeviceName { browser, system } = DeviceName::of(agent);
        format!("{} on {}", browser.name(), system.name())
    };
    let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36";
    assert_eq!(name(chrome), "Chrome on Windows");
    assert_eq!(name(&format!("{chrome} Edg/140.0")), "Edge on Windows");
    let iphone = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 Version/18.5 Safari/604.1";
    assert_eq!(name(iphone), "Safari on iOS");
    assert_eq!(name("<script>alert(1)</script>"), "Browser on unknown system");
}

#[test]
fn a_stored_account_reads_back_and_shows_nothing() {
    let mut house = House::new();
    let (account, codes) = crate::codes::staff_with_password_and_app(&mut house);
    let bytes = account.to_bytes().unwrap();
    assert_eq!(Account::from_bytes(&bytes, &house.tenant).unwrap(), account);
    let other: TenantId = "other".parse().unwrap();
    assert_eq!(Account::from_bytes(&bytes, &other).unwrap_err(), StoredError::OtherTenant);
    let newer = String::from_utf8(bytes.to_vec()).unwrap().replace(r#""version":1"#, r#""version":2"#);
    assert_eq!(Account::from_bytes(newer.as_bytes(), &house.tenant).unwrap_err(), StoredError::Newer);
    assert_eq!(Account::from_bytes(b"{}", &house.tenant).unwrap_err(), StoredError::NotAnAccount);
    // What a log would get to see.
    let shown = format!("{account:?}");
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    for secret in [
        json["account"]["app"]["secret"].as_str().unwrap(),
        json["account"]["password"]["hash"].as_str().unwrap(),
        json["account"]["recovery"]["left"][0].as_str().unwrap(),
        json["account"]["name"].as_str().unwrap(),
        codes[0].as_str(),
    ] {
        assert!(secret.len() > 10 && !shown.contains(secret), "{secret}");
    }
}

#[test]
fn every_change_is_a_revision_and_a_refusal_without_an_event_is_none() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let before = account.revision();
    let change = account.remove_passkey(b"no such", &signed_in.session, &mut house.with());
    assert_eq!((change.account.revision(), change.events.len()), (before, 0));
    let arrival = house.browser();
    let change = change.account.sign_in_with_recovery_code("x", &arrival, keyed, &mut house.with());
    assert_eq!((change.account.revision(), change.events.len()), (before + 1, 1));
    let event = serde_json::to_value(&change.events[0]).unwrap();
    let subject = change.account.subject().to_string();
    assert_eq!(
        event,
        serde_json::json!({
            "at": house.now.0, "tenant": "default", "action": "sign-in-failed", "subject": subject,
            "reason": "wrong-recovery-code", "factor": "recovery-code",
        })
    );
}

/// A conversation that a browser began without a name: its cookie, and what is stored.
fn anonymous() -> (Caller, Begun) {
    let (caller, _) = PageCookie::issue(true, false, keyed).unwrap();
    let begun = Begun { tenant: TenantId::default_tenant(), caller: *caller.identity(), claimed: None };
    (caller, begun)
}

#[test]
fn a_customer_takes_over_what_this_browser_began() {
    let mut house = House::new();
    let (cookie, begun) = anonymous();
    let (account, signed_in) = house.customer_from_host();
    let claimed =
        claim(&begun, Some(&cookie), &account, &signed_in.session, &house.rules, house.now).unwrap();
    assert_eq!(Some(claimed.customer), account.customer());
    assert!(claimed.new_cookie);
    assert_eq!(claimed.event.unwrap().action, Action::ConversationClaimed);
    // Again, from another browser: it is theirs.
    let begun = Begun { claimed: account.customer(), ..begun };
    let again = claim(&begun, None, &account, &signed_in.session, &house.rules, house.now).unwrap();
    assert_eq!((again.event, again.new_cookie), (None, false));
}

#[test]
fn nobody_else_takes_over_a_conversation() {
    let mut house = House::new();
    let (cookie, begun) = anonymous();
    let (other_cookie, _) = anonymous();
    let (account, signed_in) = house.customer_from_host();
    let (staff, _, hers) = house.staff(&[Role::Admin]);
    let rules = house.rules.clone();
    let attempt = |begun: &Begun, cookie: Option<&Caller>, account: &Account, session, now| {
        claim(begun, cookie, account, session, &rules, now).map(|_| ()).map_err(|no| no.why)
    };
    let no = Err(Why::NotYourConversation);
    // Without the cookie, with another browser's, with a caller that is no browser.
    assert_eq!(attempt(&begun, None, &account, &signed_in.session, house.now), no);
    assert_eq!(attempt(&begun, Some(&other_cookie), &account, &signed_in.session, house.now), no);
    assert_eq!(attempt(&begun, Some(&caller("shop")), &account, &signed_in.session, house.now), no);
    // Somebody else's by now, also with the cookie.
    let taken = Begun { claimed: Some(CustomerId::from_bytes([1; 16])), ..begun.clone() };
    assert_eq!(attempt(&taken, Some(&cookie), &account, &signed_in.session, house.now), no);
    // Another house's, and a member of staff.
    let there = Begun { tenant: "other".parse().unwrap(), ..begun.clone() };
    assert_eq!(attempt(&there, Some(&cookie), &account, &signed_in.session, house.now), no);
    assert_eq!(attempt(&begun, Some(&cookie), &staff, &hers.session, house.now), no);
    // After the session ended.
    let late = UnixMillis(house.now.0 + HOUR);
    assert_eq!(attempt(&begun, Some(&cookie), &account, &signed_in.session, late), Err(Why::SessionIdle));
    assert_eq!(attempt(&begun, Some(&cookie), &account, &signed_in.session, house.now), Ok(()));
}

#[test]
fn a_recovery_code_alone_takes_over_nothing() {
    let mut house = House::new();
    let (cookie, begun) = anonymous();
    let (account, _, signed_in) = house.customer_with_passkey();
    let (account, codes) = house.recovery(account, &signed_in.session);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, recovered) = ok(change);
    let refused = claim(&begun, Some(&cookie), &account, &recovered.session, &house.rules, house.now);
    assert_eq!(refused.unwrap_err().why, Why::NotYourConversation);
}
