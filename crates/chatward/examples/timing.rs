//! Whether the time that a refusal takes tells anything: `cargo run --release -p chatward --example timing`.
//!
//! Two classes of inputs in random order, each run timed by the processor's counter; Welch's t over both (the method of
//! Reparaz, Balasch, Verbauwhede, "Dude, is my code constant time?", 2016). An absolute value of 4.5 and more means that
//! the classes can be told apart. Runs beyond the 95th percentile of all are left out: they are those in which the machine
//! did something else.
//!
//! Then the time that a password takes with the name of somebody and of nobody, in turns: the median of each.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a program to be looked at, not a part of ours"
)]

use std::hint::black_box;

use chatward::identity::password::{self, Argon2id, ShippedList};
use chatward::identity::session::Arrival;
use chatward::identity::{Account, Role};
use common::{House, keyed, ok, random_bytes};
use quanta::Clock;

#[path = "../tests/identity/common.rs"]
#[allow(dead_code, unused_imports, reason = "the house of the identity tests, with people and devices")]
mod common;

const RUNS: usize = 100_000;
const SIGN_INS: usize = 1_000;
const PASSWORD: &str = "correct horse battery";

fn main() {
    let clock = Clock::new();
    let mut house = House::new();
    let (account, _phone, signed_in) = house.staff(&[Role::Analyst]);
    let (account, codes) = house.recovery(account, &signed_in.session);
    recovery_codes(&clock, &mut house, &account, &codes);
    let change =
        account.set_password(PASSWORD, &signed_in.session, &Argon2id, &mut ShippedList, &mut house.with());
    passwords(&clock, &ok(change).0);
}

/// Wrong recovery codes that differ in how wrong they are.
fn recovery_codes(clock: &Clock, house: &mut House, account: &Account, codes: &[String]) {
    println!("wrong recovery codes, {RUNS} runs of each pair in random order, processor cycles:");
    let arrival = house.browser();
    let (first, last) = (nearly(codes.first().unwrap()), nearly(codes.last().unwrap()));
    let none = "0000-0000-0000-0000".to_owned();
    let pairs = [
        ("all letters but one right / hardly any", [&first, &none]),
        ("nearly the first of ten / nearly the last", [&first, &last]),
    ];
    for (what, pair) in pairs {
        let mut times = Vec::with_capacity(RUNS);
        for class in coins(RUNS) {
            let code = pair[usize::from(class)];
            times.push((class, cycles(clock, || tried(house, account, code, &arrival))));
        }
        let (t, means) = welch(times);
        println!("  {what}: means {:.0} and {:.0}, t = {t:.2} (told apart from 4.5)", means[0], means[1]);
    }
}

fn tried(house: &mut House, account: &Account, code: &str, arrival: &Arrival) {
    let change = account.clone().sign_in_with_recovery_code(code, arrival, keyed, &mut house.with());
    assert!(black_box(change).outcome.is_err(), "a wrong code");
}

/// A wrong password for a name that somebody has, and for one that nobody has.
fn passwords(clock: &Clock, account: &Account) {
    let mut times = [Vec::new(), Vec::new()];
    for run in 0..2 * SIGN_INS {
        let known = run % 2 == 0;
        let whose = known.then_some(account);
        let took = cycles(clock, || {
            let checked = password::check(whose, "not the right password", &Argon2id);
            assert!(black_box(checked).is_ok(), "a hash");
        });
        times[usize::from(known)].push(took);
    }
    let [unknown, known] = times.map(median);
    println!(
        "a wrong password, {SIGN_INS} of each in turns: median {known} cycles for a known name, {unknown} for an unknown \
         one, {:+.2} %",
        (unknown as f64 / known as f64 - 1.0) * 100.0
    );
}

/// The code with another last letter.
fn nearly(code: &str) -> String {
    let mut code = code.to_owned();
    let end = if code.pop() == Some('0') { '1' } else { '0' };
    code.push(end);
    code
}

fn cycles(clock: &Clock, work: impl FnOnce()) -> u64 {
    let before = clock.raw();
    work();
    clock.raw() - before
}

fn coins(n: usize) -> Vec<bool> {
    let mut all = Vec::with_capacity(2 * n);
    while all.len() < 2 * n {
        let bytes: [u8; 32] = random_bytes();
        all.extend(bytes.iter().flat_map(|byte| (0..8).map(move |bit| byte >> bit & 1 == 1)));
    }
    all.truncate(2 * n);
    all
}

/// Welch's t of the two classes, and their means.
fn welch(mut times: Vec<(bool, u64)>) -> (f64, [f64; 2]) {
    let mut all: Vec<u64> = times.iter().map(|(_, time)| *time).collect();
    all.sort_unstable();
    let most = all[all.len() * 95 / 100];
    times.retain(|(_, time)| *time <= most);
    let of = |class: bool| {
        let times: Vec<f64> =
            times.iter().filter(|(c, _)| *c == class).map(|(_, time)| *time as f64).collect();
        let n = times.len() as f64;
        let mean = times.iter().sum::<f64>() / n;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / (n - 1.0);
        (mean, variance / n)
    };
    let ((one, a), (other, b)) = (of(false), of(true));
    ((one - other) / (a + b).sqrt(), [one, other])
}

fn median(mut times: Vec<u64>) -> u64 {
    times.sort_unstable();
    times[times.len() / 2]
}
