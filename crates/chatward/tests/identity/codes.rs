//! Codes of an app and recovery codes.

use std::cell::RefCell;

use chatward::identity::account::Trust;
use chatward::identity::choices::{self, Choice};
use chatward::identity::password::{self, Argon2id, ShippedList};
use chatward::identity::session::Arrival;
use chatward::identity::{Account, Change, Need, Next, Role, Session, SignedIn, Why};
use chatward_message::{Action, UnixMillis};

use crate::common::*;

/// RFC 6238, appendix B, SHA-1: the time in seconds and the last six digits of the code.
const VECTORS: [(u64, &str); 6] = [
    (59, "287082"),
    (1_111_111_109, "081804"),
    (1_111_111_111, "050471"),
    (1_234_567_890, "005924"),
    (2_000_000_000, "279037"),
    (20_000_000_000, "353130"),
];

#[test]
fn codes_are_those_of_rfc_6238() {
    for (seconds, code) in VECTORS {
        let mut house = House::new();
        house.now = UnixMillis(seconds * 1000);
        let (account, first) = house.customer_from_host();
        house.random = Box::new(Known(b"12345678901234567890".to_vec()));
        let (account, setup) = ok(account.begin_app("Shop", &first.session, &mut house.with()));
        assert_eq!(setup.secret.as_str(), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        ok(account.confirm_app(code, &first.session, &mut house.with()));
    }
}

#[test]
fn the_address_for_the_app_says_what_it_needs() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (_, setup) = ok(account.begin_app("Shop: online", &first.session, &mut house.with()));
    assert!(setup.uri.starts_with("otpauth://totp/Shop%20%20online:ann%40example.org?"), "{}", *setup.uri);
    assert!(setup.uri.contains(&format!("secret={}", *setup.secret)));
    assert_eq!(setup.secret.len(), 32, "160 bits");
    assert_eq!(format!("{setup:?}"), "AppSetup(..)");
}

#[test]
fn a_code_is_a_second_factor_beside_something_else() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    assert_eq!(house.meets(&first.session, Need::Fresh, &account), Err(Why::NeedSecondFactor));
    let (account, codes) = house.app(account, &first.session);
    house.wait(STEP);
    let code = codes.at(house.now);
    let (account, stepped) = ok(account.step_up_with_app(&code, &first.session, &mut house.with()));
    assert_eq!(house.meets(&stepped.session, Need::Fresh, &account), Ok(()));
}

#[test]
fn a_code_is_accepted_once() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (account, codes) = house.app(account, &first.session);
    // The first one was used up by setting up.
    let code = codes.at(house.now);
    let (account, why) = no(account.step_up_with_app(&code, &first.session, &mut house.with()));
    assert_eq!(why, Why::CodeUsed);
    house.wait(STEP);
    let code = codes.at(house.now);
    let (account, _) = ok(account.step_up_with_app(&code, &first.session, &mut house.with()));
    assert_eq!(no(account.step_up_with_app(&code, &first.session, &mut house.with())).1, Why::CodeUsed);
}

#[test]
fn a_code_from_before_the_last_one_is_refused() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (account, codes) = house.app(account, &first.session);
    house.wait(3 * STEP);
    let (earlier, now) = (codes.at(UnixMillis(house.now.0 - STEP)), codes.at(house.now));
    let (account, _) = ok(account.step_up_with_app(&now, &first.session, &mut house.with()));
    assert_eq!(no(account.step_up_with_app(&earlier, &first.session, &mut house.with())).1, Why::CodeUsed);
}

#[test]
fn a_clock_may_be_one_step_off_and_no_more() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (account, codes) = house.app(account, &first.session);
    house.wait(10 * STEP);
    for (steps, counts) in [(-2_i64, false), (-1, true), (0, true), (1, true), (2, false)] {
        let then = UnixMillis(house.now.0.checked_add_signed(steps * STEP as i64).unwrap());
        let change = account.clone().step_up_with_app(&codes.at(then), &first.session, &mut house.with());
        assert_eq!(change.outcome.is_ok(), counts, "{steps}");
    }
}

#[test]
fn a_code_of_another_account_is_refused() {
    let mut house = House::new();
    let (ann, hers) = house.customer_from_host();
    let (bob, his) = house.customer_from_host();
    let (ann, _) = house.app(ann, &hers.session);
    let (_, bobs) = house.app(bob, &his.session);
    house.wait(STEP);
    let code = bobs.at(house.now);
    assert_eq!(no(ann.step_up_with_app(&code, &hers.session, &mut house.with())).1, Why::WrongCode);
}

#[test]
fn only_six_digits_are_a_code() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (account, codes) = house.app(account, &first.session);
    house.wait(STEP);
    let code = codes.at(house.now);
    for wrong in [
        "".to_owned(),
        code[..5].to_owned(),
        format!("{code}0"),
        format!("+{}", &code[1..]),
        format!("{}٣", &code[..5]),
        "1".repeat(1 << 20),
    ] {
        let change = account.clone().step_up_with_app(&wrong, &first.session, &mut house.with());
        assert_eq!(no(change).1, Why::WrongCode);
    }
    // As people read it from the screen.
    let spaced = format!(" {} {} ", &code[..3], &code[3..]);
    ok(account.step_up_with_app(&spaced, &first.session, &mut house.with()));
}

#[test]
fn an_app_counts_once_it_gave_a_code() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (account, setup) = ok(account.begin_app("Shop", &first.session, &mut house.with()));
    let codes = AppCodes::of(&setup);
    assert!(account.app().is_none());
    let code = codes.at(house.now);
    let (account, why) = no(account.step_up_with_app(&code, &first.session, &mut house.with()));
    assert_eq!(why, Why::NotSetUp);
    let (account, why) = no(account.confirm_app(&codes.wrong(house.now), &first.session, &mut house.with()));
    assert_eq!(why, Why::WrongCode);
    house.wait(15 * MINUTE + 1);
    let code = codes.at(house.now);
    assert_eq!(no(account.confirm_app(&code, &first.session, &mut house.with())).1, Why::NotSetUp);
}

#[test]
fn recovery_codes_are_ten_long_unlike_and_shown_once() {
    let mut house = House::new();
    let (account, _, signed_in) = house.customer_with_passkey();
    let (account, codes) = house.recovery(account, &signed_in.session);
    assert_eq!((codes.len(), account.recovery_codes_left()), (10, Some(10)));
    let unlike: std::collections::HashSet<_> = codes.iter().collect();
    assert_eq!(unlike.len(), 10);
    for code in &codes {
        // Sixteen letters of five bits each: 80 random bits.
        assert_eq!(code.len(), 19);
        let letters = code.bytes().filter(|b| b"0123456789abcdefghjkmnpqrstvwxyz".contains(b));
        assert_eq!(letters.count(), 16);
    }
    let stored = String::from_utf8(account.to_bytes().unwrap().to_vec()).unwrap();
    assert!(codes.iter().all(|code| !stored.contains(code) && !stored.contains(&code.replace('-', ""))));
}

#[test]
fn a_recovery_code_is_good_for_once() {
    let mut house = House::new();
    let (account, _, signed_in) = house.customer_with_passkey();
    let (account, codes) = house.recovery(account, &signed_in.session);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[3], &arrival, keyed, &mut house.with());
    assert_eq!(actions(&change.events), [Action::SignedIn]);
    let (account, _) = ok(change);
    assert_eq!(account.recovery_codes_left(), Some(9));
    let change = account.sign_in_with_recovery_code(&codes[3], &arrival, keyed, &mut house.with());
    let (account, why) = no(change);
    assert_eq!((why, account.recovery_codes_left()), (Why::WrongRecoveryCode, Some(9)));
    // As people read it out over the phone.
    let typed = format!(" {}", codes[4].to_uppercase().replace('-', " ").replace('0', "O").replace('1', "l"));
    ok(account.sign_in_with_recovery_code(&typed, &arrival, keyed, &mut house.with()));
}

#[test]
fn new_recovery_codes_end_the_old_ones() {
    let mut house = House::new();
    let (account, _, signed_in) = house.customer_with_passkey();
    let (account, old) = house.recovery(account, &signed_in.session);
    let (mut account, _) = house.recovery(account, &signed_in.session);
    let arrival = house.browser();
    for code in old.iter().take(9) {
        let change = account.sign_in_with_recovery_code(code, &arrival, keyed, &mut house.with());
        let why;
        (account, why) = no(change);
        assert_eq!(why, Why::WrongRecoveryCode);
    }
}

#[test]
fn a_recovery_code_of_another_account_is_refused() {
    let mut house = House::new();
    let (ann, _, hers) = house.customer_with_passkey();
    let (bob, _, his) = house.customer_with_passkey();
    let (ann, _) = house.recovery(ann, &hers.session);
    let (_, bobs) = house.recovery(bob, &his.session);
    let arrival = house.browser();
    let change = ann.sign_in_with_recovery_code(&bobs[0], &arrival, keyed, &mut house.with());
    assert_eq!(no(change).1, Why::WrongRecoveryCode);
}

#[test]
fn recovery_codes_take_a_second_factor_to_make() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let change = account.make_recovery_codes(&first.session, keyed, &mut house.with());
    assert_eq!(no(change).1, Why::NeedSecondFactor);
}

#[test]
fn a_recovery_code_does_not_stand_for_the_second_factor_of_staff() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::PrivacyOfficer]);
    let (account, codes) = house.recovery(account, &signed_in.session);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, recovered) = ok(change);
    for need in [Need::Pages, Need::Fresh, Need::DeviceBound] {
        assert_eq!(house.meets(&recovered.session, need, &account), Err(Why::NeedSecondFactor));
    }
    // A new passkey can be set up, and signs in, but opens nothing until somebody else has confirmed it.
    let mut thiefs = Phone::new();
    let account = house.register(account, &recovered.session, &mut thiefs);
    assert_eq!(account.passkeys()[1].trust(), Trust::Unconfirmed);
    let (account, stepped) = ok(house.step_up(account, &recovered.session, &mut thiefs));
    assert_eq!(house.meets(&stepped.session, Need::Fresh, &account), Err(Why::FactorUnconfirmed));
    let (account, signed_in) = house.sign_in(account, &mut thiefs);
    for need in [Need::Pages, Need::Fresh] {
        let refused = signed_in.session.meets(need, &account, &house.rules, house.now).unwrap_err();
        assert_eq!((refused.why, refused.next), (Why::FactorUnconfirmed, Next::AskAdministrator));
    }
    let (account, ()) = ok(account.confirm_factors(&house.operator(), house.now));
    let (account, signed_in) = house.sign_in(account, &mut thiefs);
    assert_eq!(house.meets(&signed_in.session, Need::Fresh, &account), Ok(()));
}

#[test]
fn a_password_and_a_recovery_code_are_not_a_second_factor_either() {
    let mut house = House::new();
    let (account, codes) = staff_with_password_and_app(&mut house);
    let arrival = house.browser();
    let change = sign_in_with_password(&mut house, account, PASSWORD, &arrival);
    let (account, first) = ok(change);
    let (account, recovered) = ok(account.recover(&codes[0], &first.session, keyed, &mut house.with()));
    assert_eq!(house.meets(&recovered.session, Need::Pages, &account), Err(Why::NeedSecondFactor));
    // The old app cannot be replaced, only joined by something that has to be confirmed.
    let change = account.begin_app("House", &recovered.session, &mut house.with());
    assert_eq!(no(change).1, Why::AlreadySetUp);
}

#[test]
fn a_customers_new_passkey_waits_three_days_after_a_recovery() {
    let mut house = House::new();
    let (account, _, signed_in) = house.customer_with_passkey();
    let (account, codes) = house.recovery(account, &signed_in.session);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, recovered) = ok(change);
    assert_eq!(house.meets(&recovered.session, Need::Pages, &account), Ok(()));
    assert_eq!(house.meets(&recovered.session, Need::Fresh, &account), Err(Why::NeedSecondFactor));
    let mut new = Phone::new();
    let account = house.register(account, &recovered.session, &mut new);
    let (account, waits) = house.sign_in(account, &mut new);
    let refused = waits.session.meets(Need::Fresh, &account, &house.rules, house.now).unwrap_err();
    let until = UnixMillis(house.now.0 + 72 * HOUR);
    assert_eq!(refused.why, Why::FactorWaits);
    assert!(matches!(refused.next, Next::Wait { until: then, .. } if then == until), "{:?}", refused.next);
    house.wait(72 * HOUR - 1);
    let (account, early) = house.sign_in(account, &mut new);
    assert_eq!(house.meets(&early.session, Need::Fresh, &account), Err(Why::FactorWaits));
    house.wait(1);
    let (account, there) = house.sign_in(account, &mut new);
    assert_eq!(house.meets(&there.session, Need::Fresh, &account), Ok(()));
}

#[test]
fn a_recovery_code_with_a_code_of_the_app_is_as_good_as_any() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (account, app) = house.app(account, &first.session);
    house.wait(STEP);
    let code = app.at(house.now);
    let (account, stepped) = ok(account.step_up_with_app(&code, &first.session, &mut house.with()));
    let (account, codes) = house.recovery(account, &stepped.session);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, recovered) = ok(change);
    house.wait(STEP);
    let code = app.at(house.now);
    let (account, both) = ok(account.step_up_with_app(&code, &recovered.session, &mut house.with()));
    assert_eq!(house.meets(&both.session, Need::Fresh, &account), Ok(()));
    let account = house.register(account, &both.session, &mut Phone::new());
    assert_eq!(account.passkeys()[0].trust(), Trust::Now);
}

#[test]
fn recovery_is_offered_only_where_it_is_set_up_and_after_the_app() {
    let mut house = House::new();
    let (account, codes) = staff_with_password_and_app(&mut house);
    let arrival = house.browser();
    let (account, first) = ok(sign_in_with_password(&mut house, account, PASSWORD, &arrival));
    // Keycloak asked for a recovery code instead of the app's (keycloak#44115).
    let choices = choices::to_step_up(&account, &first.session, &house.rules, house.now);
    assert_eq!(choices, [Choice::App, Choice::RecoveryCode]);
    // And offered recovery to who has no codes (keycloak#42050).
    let mut account = account;
    for code in &codes {
        let arrival = house.browser();
        (account, _) = ok(account.sign_in_with_recovery_code(code, &arrival, keyed, &mut house.with()));
    }
    let choices = choices::to_step_up(&account, &first.session, &house.rules, house.now);
    assert_eq!(choices, [Choice::App]);
    assert!(!choices::to_sign_in(&account, &house.rules, house.now).contains(&Choice::RecoveryCode));
    let (other, _, _) = house.staff(&[Role::Analyst]);
    assert_eq!(choices::to_sign_in(&other, &house.rules, house.now), [Choice::Passkey]);
}

#[test]
fn the_passkey_comes_first() {
    let mut house = House::new();
    let (account, codes) = staff_with_password_and_app(&mut house);
    let arrival = house.browser();
    let (account, first) = ok(sign_in_with_password(&mut house, account, PASSWORD, &arrival));
    house.wait(STEP);
    let (account, stepped) = step_up_with_any_code(&mut house, account, &first.session);
    let account = house.register(account, &stepped.session, &mut Phone::new());
    assert_eq!(codes.len(), 10);
    let choices = choices::to_sign_in(&account, &house.rules, house.now);
    assert_eq!(choices, [Choice::Passkey, Choice::Password, Choice::RecoveryCode]);
    let arrival = house.browser();
    let (account, first) = ok(sign_in_with_password(&mut house, account, PASSWORD, &arrival));
    let choices = choices::to_step_up(&account, &first.session, &house.rules, house.now);
    assert_eq!(choices, [Choice::Passkey, Choice::App, Choice::RecoveryCode]);
}

pub(crate) const PASSWORD: &str = "correct horse battery";

thread_local! {
    /// The app of [`staff_with_password_and_app`].
    static APP: RefCell<Option<AppCodes>> = const { RefCell::new(None) };
}

/// Somebody who has a password, an app and recovery codes, and no passkey.
pub(crate) fn staff_with_password_and_app(house: &mut House) -> (Account, Vec<String>) {
    let (account, invited) = house.invited(&[Role::Analyst]);
    let change =
        account.set_password(PASSWORD, &invited.session, &Argon2id, &mut ShippedList, &mut house.with());
    let (account, ()) = ok(change);
    let (account, app) = house.app(account, &invited.session);
    APP.set(Some(app));
    let arrival = house.browser();
    let (account, first) = ok(sign_in_with_password(house, account, PASSWORD, &arrival));
    house.wait(STEP);
    let (account, stepped) = step_up_with_any_code(house, account, &first.session);
    let recovery = house.recovery(account, &stepped.session);
    house.wait(STEP);
    recovery
}

pub(crate) fn step_up_with_any_code(
    house: &mut House,
    account: Account,
    session: &Session,
) -> (Account, SignedIn) {
    let code = APP.with_borrow(|app| app.as_ref().unwrap().at(house.now));
    ok(account.step_up_with_app(&code, session, &mut house.with()))
}

pub(crate) fn wrong_code(house: &House) -> String {
    APP.with_borrow(|app| app.as_ref().unwrap().wrong(house.now))
}

pub(crate) fn sign_in_with_password(
    house: &mut House,
    account: Account,
    typed: &str,
    arrival: &Arrival,
) -> Change<SignedIn> {
    let checked = password::check(Some(&account), typed, &Argon2id).unwrap();
    account.sign_in_with_password(checked, arrival, &mut house.with())
}
