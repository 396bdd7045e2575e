//! Bots that are slow, lie, break off or never end, and clients that leave.

use std::time::{Duration, Instant};

use http::Method;
use http_body_util::BodyExt as _;
use serde_json::Value;

use super::harness::{
    Act, Answer, Bot, Flow, Gateway, Home, Play, ask, ask_stream, delta, events, log_events, log_says, until,
};

const SSE: &str = "text/event-stream";
const CARD: &str = "5555 5555 5555 4444";

/// A gateway that does not wait long.
async fn impatient(home: &Home, bot: &Bot) -> Gateway {
    home.configure(&format!(
        "[upstreams.bot]\nurl = \"{}\"\nconnect_timeout = \"300ms\"\nfirst_byte_timeout = \"300ms\"\n\
         idle_timeout = \"300ms\"\nmax_reply_bytes = 50000\n",
        bot.url()
    ));
    home.start(&[]).await
}

/// The error in the last event of a stream.
fn last_error(answer: &Answer) -> Value {
    let events = events(&answer.body);
    assert!(!events.iter().any(|event| event == "[DONE]"), "{}", answer.text());
    events.last().unwrap()["error"].clone()
}

#[tokio::test]
async fn a_bot_that_fails_before_its_answer() {
    let (home, bot) = (Home::new(), Bot::new().await);
    bot.play("hang", Play::Wire(vec![Act::Hang]));
    bot.play("die", Play::Wire(vec![]));
    bot.play("half-head", Play::Wire(vec![Act::send("HTTP/1.1 200 OK\r\ncontent-ty"), Act::Hang]));
    bot.play("rubbish", Play::Wire(vec![Act::send("SSH-2.0-OpenSSH_9.9\r\n\r\n")]));
    bot.play("page", Play::Wire(vec![Act::head("200 OK", "text/html"), Act::send("<html>{}</html>")]));
    bot.play(
        "no-json",
        Play::Wire(vec![Act::head("200 OK", "application/json"), Act::send("{\"choices\": [")]),
    );
    let packed = Act::send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}",
    );
    bot.play("packed", Play::Wire(vec![packed]));
    bot.play(
        "body-hangs",
        Play::Wire(vec![Act::head("200 OK", "application/json"), Act::send("{\"choices\": ["), Act::Hang]),
    );
    bot.play(
        "endless",
        Play::Wire(vec![Act::head("200 OK", "application/json"), Act::Endless(" ".repeat(4096))]),
    );
    bot.play(
        "long",
        Play::Wire(vec![
            Act::send(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99999999\r\n\r\n",
            ),
            Act::Hang,
        ]),
    );
    bot.play("page-503", Play::Wire(vec![Act::head("503 No", "text/html"), Act::send("<html>")]));
    let cut = Act::send(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{\"choices\":",
    );
    bot.play("cut", Play::Wire(vec![cut]));
    let gateway = impatient(&home, &bot).await;
    for (model, status, code) in [
        ("hang", 504, "upstream-timeout"),
        ("die", 502, "upstream-cut"),
        ("half-head", 504, "upstream-timeout"),
        ("rubbish", 502, "upstream-bad-reply"),
        ("page", 502, "upstream-bad-reply"),
        ("no-json", 502, "upstream-bad-reply"),
        ("packed", 502, "upstream-bad-reply"),
        ("body-hangs", 504, "upstream-timeout"),
        ("endless", 502, "upstream-reply-too-large"),
        ("long", 502, "upstream-reply-too-large"),
        ("page-503", 503, "upstream_error"),
        ("cut", 502, "upstream-cut"),
    ] {
        for body in [ask(model, "hello"), ask_stream(model, "hello")] {
            let answer = gateway.chat("sk", &[], &body).await;
            assert_eq!((answer.status, answer.code().as_str()), (status, code), "{model}: {}", answer.text());
            assert!(answer.json()["error"]["message"].is_string(), "{}", answer.text());
            let event = log_says(&gateway, &answer.turn(), "turn-failed").await;
            assert!(event["facts"]["reason"].is_string() || event["reason"].is_string(), "{event}");
        }
    }
    // The next one is served as if nothing had been.
    assert_eq!(gateway.chat("sk", &[], &ask("echo", "fine")).await.content(), "fine");
}

#[tokio::test]
async fn a_bot_that_fails_in_the_middle_of_its_stream() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let begin = |more: Vec<Act>| {
        let mut acts = vec![Act::head("200 OK", SSE), Act::says("One [EMAIL_1], "), Act::says("two ")];
        acts.extend(more);
        Play::Wire(acts)
    };
    let error = "data: {\"error\":{\"message\":\"fell over [EMAIL_1]\",\"type\":\"server_error\",\"param\":null,\"code\":\"oops\"}}\n\n";
    bot.play("error", begin(vec![Act::send(error)]));
    bot.play("die", begin(vec![]));
    bot.play("hang", begin(vec![Act::Hang]));
    bot.play("rubbish", begin(vec![Act::send("data: {\"choices\": [}\n\n")]));
    bot.play("endless-line", begin(vec![Act::send("data: "), Act::Endless("x".repeat(4096))]));
    bot.play("endless", begin(vec![Act::Endless(": nothing\n\n".repeat(400))]));
    let gateway = impatient(&home, &bot).await;
    for (model, code) in [
        ("error", "oops"),
        ("die", "upstream-cut"),
        ("hang", "upstream-timeout"),
        ("rubbish", "upstream-bad-reply"),
        ("endless", "upstream-reply-too-large"),
    ] {
        let answer = gateway.chat("sk", &[], &ask_stream(model, "I am ann@mail.example")).await;
        assert_eq!(answer.status, 200);
        assert!(answer.content().starts_with("One ann@mail.example, two"), "{model}: {}", answer.text());
        let error = last_error(&answer);
        assert_eq!(error["code"], code, "{model}: {}", answer.text());
        if model == "error" {
            assert_eq!(error["message"], "fell over ann@mail.example");
        }
        log_says(&gateway, &answer.turn(), "turn-failed").await;
    }
    let endless = gateway.chat("sk", &[], &ask_stream("endless-line", "I am ann@mail.example")).await;
    assert!(last_error(&endless)["code"].as_str().unwrap().starts_with("upstream-"), "{}", endless.text());
}

#[tokio::test]
async fn what_a_bot_leaks_is_masked_wherever_it_is_cut() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let said = format!("Your card {CARD} with the cvv 737 is [EMAIL_1]'s, thanks.");
    let mut wholes = Vec::new();
    for size in 1..=12 {
        bot.play("leak", Play::Say(said.clone(), size));
        let answer = gateway.chat("sk", &[], &ask_stream("leak", "I am ann@mail.example. Which card?")).await;
        let content = answer.content();
        assert!(!answer.text().contains("5555 5555") && !content.contains("737"), "{content}");
        assert!(content.contains("4444") && content.contains("ann@mail.example's"), "{content}");
        wholes.push(content);
    }
    bot.play("leak", Play::Say(said, 1000));
    wholes.push(gateway.chat("sk", &[], &ask("leak", "I am ann@mail.example. Which card?")).await.content());
    wholes.dedup();
    assert_eq!(wholes.len(), 1, "the cutting shows: {wholes:?}");
}

/// The text of the first choice that has come so far.
fn said(flow: &Flow) -> String {
    events(&flow.seen).iter().map(delta).collect()
}

#[tokio::test]
async fn a_bot_that_pauses_keeps_no_words_from_the_customer_and_no_values_slip_out() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let begin = |said: &str| vec![Act::head("200 OK", SSE), Act::says("Let me see. "), Act::says(said)];
    let with = |said: &str, then: Vec<Act>| Play::Wire([begin(said), then].concat());
    bot.play("word", with("One mome", vec![Act::Hang]));
    bot.play(
        "placeholder",
        with("Dear [EMA", vec![Act::Rest(Duration::from_millis(600)), Act::says("IL_1], hello"), done()]),
    );
    // Each pause is longer than anything is held that need not be.
    let rest = || Act::Rest(Duration::from_millis(300));
    let card = vec![
        rest(),
        Act::says(" 5555 55"),
        rest(),
        Act::says("55 4444"),
        rest(),
        Act::says(" is yours."),
        done(),
    ];
    bot.play("card", with("Your card 5555", card));
    // A word may begin one of these, which would be removed: here they are shown.
    let pass = ["password", "upi_id", "url_credentials"].map(|kind| {
        let row = |to: &str| format!("[[handling]]\nkind = \"{kind}\"\nto = \"{to}\"\noperator = \"pass\"\n");
        row("customer") + &row("kept")
    });
    home.configure(&format!("[detection]\nhold_back_time = \"100ms\"\n{}", pass.concat()));
    let gateway = home.serve(&bot).await;
    let ask = ask_stream;

    // The word that was begun may be the beginning of an e-mail address, which would be shown.
    let begun = Instant::now();
    let mut flow = gateway.open("/v1/chat/completions", &[], &ask("word", "hi")).await;
    flow.read_until("mome").await;
    assert!(begun.elapsed() >= Duration::from_millis(100), "there was nothing to wait for");
    assert_eq!(said(&flow), "Let me see. One mome");
    drop(flow);

    // Half a placeholder is not shown; it is restored when it is whole.
    let mut flow =
        gateway.open("/v1/chat/completions", &[], &ask("placeholder", "I am ann@mail.example")).await;
    flow.read_until("hello").await;
    assert!(!String::from_utf8_lossy(&flow.seen).contains("EMA"));
    assert_eq!(said(&flow), "Let me see. Dear ann@mail.example, hello");

    // A value that comes with pauses is the same as one that comes at once.
    let paused = gateway.chat("sk", &[], &ask("card", "which card?")).await;
    assert!(!paused.text().contains("55 55"), "{}", paused.text());
    assert_eq!(paused.content(), "Let me see. Your card **** **** **** 4444 is yours.");
}

/// The end of a stream.
fn done() -> Act {
    Act::send("data: [DONE]\n\n")
}

#[tokio::test]
async fn a_client_that_leaves_takes_the_bot_along() {
    let (home, bot) = (Home::new(), Bot::new().await);
    bot.play(
        "stream",
        Play::Wire(vec![Act::head("200 OK", SSE), Act::says("Hello there, "), Act::says("you "), Act::Hang]),
    );
    bot.play("silent", Play::Wire(vec![Act::Hang]));
    bot.play(
        "slow-body",
        Play::Wire(vec![Act::head("200 OK", "application/json"), Act::send("{\"id\":"), Act::Hang]),
    );
    for model in ["stream", "silent", "slow-body"] {
        let gateway = home.serve(&bot).await;
        let asked = bot.seen().len();
        let headers = [("authorization", "Bearer sk")];
        let began;
        if model == "stream" {
            let mut flow = gateway.open("/v1/chat/completions", &headers, &ask_stream(model, "hi")).await;
            flow.read_until("Hello").await;
            began = Instant::now();
            drop(flow);
        } else {
            let body = ask(model, "hi").to_string();
            let mut pending = Box::pin(gateway.send(Method::POST, "/v1/chat/completions", &headers, body));
            tokio::select! { _ = &mut pending => panic!("answered"), () = bot.came(asked + 1) => {} }
            if model == "slow-body" {
                // Whether the head has arrived at the gateway nobody outside can see.
                let _ = tokio::time::timeout(Duration::from_millis(200), &mut pending).await;
            }
            drop(pending);
            began = Instant::now();
        }
        let waited = bot.left().await.saturating_duration_since(began);
        assert!(waited < Duration::from_millis(200), "{model}: the bot was left only after {waited:?}");
        bot.forget_leaving();
        assert_eq!(gateway.stop().await, 0);
        // No turn is left half-made: no start had to close one.
        let events = log_events(&home.data());
        let last = |action: &str| events.iter().filter(|event| event["action"] == action).count();
        assert_eq!(last("turn-opened"), last("turn-abandoned"), "{model}: {events:#?}");
        let reason = events.iter().find(|event| event["action"] == "turn-abandoned").unwrap();
        assert!(reason.to_string().contains("client-gone"), "{reason}");
    }
}

#[tokio::test]
async fn clients_that_leave_at_once_leave_no_turn_open() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let body = ask("echo", "mail ann@mail.example").to_string();
    let headers = [("authorization", "Bearer sk"), ("chatward-conversation", "c")];
    // Left after ever more of a millisecond: while reading, while writing down, while asking, while answering.
    for step in 0..80 {
        let pending = gateway.send(Method::POST, "/v1/chat/completions", &headers, body.clone());
        let _ = tokio::time::timeout(Duration::from_micros(250 * step), pending).await;
    }
    let answer = gateway
        .chat("sk", &[("chatward-conversation", "c")], &ask("echo", "[EMAIL_1] ann@mail.example"))
        .await;
    assert_eq!(answer.content(), "[EMAIL_1] ann@mail.example");
    gateway.stop().await;
    let events = log_events(&home.data());
    let of = |action: &str| events.iter().filter(|event| event["action"] == action).count();
    assert!(of("turn-opened") > 1, "{events:#?}");
    assert_eq!(of("turn-opened"), of("turn-closed") + of("turn-abandoned") + of("turn-failed"));
    // What is written down is enough for the next start.
    let gateway = home.serve(&bot).await;
    let answer =
        gateway.chat("sk", &[("chatward-conversation", "c")], &ask("echo", "ann@mail.example")).await;
    assert_eq!((answer.content().as_str(), bot.last().asked().as_str()), ("ann@mail.example", "[EMAIL_1]"));
}

#[tokio::test]
async fn a_stream_shows_its_first_words_before_its_end() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let acts = vec![
        Act::head("200 OK", SSE),
        Act::says("Good morning, dear customer. "),
        Act::says("How"),
        Act::Hang,
    ];
    bot.play("slow", Play::Wire(acts));
    let gateway = home.serve(&bot).await;
    let mut flow = gateway.open("/v1/chat/completions", &[], &ask_stream("slow", "hi")).await;
    flow.read_until("Good morning").await;
    let turn = flow.turn();
    // A stop lets go of nobody at once, but a second client can still be served meanwhile.
    assert_eq!(gateway.chat("sk", &[], &ask("echo", "still here")).await.content(), "still here");
    drop(flow.response.into_body().boxed());
    let event = log_says(&gateway, &turn, "turn-abandoned").await;
    assert!(event.to_string().contains("client-gone"), "{event}");
    until("the turn to be gone from the open ones", async || {
        gateway.metric("chatward_turns_open").await == 0.0
    })
    .await;
}
