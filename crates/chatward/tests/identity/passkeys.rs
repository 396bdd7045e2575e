//! Passkeys: set up, shown, and everything that is not one.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chatward::identity::ceremony::SealedCeremony;
use chatward::identity::choices::{self, Choice};
use chatward::identity::passkey::{ANSWER_MAX, Assertion, Attestation, Passkeys, SiteError};
use chatward::identity::{Need, Role, State, Why, With};
use chatward_message::{Action, TenantId};
use serde_json::{Value, json};

use crate::common::*;

#[test]
fn a_passkey_signs_in_and_is_asked_for_nothing_else() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    assert_eq!(house.meets(&signed_in.session, Need::Fresh, &account), Ok(()));
    // Keycloak's users were asked for a code after their passkey (keycloak#41354).
    assert_eq!(choices::to_step_up(&account, &signed_in.session, &house.rules, house.now), []);
    assert_eq!(account.passkeys()[0].last_used(), Some(house.now));
    assert!(!account.passkeys()[0].is_device_bound());
}

#[test]
fn passkeys_are_found_without_a_name_and_check_their_user() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let mut with = With { now: house.now, rules: &house.rules, random: &mut *house.random };
    let begun = house.site.begin_registration(&account, &first.session, &house.key, &mut with).unwrap();
    let options = serde_json::to_value(&begun.options).unwrap();
    let selection = &options["publicKey"]["authenticatorSelection"];
    assert_eq!(selection["residentKey"], "preferred");
    assert_eq!(selection["userVerification"], "required");
    assert_eq!(options["publicKey"]["rp"]["id"], SITE);
    let arrival = house.browser();
    let (options, _) = house.challenge(&arrival);
    assert_eq!(options["publicKey"]["userVerification"], "required");
    assert_eq!(options["publicKey"]["allowCredentials"], json!([]));
}

#[test]
fn an_answer_counts_once() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (options, sealed) = house.challenge(&arrival);
    let answer = phone.show(&options);
    let (account, _) = ok(house.answer(account, &answer, &sealed, &arrival));
    let (account, why) = no(house.answer(account, &answer, &sealed, &arrival));
    assert_eq!(why, Why::CeremonyUsed);
    // Nor another answer to the same challenge.
    let answer = phone.show(&options);
    assert_eq!(no(house.answer(account, &answer, &sealed, &arrival)).1, Why::CeremonyUsed);
}

#[test]
fn a_challenge_is_good_for_five_minutes() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (options, sealed) = house.challenge(&arrival);
    let answer = phone.show(&options);
    house.wait(5 * MINUTE + 1);
    let (account, why) = no(house.answer(account, &answer, &sealed, &arrival));
    assert_eq!(why, Why::CeremonyExpired);
    let (options, sealed) = house.challenge(&arrival);
    let answer = phone.show(&options);
    house.wait(5 * MINUTE);
    ok(house.answer(account, &answer, &sealed, &arrival));
}

#[test]
fn a_challenge_of_another_browser_is_refused() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let (here, there) = (house.browser(), house.browser());
    let (options, sealed) = house.challenge(&here);
    let answer = phone.show(&options);
    assert_eq!(no(house.answer(account, &answer, &sealed, &there)).1, Why::OtherCeremony);
}

#[test]
fn a_challenge_of_another_house_is_refused() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    house.tenant = "other".parse::<TenantId>().unwrap();
    let (options, sealed) = house.challenge(&arrival);
    let answer = phone.show(&options);
    assert_eq!(no(house.answer(account, &answer, &sealed, &arrival)).1, Why::OtherCeremony);
}

#[test]
fn a_challenge_for_signing_in_is_not_one_for_a_second_factor() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.staff(&[Role::Analyst]);
    let (options, sealed) = house.step_up_challenge(&account, &signed_in.session);
    let answer = phone.show(&options);
    let arrival = house.browser();
    assert_eq!(no(house.answer(account, &answer, &sealed, &arrival)).1, Why::OtherCeremony);
}

#[test]
fn what_another_session_began_is_not_finished_here() {
    let mut house = House::new();
    let (account, mut phone, here) = house.staff(&[Role::Analyst]);
    let (account, there) = house.sign_in(account, &mut phone);
    let mut second = Phone::new();
    let (answer, sealed) = house.registration(&account, &there.session, &mut second);
    let change = house.finish_registration(account, &answer, &sealed, &here.session);
    let (account, why) = no(change);
    assert_eq!((why, account.passkeys().len()), (Why::OtherCeremony, 1));
    ok(house.finish_registration(account, &answer, &sealed, &there.session));
}

#[test]
fn what_was_begun_before_a_step_up_is_not_finished_after_it() {
    let mut house = House::new();
    let (account, mut phone, before) = house.staff(&[Role::Analyst]);
    let mut second = Phone::new();
    let (answer, sealed) = house.registration(&account, &before.session, &mut second);
    let (account, after) = ok(house.step_up(account, &before.session, &mut phone));
    assert_eq!(
        no(house.finish_registration(account, &answer, &sealed, &after.session)).1,
        Why::OtherCeremony
    );
}

#[test]
fn an_altered_or_made_up_state_does_not_open() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (options, sealed) = house.challenge(&arrival);
    let answer = phone.show(&options);
    let bytes = URL_SAFE_NO_PAD.decode(sealed.as_str()).unwrap();
    for place in 0..bytes.len() {
        let mut altered = bytes.clone();
        altered[place] ^= 1;
        let altered = SealedCeremony::from_text(URL_SAFE_NO_PAD.encode(altered));
        assert_eq!(no(house.answer(account.clone(), &answer, &altered, &arrival)).1, Why::OtherCeremony);
    }
    for text in [String::new(), "AAAA".to_owned(), "A".repeat(1 << 20), "é".to_owned()] {
        let made_up = SealedCeremony::from_text(text);
        assert_eq!(no(house.answer(account.clone(), &answer, &made_up, &arrival)).1, Why::OtherCeremony);
    }
    ok(house.answer(account, &answer, &sealed, &arrival));
}

#[test]
fn a_phishing_page_gets_nothing_that_counts_here() {
    let mut house = House::new();
    let (account, phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (options, sealed) = house.challenge(&arrival);
    // The page passes on our challenge, but the browser says where it is.
    let mut tricked = Phone { origin: "https://shop.example.evil.test".to_owned(), ..phone };
    let mut there = options;
    there["publicKey"]["rpId"] = json!("shop.example.evil.test");
    let answer = tricked.show(&there);
    assert_eq!(no(house.answer(account, &answer, &sealed, &arrival)).1, Why::PasskeyOrigin);
}

#[test]
fn a_sister_page_of_the_same_site_is_another_origin() {
    let mut house = House::new();
    let (account, phone, _) = house.staff(&[Role::Analyst]);
    for origin in ["https://blog.shop.example", "https://shop.example", "https://chat.shop.example:8443"] {
        let mut there = Phone { origin: origin.to_owned(), ..phone.copy() };
        assert_eq!(no(house.try_sign_in(account.clone(), &mut there)).1, Why::PasskeyOrigin, "{origin}");
    }
}

#[test]
fn a_passkey_of_another_site_is_refused() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (mut options, sealed) = house.challenge(&arrival);
    options["publicKey"]["rpId"] = json!("chat.shop.example");
    let answer = phone.show(&options);
    assert_eq!(no(house.answer(account, &answer, &sealed, &arrival)).1, Why::PasskeySite);
}

#[test]
fn a_device_that_does_not_check_its_user_is_refused() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.staff(&[Role::Analyst]);
    phone.verifies = false;
    let arrival = house.browser();
    let (mut options, sealed) = house.challenge(&arrival);
    options["publicKey"]["userVerification"] = json!("discouraged");
    let answer = phone.show(&options);
    let (account, why) = no(house.answer(account, &answer, &sealed, &arrival));
    assert_eq!(why, Why::PasskeyUnverified);
    // Nor to set one up.
    let mut with = With { now: house.now, rules: &house.rules, random: &mut *house.random };
    let begun = house.site.begin_registration(&account, &signed_in.session, &house.key, &mut with).unwrap();
    let mut options = serde_json::to_value(&begun.options).unwrap();
    options["publicKey"]["authenticatorSelection"]["userVerification"] = json!("discouraged");
    options["publicKey"]["excludeCredentials"] = json!([]);
    let mut careless = Phone { verifies: false, ..Phone::new() };
    let answer = careless.register(&options);
    let change = house.finish_registration(account, &answer, &begun.sealed, &signed_in.session);
    assert_eq!(no(change).1, Why::PasskeyUnverified);
}

#[test]
fn a_copied_passkey_is_found_out_noted_and_signs_in_no_more() {
    let mut house = House::new();
    let (account, invited) = house.invited(&[Role::Analyst]);
    let mut phone = Phone::counting();
    let account = house.register(account, &invited.session, &mut phone);
    let (account, _) = house.sign_in(account, &mut phone);
    let mut copy = phone.copy();
    let (account, _) = house.sign_in(account, &mut phone);
    // The copy counts on from where it was copied.
    let change = house.try_sign_in(account, &mut copy);
    assert_eq!(actions(&change.events), [Action::PasskeyCloned, Action::SignInFailed]);
    assert_eq!(change.events[1].facts.reason, Some("passkey-cloned"));
    let (account, why) = no(change);
    assert_eq!(why, Why::PasskeyCloned);
    assert!(account.passkeys()[0].is_cloned());
    // Nobody knows which of the two is the owner's.
    let (account, why) = no(house.try_sign_in(account, &mut phone));
    assert_eq!(why, Why::PasskeyCloned);
    assert!(!choices::to_sign_in(&account, &house.rules, house.now).contains(&Choice::Passkey));
}

#[test]
fn a_counter_that_stands_still_or_goes_back_is_a_copy() {
    for (before, after) in [(5, 5), (5, 4), (5, 0)] {
        let mut house = House::new();
        let (account, invited) = house.invited(&[Role::Analyst]);
        let mut key = HandMade::new(&account);
        key.counter = before;
        let account = register_by_hand(&mut house, account, &invited.session, &key);
        // Showing counts one up.
        key.counter = if after == 0 { 0 } else { after - 1 };
        assert_eq!(no(house.try_sign_in(account, &mut key)).1, Why::PasskeyCloned, "{before} {after}");
    }
}

#[test]
fn a_passkey_of_somebody_else_does_not_sign_in_here() {
    let mut house = House::new();
    let (ann, ..) = house.staff(&[Role::Analyst]);
    let (_, mut bobs, _) = house.staff(&[Role::Analyst]);
    let (ann, why) = no(house.try_sign_in(ann, &mut bobs));
    assert_eq!(why, Why::PasskeyUnknown);
    // Nor when it says that it is hers.
    let mut forged = HandMade::new(&ann);
    assert_eq!(no(house.try_sign_in(ann, &mut forged)).1, Why::PasskeyUnknown);
}

#[test]
fn a_passkey_that_names_another_account_is_refused() {
    let mut house = House::new();
    let (account, invited) = house.invited(&[Role::Analyst]);
    let mut key = HandMade::new(&account);
    let account = register_by_hand(&mut house, account, &invited.session, &key);
    let (account, signed_in) = house.sign_in(account, &mut key);
    key.user = vec![1; 16];
    let (account, why) = no(house.try_sign_in(account, &mut key));
    assert_eq!(why, Why::PasskeyUnknown);
    assert_eq!(no(house.step_up(account, &signed_in.session, &mut key)).1, Why::PasskeyUnknown);
}

#[test]
fn a_removed_passkey_does_not_sign_in_even_with_a_challenge_from_before() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.staff(&[Role::Analyst]);
    let mut second = Phone::new();
    let account = house.register(account, &signed_in.session, &mut second);
    let arrival = house.browser();
    let (options, sealed) = house.challenge(&arrival);
    let answer = second.show(&options);
    let id = account.passkeys()[1].id().as_slice().to_vec();
    let (account, ()) = ok(account.remove_passkey(&id, &signed_in.session, &mut house.with()));
    assert_eq!(no(house.answer(account.clone(), &answer, &sealed, &arrival)).1, Why::PasskeyUnknown);
    house.sign_in(account, &mut phone);
}

#[test]
fn an_altered_signature_or_message_is_refused() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (options, sealed) = house.challenge(&arrival);
    let right = phone.show_json(&options);
    for field in ["signature", "authenticatorData", "clientDataJSON"] {
        let mut altered = right.clone();
        let text = altered["response"][field].as_str().unwrap();
        let mut bytes = URL_SAFE_NO_PAD.decode(text).unwrap();
        let last = bytes.len() - 1;
        // The last byte of the counter, of the signature, and a space within the JSON.
        match field {
            "clientDataJSON" => bytes.insert(last, b' '),
            _ => bytes[last] ^= 1,
        }
        altered["response"][field] = json!(URL_SAFE_NO_PAD.encode(bytes));
        let answer = Assertion::parse(altered.to_string().as_bytes()).unwrap();
        let (_, why) = no(house.answer(account.clone(), &answer, &sealed, &arrival));
        assert_eq!(why, Why::PasskeyForged, "{field}");
    }
}

#[test]
fn an_answer_to_another_challenge_is_refused() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (_, sealed) = house.challenge(&arrival);
    let (other, _) = house.challenge(&arrival);
    let answer = phone.show(&other);
    assert_eq!(no(house.answer(account, &answer, &sealed, &arrival)).1, Why::OtherCeremony);
}

#[test]
fn an_answer_to_the_wish_for_a_new_passkey_does_not_sign_in() {
    let mut house = House::new();
    let (account, invited) = house.invited(&[Role::Analyst]);
    let mut key = HandMade::new(&account);
    let account = register_by_hand(&mut house, account, &invited.session, &key);
    key.kind = "webauthn.create";
    assert_eq!(no(house.try_sign_in(account, &mut key)).1, Why::PasskeyForged);
}

#[test]
fn garbage_is_no_answer() {
    for json in [&b""[..], b"{}", b"[]", b"null", b"\xff", &vec![b'{'; ANSWER_MAX + 1]] {
        assert_eq!(Assertion::parse(json).unwrap_err().why, Why::BadAnswer);
        assert_eq!(Attestation::parse(json).unwrap_err().why, Why::BadAnswer);
    }
}

#[test]
fn an_answer_that_does_not_say_whose_it_is_signs_nobody_in() {
    let mut house = House::new();
    let (_, mut phone, _) = house.staff(&[Role::Analyst]);
    let arrival = house.browser();
    let (options, _) = house.challenge(&arrival);
    let mut answer = phone.show_json(&options);
    for handle in [Value::Null, json!(""), json!("AAAA"), json!("A".repeat(86))] {
        answer["response"]["userHandle"] = handle;
        let answer = Assertion::parse(answer.to_string().as_bytes()).unwrap();
        assert_eq!(answer.whose().unwrap_err().why, Why::PasskeyUnknown);
    }
}

#[test]
fn a_passkey_is_set_up_once() {
    let mut house = House::new();
    let (account, invited) = house.invited(&[Role::Analyst]);
    let key = HandMade::new(&account);
    let account = register_by_hand(&mut house, account, &invited.session, &key);
    let mut key = key;
    let (account, signed_in) = house.sign_in(account, &mut key);
    let mut with = With { now: house.now, rules: &house.rules, random: &mut *house.random };
    let begun = house.site.begin_registration(&account, &signed_in.session, &house.key, &mut with).unwrap();
    let answer = key.register(&serde_json::to_value(&begun.options).unwrap());
    let change = house.finish_registration(account, &answer, &begun.sealed, &signed_in.session);
    let (account, _) = no(change);
    assert_eq!(account.passkeys().len(), 1);
}

#[test]
fn setting_up_is_finished_once() {
    let mut house = House::new();
    let (account, _, signed_in) = house.customer_with_passkey();
    let mut second = Phone::new();
    let (answer, sealed) = house.registration(&account, &signed_in.session, &mut second);
    let (account, _) = ok(house.finish_registration(account, &answer, &sealed, &signed_in.session));
    let id = account.passkeys()[1].id().as_slice().to_vec();
    let (account, ()) = ok(account.remove_passkey(&id, &signed_in.session, &mut house.with()));
    // What was removed does not come back by the same answer.
    let (account, why) = no(house.finish_registration(account, &answer, &sealed, &signed_in.session));
    assert_eq!((why, account.passkeys().len()), (Why::CeremonyUsed, 1));
}

#[test]
fn a_passkey_that_becomes_copyable_is_refused() {
    let mut house = House::new();
    let (account, invited) = house.invited(&[Role::Analyst]);
    let mut key = HandMade::new(&account);
    let account = register_by_hand(&mut house, account, &invited.session, &key);
    assert!(account.passkeys()[0].is_device_bound());
    key.flags |= MAY_BE_COPIED;
    let (account, why) = no(house.try_sign_in(account, &mut key));
    assert_eq!(why, Why::PasskeyChanged);
    key.flags = PRESENT | VERIFIED;
    house.sign_in(account, &mut key);
}

#[test]
fn keys_are_kept_only_with_a_passkey_that_cannot_leave_its_device() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.staff(&[Role::Admin]);
    assert_eq!(house.meets(&signed_in.session, Need::DeviceBound, &account), Err(Why::NeedDeviceBound));
    // It takes such a passkey to become one who keeps keys, and it cannot be removed again.
    let operator = house.operator();
    let (account, why) = no(account.make_custodian(&operator, house.now));
    assert_eq!(why, Why::NeedDeviceBound);
    let mut key = HandMade::new(&account);
    let account = register_by_hand(&mut house, account, &signed_in.session, &key);
    let (account, ()) = ok(account.make_custodian(&operator, house.now));
    let (account, with_key) = ok(house.step_up(account, &signed_in.session, &mut key));
    assert_eq!(house.meets(&with_key.session, Need::DeviceBound, &account), Ok(()));
    let change = account.remove_passkey(&key.id, &with_key.session, &mut house.with());
    let (account, why) = no(change);
    assert_eq!(why, Why::LastSecondFactor);
    // The other passkey still signs in, but not for keys.
    let (account, with_phone) = house.sign_in(account, &mut phone);
    assert_eq!(house.meets(&with_phone.session, Need::Fresh, &account), Ok(()));
    assert_eq!(house.meets(&with_phone.session, Need::DeviceBound, &account), Err(Why::NeedDeviceBound));
}

#[test]
fn a_new_passkey_needs_the_old_one_first() {
    let mut house = House::new();
    let (account, mut phone, signed_in) = house.customer_with_passkey();
    house.wait(10 * MINUTE);
    let mut with = With { now: house.now, rules: &house.rules, random: &mut *house.random };
    let stale = house.site.begin_registration(&account, &signed_in.session, &house.key, &mut with);
    assert_eq!(stale.unwrap_err().why, Why::NeedFreshFactor);
    let (account, fresh) = ok(house.step_up(account, &signed_in.session, &mut phone));
    house.register(account, &fresh.session, &mut Phone::new());
}

#[test]
fn a_passkey_of_a_locked_or_closed_account_does_not_sign_in() {
    let mut house = House::new();
    let (account, mut phone, _) = house.staff(&[Role::Analyst]);
    let operator = house.operator();
    let (locked, ()) = ok(account.clone().lock(&operator, OTHERS, house.now));
    assert_eq!(no(house.try_sign_in(locked, &mut phone)).1, Why::Locked);
    let (closed, ()) = ok(account.close(&operator, OTHERS, house.now));
    assert_eq!(*closed.state(), State::Closed);
    assert_eq!(no(house.try_sign_in(closed, &mut phone)).1, Why::PasskeyUnknown);
}

#[test]
fn the_site_is_an_origin_of_ours_over_tls() {
    assert!(Passkeys::new("localhost", "http://localhost:8080", "Trial").is_ok());
    for origin in ["http://chat.shop.example", "chat.shop.example", "", "https://127.0.0.1"] {
        assert!(Passkeys::new("shop.example", origin, "Shop").is_err(), "{origin}");
    }
    for site in ["other.example", "evilshop.example", "chat.shop.example.evil.test"] {
        assert_eq!(Passkeys::new(site, ORIGIN, "Shop").unwrap_err(), SiteError::Site, "{site}");
    }
}

fn register_by_hand(
    house: &mut House,
    account: chatward::identity::Account,
    session: &chatward::identity::Session,
    key: &HandMade,
) -> chatward::identity::Account {
    let mut with = With { now: house.now, rules: &house.rules, random: &mut *house.random };
    let begun = house.site.begin_registration(&account, session, &house.key, &mut with).unwrap();
    let answer = key.register(&serde_json::to_value(&begun.options).unwrap());
    ok(house.finish_registration(account, &answer, &begun.sealed, session)).0
}
