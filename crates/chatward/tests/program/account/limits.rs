//! What ends by itself: sessions, challenges, invitations, the freshness of a factor; and what begins to count.

use serde_json::json;

use super::super::harness::Bot;
use super::super::inside::Within;
use super::{SESSION, Visitor, refused, three};

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

fn customer(house: &Within) -> Visitor {
    Visitor::of(house.inside.public, false)
}

fn staff(house: &Within) -> Visitor {
    Visitor::of(house.inside.private, true)
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_end_without_use_and_however_much_they_are_used() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let mut ann = customer(&house);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    house.clock.wait(29 * MINUTE);
    assert!(ann.is_signed_in().await);
    house.clock.wait(31 * MINUTE);
    assert_eq!(refused(&ann.get("session").await), three(401, "sign-in-needed", "session-idle"));
    let away = ann.look("security").await;
    assert_eq!((away.status, away.header("location")), (303, "/account/sign-in"));
    assert!(!ann.cookies.contains_key(SESSION), "the cookie of a session that is over stays");

    assert_eq!(ann.sign_in(&mut phone).await.status, 200);
    for _ in 0..24 {
        house.clock.wait(29 * MINUTE);
        assert!(ann.is_signed_in().await);
    }
    house.clock.wait(29 * MINUTE);
    assert_eq!(refused(&ann.get("session").await), three(401, "sign-in-needed", "session-over"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_factor_is_fresh_for_ten_minutes_and_a_challenge_lives_for_five() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let mut ann = customer(&house);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.step_up(&mut phone).await;
    ann.make_codes().await;
    house.clock.wait(10 * MINUTE);
    let stale = ann.post("recovery-codes", json!({})).await;
    assert_eq!(refused(&stale), three(403, "second-factor-needed", "second-factor-stale"));
    assert_eq!(stale.json()["next"]["choices"], json!(["passkey", "recovery-code"]), "the best first");
    let page = ann.form("recovery-codes", &[]).await;
    assert_eq!((page.status, page.header("location")), (303, "/account/step-up"));
    assert_eq!(ann.step_up(&mut phone).await.status, 200);
    ann.make_codes().await;

    let mut late = customer(&house);
    let answered = late.answered(&mut phone).await;
    house.clock.wait(5 * MINUTE + 1);
    assert_eq!(
        refused(&late.post("sign-in/passkey", answered).await),
        three(401, "sign-in-failed", "ceremony-expired")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_set_up_after_a_recovery_counts_after_three_days() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let mut ann = customer(&house);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.step_up(&mut phone).await;
    let codes = ann.make_codes().await;
    let mut lost = customer(&house);
    let entered = lost.post("sign-in/recovery-code", json!({ "name": "ann", "code": codes[0] })).await;
    assert_eq!(entered.status, 200, "{}", entered.text());
    let mut new = lost.phone();
    assert_eq!(lost.add_passkey(&mut new).await.json()["counts"], "from");
    house.clock.wait(71 * HOUR);
    let mut early = customer(&house);
    assert_eq!(early.sign_in(&mut new).await.json()["fresh"], false);
    let page = early.look("step-up").await.text();
    assert!(page.contains("counts from:") && page.contains("<time"), "{page}");
    house.clock.wait(HOUR);
    let mut later = customer(&house);
    assert_eq!(later.sign_in(&mut new).await.json()["fresh"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_wrong_tries_are_followed_by_half_an_hour_in_which_only_a_passkey_signs_in() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let mut ann = customer(&house);
    ann.sign_up("ann").await;
    let mut phone = ann.phone();
    ann.add_passkey(&mut phone).await;
    ann.step_up(&mut phone).await;
    let codes = ann.make_codes().await;
    let mut thief = customer(&house);
    let wrong = json!({ "name": "ann", "code": "0000-0000-0000-0000" });
    let first = thief.post("sign-in/recovery-code", wrong.clone()).await.text();
    for _ in 0..10 {
        assert_eq!(thief.post("sign-in/recovery-code", wrong.clone()).await.text(), first);
    }
    let right = json!({ "name": "ann", "code": codes[0] });
    assert_eq!(
        thief.post("sign-in/recovery-code", right.clone()).await.text(),
        first,
        "it says that it waits"
    );
    let mut owner = customer(&house);
    assert_eq!(owner.sign_in(&mut phone).await.status, 200);
    house.clock.wait(31 * MINUTE);
    assert_eq!(thief.post("sign-in/recovery-code", right).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn invitations_and_sessions_of_staff_end_sooner() {
    let bot = Bot::new().await;
    let house = Within::new(&bot).await;
    let by = house.directory().operator().unwrap();
    let roles: std::collections::BTreeSet<_> = [chatward::identity::Role::Analyst].into();
    let (_, token) = house.directory().invite(&by, "robin", roles.clone()).await.unwrap();
    house.clock.wait(72 * HOUR + 1);
    let mut robin = staff(&house);
    assert_eq!(
        refused(&robin.post("invitation", json!({ "token": token.expose() })).await),
        three(404, "invitation-over", "invitation-expired")
    );
    let (_, token) = house.directory().invite(&by, "sam", roles).await.unwrap();
    let mut sam = staff(&house);
    assert_eq!(sam.post("invitation", json!({ "token": token.expose() })).await.status, 200);
    let mut phone = sam.phone();
    sam.add_passkey(&mut phone).await;
    sam.step_up(&mut phone).await;
    house.clock.wait(14 * MINUTE);
    assert_eq!(sam.look("security").await.status, 200);
    house.clock.wait(15 * MINUTE);
    let away = sam.look("security").await;
    assert_eq!((away.status, away.header("location")), (303, "/staff/sign-in"));
}
