//! Guessing: passwords, codes, and how often somebody may be wrong.

use std::cell::Cell;
use std::io::Cursor;

use chatward::caller::NoRandom;
use chatward::identity::choices::{self, Audience, Choice};
use chatward::identity::password::{self, Argon2id, BreachList, Cost, HashList, Hasher, ShippedList};
use chatward::identity::secret::Secret;
use chatward::identity::tries::Standing;
use chatward::identity::{Account, Next, Role, Rules, Settings, Why};
use chatward_message::{Action, UnixMillis};
use proptest::prelude::*;

use crate::codes::{
    PASSWORD, sign_in_with_password, staff_with_password_and_app, step_up_with_any_code, wrong_code,
};
use crate::common::*;

/// A hash that costs nothing, and counts how often it was asked for.
#[derive(Default)]
struct Counting(Cell<u32>);

impl Hasher for Counting {
    fn hash(&self, password: &[u8], salt: &[u8; 16], _: Cost) -> Result<Secret<32>, NoRandom> {
        self.0.set(self.0.get() + 1);
        let hash = keyed(&"a".parse().unwrap(), "x", &[password, salt]);
        let mut wide = [0; 32];
        wide[..16].copy_from_slice(&hash);
        Ok(Secret::copy_of(&wide))
    }
}

fn guess(house: &mut House, account: Account, typed: &str) -> (Account, Result<(), Why>) {
    let checked = password::check(Some(&account), typed, &Counting::default()).unwrap();
    let arrival = house.browser();
    let change = account.sign_in_with_password(checked, &arrival, &mut house.with());
    (change.account, change.outcome.map(|_| ()).map_err(|no| no.why))
}

/// Somebody with a cheaply hashed password and a passkey.
fn cheap(house: &mut House) -> (Account, Phone) {
    let (account, phone, signed_in) = house.staff(&[Role::Analyst]);
    let hasher = Counting::default();
    let change =
        account.set_password(PASSWORD, &signed_in.session, &hasher, &mut ShippedList, &mut house.with());
    (ok(change).0, phone)
}

#[test]
fn a_password_is_a_first_factor_and_opens_nothing_alone() {
    let mut house = House::new();
    let (account, _) = cheap(&mut house);
    let checked = password::check(Some(&account), PASSWORD, &Counting::default()).unwrap();
    let arrival = house.browser();
    let (account, first) = ok(account.sign_in_with_password(checked, &arrival, &mut house.with()));
    let pages = house.meets(&first.session, chatward::identity::Need::Pages, &account);
    assert_eq!(pages, Err(Why::NeedSecondFactor));
}

#[test]
fn ten_failures_in_a_row_are_followed_by_half_an_hour_of_nothing() {
    let mut house = House::new();
    let (mut account, _) = cheap(&mut house);
    let mut paused = Vec::new();
    for _ in 0..10 {
        let checked = password::check(Some(&account), "wrong", &Counting::default()).unwrap();
        let arrival = house.browser();
        let change = account.sign_in_with_password(checked, &arrival, &mut house.with());
        paused = actions(&change.events);
        account = no(change).0;
    }
    assert_eq!(paused, [Action::SignInFailed, Action::TriesPaused]);
    let end = UnixMillis(house.now.0 + 30 * MINUTE);
    assert_eq!(account.tries().standing(house.now), Standing::Paused(end));
    // Even with the right one, and the refusal says what works meanwhile.
    let checked = password::check(Some(&account), PASSWORD, &Counting::default()).unwrap();
    let arrival = house.browser();
    let refused =
        account.clone().sign_in_with_password(checked, &arrival, &mut house.with()).outcome.unwrap_err();
    assert_eq!(refused.next, Next::Wait { until: end, meanwhile: vec![Choice::Passkey] });
    house.wait(30 * MINUTE - 1);
    assert_eq!(guess(&mut house, account.clone(), PASSWORD).1, Err(Why::Paused));
    house.wait(1);
    assert_eq!(guess(&mut house, account, PASSWORD).1, Ok(()));
}

#[test]
fn after_a_hundred_failures_nothing_that_can_be_guessed_signs_in() {
    let mut house = House::new();
    let (mut account, mut phone) = cheap(&mut house);
    let mut tried = 0;
    for _ in 0..300 {
        let result;
        (account, result) = guess(&mut house, account, "wrong");
        match result {
            Err(Why::Paused) => house.wait(30 * MINUTE),
            Err(Why::WrongPassword) => tried += 1,
            other => assert_eq!(other, Err(Why::TriesUsedUp)),
        }
    }
    assert_eq!((tried, account.tries().in_all()), (100, 100));
    assert_eq!(guess(&mut house, account.clone(), PASSWORD).1, Err(Why::TriesUsedUp));
    house.wait(1000 * HOUR);
    assert_eq!(guess(&mut house, account.clone(), PASSWORD).1, Err(Why::TriesUsedUp));
    // The owner is not locked out by a stranger: the passkey signs in, and a new password starts anew.
    let (account, signed_in) = house.sign_in(account, &mut phone);
    assert_eq!(choices::to_sign_in(&account, &house.rules, house.now), [Choice::Passkey]);
    let hasher = Counting::default();
    let change = account.set_password(
        "another horse battery",
        &signed_in.session,
        &hasher,
        &mut ShippedList,
        &mut house.with(),
    );
    let (account, ()) = ok(change);
    assert_eq!(guess(&mut house, account, "another horse battery").1, Ok(()));
}

#[test]
fn an_administrator_lets_somebody_try_again() {
    let mut house = House::new();
    let (mut account, _) = cheap(&mut house);
    for _ in 0..10 {
        (account, _) = guess(&mut house, account, "wrong");
    }
    let operator = house.operator();
    let (account, ()) = ok(account.unlock(&operator, house.now));
    assert_eq!(guess(&mut house, account, PASSWORD).1, Ok(()));
}

#[test]
fn who_knows_the_password_has_no_more_guesses_at_the_code_for_it() {
    let mut house = House::new();
    let (mut account, _) = staff_with_password_and_app(&mut house);
    let mut tried = 0;
    for _ in 0..120 {
        let arrival = house.browser();
        let change = sign_in_with_password(&mut house, account, PASSWORD, &arrival);
        account = change.account;
        match change.outcome {
            Ok(first) => {
                let code = wrong_code(&house);
                let change = account.step_up_with_app(&code, &first.session, &mut house.with());
                account = no(change).0;
                tried += 1;
            }
            Err(refused) if refused.why == Why::Paused => house.wait(30 * MINUTE),
            Err(refused) => assert_eq!(refused.why, Why::TriesUsedUp),
        }
        if tried == 12 {
            break;
        }
    }
    // The pause came although the password was right each time.
    assert_eq!((tried, account.tries().in_all()), (12, 12));
}

#[test]
fn a_whole_sign_in_forgives_only_what_it_was_made_with() {
    let mut house = House::new();
    let (account, _) = staff_with_password_and_app(&mut house);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code("wrong", &arrival, keyed, &mut house.with());
    let (account, _) = no(change);
    let (account, _) = no(sign_in_with_password(&mut house, account, "wrong", &arrival));
    assert_eq!(account.tries().in_all(), 2);
    let (account, first) = ok(sign_in_with_password(&mut house, account, PASSWORD, &arrival));
    assert_eq!(account.tries().in_all(), 2);
    let (account, _) = step_up_with_any_code(&mut house, account, &first.session);
    assert_eq!(account.tries().in_all(), 1);
}

#[test]
fn a_recovery_code_alone_forgives_staff_nothing() {
    let mut house = House::new();
    let (account, codes) = staff_with_password_and_app(&mut house);
    let arrival = house.browser();
    let change = account.sign_in_with_recovery_code("wrong", &arrival, keyed, &mut house.with());
    let (account, _) = no(change);
    let change = account.sign_in_with_recovery_code(&codes[0], &arrival, keyed, &mut house.with());
    let (account, recovered) = ok(change);
    assert_eq!(account.tries().in_all(), 1);
    let (account, _) = step_up_with_any_code(&mut house, account, &recovered.session);
    assert_eq!(account.tries().in_all(), 0);
}

#[test]
fn a_wrong_code_counts_and_a_right_one_does_not_undo_a_pause() {
    let mut house = House::new();
    let (account, first) = house.customer_from_host();
    let (mut account, codes) = house.app(account, &first.session);
    house.wait(STEP);
    for _ in 0..10 {
        let change = account.step_up_with_app(&codes.wrong(house.now), &first.session, &mut house.with());
        account = no(change).0;
    }
    let code = codes.at(house.now);
    let refused = account.step_up_with_app(&code, &first.session, &mut house.with()).outcome.unwrap_err();
    assert_eq!(refused.why, Why::Paused);
}

#[test]
fn known_and_unknown_names_cost_one_argon2_each() {
    let mut house = House::new();
    let (known, _) = cheap(&mut house);
    let (without, ..) = house.staff(&[Role::Analyst]);
    let mut paused = known.clone();
    for _ in 0..10 {
        (paused, _) = guess(&mut house, paused, "wrong");
    }
    let operator = house.operator();
    let (locked, ()) = ok(known.clone().lock(&operator, OTHERS, house.now));
    for account in [Some(&known), Some(&without), Some(&paused), Some(&locked), None] {
        for typed in [PASSWORD, "wrong", ""] {
            let hasher = Counting::default();
            let checked = password::check(account, typed, &hasher).unwrap();
            let arrival = house.browser();
            match account.cloned() {
                Some(account) => drop(account.sign_in_with_password(checked, &arrival, &mut house.with())),
                None => drop(password::unknown_name(checked, &house.rules)),
            }
            assert_eq!(hasher.0.get(), 1);
        }
    }
}

#[test]
fn nobody_learns_whether_a_name_is_known() {
    let mut house = House::new();
    let (known, _) = cheap(&mut house);
    let (without, ..) = house.staff(&[Role::Analyst]);
    let mut paused = known.clone();
    for _ in 0..10 {
        (paused, _) = guess(&mut house, paused, "wrong");
    }
    let operator = house.operator();
    let (locked, ()) = ok(known.clone().lock(&operator, OTHERS, house.now));
    let anyone = choices::for_anyone(Audience::Staff, &house.rules);
    let hasher = Counting::default();
    let unknown = password::unknown_name(password::check(None, "wrong", &hasher).unwrap(), &house.rules);
    let told = unknown.outward(&anyone);
    assert_eq!(told.0, "sign-in-failed");
    for account in [known, without, paused, locked] {
        let checked = password::check(Some(&account), "wrong", &hasher).unwrap();
        let arrival = house.browser();
        let change = account.sign_in_with_password(checked, &arrival, &mut house.with());
        assert_eq!(change.outcome.unwrap_err().outward(&anyone), told);
    }
    assert_eq!(chatward::identity::recovery::unknown_name().outward(&anyone), told);
}

#[test]
fn a_password_that_was_changed_meanwhile_does_not_sign_in() {
    let mut house = House::new();
    let (account, mut phone) = cheap(&mut house);
    let checked = password::check(Some(&account), PASSWORD, &Counting::default()).unwrap();
    let (account, signed_in) = house.sign_in(account, &mut phone);
    let change = account.set_password(
        "another horse battery",
        &signed_in.session,
        &Counting::default(),
        &mut ShippedList,
        &mut house.with(),
    );
    let (account, ()) = ok(change);
    let arrival = house.browser();
    let change = account.sign_in_with_password(checked, &arrival, &mut house.with());
    assert_eq!(no(change).1, Why::WrongPassword);
}

#[test]
fn where_passwords_are_off_none_signs_in() {
    let mut house = House::new();
    let (account, _) = cheap(&mut house);
    house.rules = Rules::new(&Settings::default()).unwrap();
    assert_eq!(guess(&mut house, account, PASSWORD).1, Err(Why::PasswordsOff));
}

#[test]
fn a_password_is_long_nobodys_name_and_in_no_list() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let hasher = Counting::default();
    let mut take = |typed: &str| {
        let account = account.clone();
        let change =
            account.set_password(typed, &signed_in.session, &hasher, &mut ShippedList, &mut house.with());
        change.outcome.map_err(|no| no.why)
    };
    assert_eq!(take("short1234!A"), Err(Why::PasswordShort));
    assert_eq!(take(&"x".repeat(257)), Err(Why::PasswordLong));
    assert_eq!(take("qwerty123456"), Err(Why::PasswordBreached));
    assert_eq!(take("QWERTY123456"), Err(Why::PasswordBreached));
    assert_eq!(take("my name is Robin"), Err(Why::PasswordName));
    assert_eq!(take("chatward is nice"), Err(Why::PasswordName));
    // No composition rules, any characters, spaces too; and one letter is one character.
    assert_eq!(take("aaaa aaaa aaaa"), Ok(()));
    assert_eq!(take("ééééééééééé"), Err(Why::PasswordShort));
    assert_eq!(take("éééééééééééé"), Ok(()));
}

#[test]
fn a_password_is_the_same_however_its_letters_are_composed() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let change = account.set_password(
        "caf\u{e9} au lait, s'il te pla\u{ee}t",
        &signed_in.session,
        &Counting::default(),
        &mut ShippedList,
        &mut house.with(),
    );
    let (account, ()) = ok(change);
    assert_eq!(guess(&mut house, account, "cafe\u{301} au lait, s'il te plai\u{302}t").1, Ok(()));
}

#[test]
fn argon2id_is_the_real_one_at_its_stated_cost() {
    // The library has the vectors of RFC 9106 among its own tests; here: the cost, and that all of it counts.
    assert_eq!(Cost::NOW, Cost { memory: 19_456, passes: 2, lanes: 1 });
    let hash =
        |password: &str, salt, cost| *Argon2id.hash(password.as_bytes(), &salt, cost).unwrap().expose();
    let small = Cost { memory: 64, passes: 1, lanes: 1 };
    let all = [
        hash("a", [0; 16], small),
        hash("b", [0; 16], small),
        hash("a", [1; 16], small),
        hash("a", [0; 16], Cost { passes: 2, ..small }),
        hash("a", [0; 16], Cost { memory: 128, ..small }),
    ];
    let unlike: std::collections::HashSet<_> = all.iter().collect();
    assert_eq!(unlike.len(), all.len());
}

/// SHA-1 of "hunter2hunter2".
const HUNTER: &str = "hunter2hunter2";

fn sha1(text: &str) -> String {
    let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    hash.as_ref().iter().map(|b| format!("{b:02X}")).collect()
}

#[test]
fn an_operators_list_is_searched_where_it_lies() {
    let mut house = House::new();
    let (account, _, signed_in) = house.staff(&[Role::Analyst]);
    let mut lines: Vec<String> = (0..1000).map(|n| format!("{}:{n}", sha1(&n.to_string()))).collect();
    lines.push(format!("{}:17", sha1(HUNTER)));
    lines.sort();
    let mut list = HashList::new(Cursor::new(lines.join("\r\n"))).unwrap();
    let change =
        account.set_password(HUNTER, &signed_in.session, &Counting::default(), &mut list, &mut house.with());
    let (account, why) = no(change);
    assert_eq!(why, Why::PasswordBreached);
    // A list that is none refuses every password: it might hold this one.
    let mut broken = HashList::new(Cursor::new("not a list\n".repeat(9))).unwrap();
    let change = account.set_password(
        PASSWORD,
        &signed_in.session,
        &Counting::default(),
        &mut broken,
        &mut house.with(),
    );
    assert_eq!(no(change).1, Why::Unavailable);
}

proptest! {
    /// Every line is found, nothing else is, whatever the lengths of the lines and the end of the file.
    #[test]
    fn a_list_holds_what_it_holds(
        inside in proptest::collection::btree_map(0u32..5000, 0u64..10_000_000_000, 0..60),
        counts: bool, windows: bool, end: bool, asked in proptest::collection::vec(0u32..5000, 20),
    ) {
        let mut lines: Vec<String> = inside
            .iter()
            .map(|(n, count)| if counts { format!("{}:{count}", sha1(&n.to_string())) } else { sha1(&n.to_string()) })
            .collect();
        lines.sort();
        let line_end = if windows { "\r\n" } else { "\n" };
        let mut text = lines.join(line_end);
        if end && !text.is_empty() {
            text.push_str(line_end);
        }
        let mut list = HashList::new(Cursor::new(text)).unwrap();
        for n in inside.keys().chain(&asked) {
            prop_assert_eq!(list.knows(&n.to_string()).unwrap(), inside.contains_key(n));
        }
    }
}
