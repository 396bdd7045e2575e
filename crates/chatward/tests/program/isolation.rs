//! Whose conversation: ids count only inside their caller, and a placeholder only inside its conversation.

use serde_json::{Value, json};

use super::harness::{Answer, Bot, Gateway, Home, Play, ask, ask_stream, new_caller};

const CARD: &str = "4111 1111 1111 1111";
const MAIL: &str = "ann.jones@mail.example";

/// Says something in a conversation, alone, without repeating what was said before.
async fn say(gateway: &Gateway, key: &str, conversation: &str, text: &str) -> Answer {
    gateway.chat(key, &[("chatward-conversation", conversation)], &ask("echo", text)).await
}

#[tokio::test]
async fn the_same_name_from_two_callers_is_two_conversations() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let said = format!("card {CARD}, mail {MAIL}");
    let first = say(&gateway, "sk-ann", "c1", &said).await;
    assert_eq!(first.content(), said);
    assert_eq!(bot.last().asked(), "card [CARD_1 ending 1111], mail [EMAIL_1]");

    // Another caller under the same name types what it guesses of the first one's placeholders.
    for typed in ["[EMAIL_1]", "[CARD_1 ending 1111]", "[card_1]", "**EMAIL_1**", "[EMAIL_1] and [CARD_1]"] {
        let other = say(&gateway, "sk-ben", "c1", typed).await;
        assert_eq!(other.content(), typed);
        assert!(!other.text().contains("ann.jones") && !other.text().contains("4111"), "{}", other.text());
    }
    // Its own value is the first of its kind, so the two tables are not one.
    let own = say(&gateway, "sk-ben", "c1", "mail ben@mail.example").await;
    assert_eq!(
        (own.content().as_str(), bot.last().asked().as_str()),
        ("mail ben@mail.example", "mail [EMAIL_1]")
    );
    // And the first one's is still its own.
    bot.play("remind", Play::Say("I write to [EMAIL_1].".into(), 4));
    let named = [("chatward-conversation", "c1")];
    let again = gateway.chat("sk-ann", &named, &ask("remind", "Where to?")).await;
    assert_eq!(again.content(), format!("I write to {MAIL}."));
    let again = gateway.chat("sk-ben", &named, &ask_stream("remind", "Where to?")).await;
    assert_eq!(again.content(), "I write to ben@mail.example.");
    // Two names of one caller are two conversations too.
    let elsewhere =
        gateway.chat("sk-ann", &[("chatward-conversation", "c2")], &ask("remind", "Where?")).await;
    assert_eq!(elsewhere.content(), "I write to [EMAIL_1].");

    let turn = first.turn();
    assert_eq!(gateway.received("sk-ann", &turn).await.status, 200);
    let stranger = gateway.received("sk-ben", &turn).await;
    assert_eq!((stranger.status, stranger.code().as_str()), (404, "turn-not-found"));
    assert_eq!(stranger.header("content-type"), "application/problem+json");
    let nobody = gateway.get(&format!("/me/v1/turns/{turn}/received"), &[]).await;
    assert_eq!(nobody.status, 404);
    // One that never was is told in the same words.
    let never = gateway.received("sk-ben", "turn_00000000000000000000000000000000").await;
    assert_eq!((never.status, never.text()), (404, stranger.text()));
}

#[tokio::test]
async fn typed_placeholders_come_back_literally_and_forged_ones_are_left() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    say(&gateway, "sk", "c", &format!("my card is {CARD}")).await.content();
    for typed in ["[CARD_1]", "[CARD_1 ending 1111]", "is [CARD_1] mine?", "[TEXT_1]", "[Card_1]", "[CARD_2]"]
    {
        for body in [ask("echo", typed), ask_stream("echo", typed)] {
            let answer = gateway.chat("sk", &[("chatward-conversation", "c")], &body).await;
            assert_eq!(answer.content(), typed, "the bot got: {}", bot.last().text());
        }
    }
    let before = gateway.metric("chatward_restore_misses_total").await;
    let forged = "Yours are [CARD_7], [EMAIL_1] and [IBAN_3 ending 3000].";
    bot.play("forge", Play::Say(forged.into(), 2));
    for body in [ask("forge", "Which cards?"), ask_stream("forge", "Which cards?")] {
        let answer = gateway.chat("sk", &[("chatward-conversation", "c")], &body).await;
        assert_eq!(answer.content(), forged);
    }
    assert!(gateway.metric("chatward_restore_misses_total").await >= before + 6.0);
}

#[tokio::test]
async fn customers_are_named_only_by_callers_that_may() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let customer = [("chatward-customer", "42"), ("chatward-conversation", "c")];
    {
        let gateway = home.serve(&bot).await;
        for more in [&customer[..], &customer[..1]] {
            let refused = gateway.chat("sk-any", more, &ask("echo", "hello")).await;
            assert_eq!((refused.status, refused.code().as_str()), (403, "not-trusted"), "{}", refused.text());
        }
        gateway.stop().await;
    }
    let (trusted, shop) = new_caller(&home, "shop", true).await;
    let (plain, site) = new_caller(&home, "site", false).await;
    home.configure(&format!("{shop}\n{site}"));
    let asked = bot.seen().len();
    let gateway = home.serve(&bot).await;
    for (key, code) in
        [("sk-any", "unknown-key"), ("cw_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "unknown-key")]
    {
        let refused = gateway.chat(key, &[], &ask("echo", "hello")).await;
        assert_eq!((refused.status, refused.code().as_str()), (401, code));
    }
    let body = ask("echo", "hello").to_string();
    let none = gateway.send(http::Method::POST, "/v1/chat/completions", &[], body).await;
    assert_eq!((none.status, none.code().as_str()), (401, "missing-key"));
    let refused = gateway.chat(&plain, &customer, &ask("echo", "hello")).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "not-trusted"));
    assert_eq!(bot.seen().len(), asked, "a refused request reached the bot");

    // The same conversation name of two customers: two conversations.
    let says = async |who: &str, text: &str| {
        let named = [("chatward-customer", who), ("chatward-conversation", "c")];
        gateway.chat(&trusted, &named, &ask("echo", text)).await.content()
    };
    says("42", &format!("mail {MAIL}")).await;
    assert_eq!(says("43", "[EMAIL_1]").await, "[EMAIL_1]");
    bot.play("remind", Play::Say("[EMAIL_1]".into(), 4));
    let named = |who| [("chatward-customer", who), ("chatward-conversation", "c")];
    assert_eq!(gateway.chat(&trusted, &named("43"), &ask("remind", "?")).await.content(), "[EMAIL_1]");
    assert_eq!(gateway.chat(&trusted, &named("42"), &ask("remind", "?")).await.content(), MAIL);
    // The house's own key stays in the house.
    assert!(bot.seen().iter().all(|seen| !seen.head.contains(&trusted) && !seen.head.contains(&plain)));
}

/// A client that keeps the history itself, as every OpenAI client does.
struct Client<'a> {
    gateway: &'a Gateway,
    key: &'a str,
    headers: Vec<(&'a str, &'a str)>,
    messages: Vec<Value>,
}

impl Client<'_> {
    async fn says(&mut self, text: &str, stream: bool) -> String {
        self.messages.push(json!({"role": "user", "content": text}));
        let body = json!({"model": "echo", "stream": stream, "messages": self.messages});
        let content = self.gateway.chat(self.key, &self.headers, &body).await.content();
        self.messages.push(json!({"role": "assistant", "content": content}));
        content
    }
}

#[tokio::test]
async fn placeholders_are_stable_over_turns() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let said = [
        format!("I am at {MAIL} with {CARD}"),
        "and at second@mail.example".to_owned(),
        format!("so {MAIL}, second@mail.example and third@mail.example"),
        "pay with 4111111111111111".to_owned(),
    ];
    let masked = [
        "I am at [EMAIL_1] with [CARD_1 ending 1111]",
        "and at [EMAIL_2]",
        "so [EMAIL_1], [EMAIL_2] and [EMAIL_3]",
        "pay with [CARD_1 ending 1111]",
    ];
    for headers in [vec![("chatward-conversation", "c")], vec![]] {
        for stream in [false, true] {
            let key = format!("sk-{stream}-{}", headers.len());
            let mut client =
                Client { gateway: &gateway, key: &key, headers: headers.clone(), messages: vec![] };
            for (at, text) in said.iter().enumerate() {
                let restored = client.says(text, stream).await;
                // The last one is the same card written in another way: it comes back as it was first written.
                let expected = if at == 3 { format!("pay with {CARD}") } else { text.clone() };
                assert!(restored == *text || restored == expected, "{restored} for {text}");
                let body = bot.last().json();
                let messages: Vec<_> =
                    body["messages"].as_array().unwrap().iter().map(|m| &m["content"]).collect();
                let wanted: Vec<_> = masked[..=at].iter().flat_map(|text| [text, text]).collect();
                assert_eq!(messages, wanted[..wanted.len() - 1], "headers {headers:?}, stream {stream}");
            }
        }
    }
}

#[tokio::test]
async fn an_ambiguous_history_begins_a_new_conversation() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    // Two conversations of one caller with the same first turn, told apart by nothing.
    let begin = ask("echo", "Hello, I have a question");
    for _ in 0..2 {
        gateway.chat("sk", &[], &begin).await.content();
    }
    let goes_on = |text: &str| {
        json!({"model": "echo", "messages": [
            {"role": "user", "content": "Hello, I have a question"},
            {"role": "assistant", "content": "Hello, I have a question"},
            {"role": "user", "content": text}]})
    };
    let ann = gateway.chat("sk", &[], &goes_on(&format!("mail {MAIL}"))).await;
    assert_eq!(ann.content(), format!("mail {MAIL}"));
    // The other one goes on: nothing of the first is known to it.
    bot.play("echo", Play::Say("Is it [EMAIL_1]?".into(), 4));
    let ben = gateway.chat("sk", &[], &goes_on("my mail is ben@mail.example")).await;
    assert_eq!(ben.content(), "Is it ben@mail.example?");
    let none = gateway.chat("sk", &[], &goes_on("what is my mail?")).await;
    assert_eq!(none.content(), "Is it [EMAIL_1]?");
}

#[tokio::test]
async fn a_recognised_conversation_restores_only_what_stands_in_the_request() {
    let (home, bot) = (Home::new(), Bot::new().await);
    let gateway = home.serve(&bot).await;
    let mut client = Client { gateway: &gateway, key: "sk", headers: vec![], messages: vec![] };
    client.says("Hello", false).await;
    client.says(&format!("mail {MAIL}"), false).await;
    // Whoever knows the beginning of the history, without the value, does not get the value.
    bot.play("echo", Play::Say("[EMAIL_1]".into(), 4));
    let known = client.messages[..2].to_vec();
    let mut thief = Client { gateway: &gateway, key: "sk", headers: vec![], messages: known };
    assert_eq!(thief.says("what is my mail?", false).await, "[EMAIL_1]");
    let mut other =
        Client { gateway: &gateway, key: "sk-2", headers: vec![], messages: client.messages.clone() };
    assert_eq!(other.says("and?", false).await, MAIL, "its own request holds the value");
}
