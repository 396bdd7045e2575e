use serde_json::Value;

use super::*;

const TWO: &str = include_str!("../../../tests/fixtures/openai/reply-two-choices.json");

fn open(body: &str) -> Result<Reply, NotAnAnswer> {
    Reply::parse(Bytes::copy_from_slice(body.as_bytes()))
}

#[test]
fn texts_are_found_per_choice_and_restored() {
    let mut reply = open(TWO).unwrap();
    let found: Vec<_> =
        reply.fields().iter().map(|f| (f.choice, f.channel, f.text.expose().to_owned())).collect();
    let found: Vec<_> =
        found.iter().map(|(choice, channel, text)| (*choice, *channel, text.as_str())).collect();
    use Channel as C;
    assert_eq!(
        found,
        [
            (1, C::Content, "Dear [NAME_1],\n…"),
            (0, C::Reasoning, "about [NAME_1]"),
            (0, C::Refusal, "No, [NAME_1]."),
            (0, C::ToolName(0), "send"),
            (0, C::ToolArguments(0), "to"),
            (0, C::ToolArguments(0), "[NAME_1]"),
            (0, C::ToolArguments(0), "sum"),
            (0, C::ToolArguments(0), "1000"),
            (0, C::ToolArguments(1), "not json"),
            (0, C::Transcript, "Hello [NAME_1]"),
        ]
    );
    let restored: Vec<String> =
        reply.take_texts().iter().map(|t| t.expose().replace("[NAME_1]", "Ann \"A\" Lee")).collect();
    let filled = reply.fill(&restored).unwrap();
    let is: Value = serde_json::from_slice(&filled).unwrap();
    assert_eq!(is["choices"][0]["message"]["content"], "Dear Ann \"A\" Lee,\n…");
    assert_eq!(is["choices"][0]["logprobs"], Value::Null);
    assert_eq!(
        is["choices"][1]["message"]["tool_calls"][0]["function"]["arguments"],
        r#"{"to":"Ann \"A\" Lee","sum":1000}"#
    );
    let filled = std::str::from_utf8(&filled).unwrap();
    assert!(
        filled.contains("\"vendor\": 1.0e0")
            && !filled.contains("Dear [NAME_1]")
            && !filled.contains("\"token\"")
    );
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    for (body, error) in [
        ("<html>busy</html>", NotAnAnswer::NotJson),
        (r#"{"choices":[{"message":{"content":"cut o"#, NotAnAnswer::NotJson),
        ("{}", NotAnAnswer::NoChoices),
        ("[]", NotAnAnswer::WrongType("answer")),
        (r#"{"choices":{}}"#, NotAnAnswer::WrongType("choices")),
        (r#"{"choices":[{"message":{"content":7}}]}"#, NotAnAnswer::WrongType("content")),
        (
            r#"{"choices":[{"message":{"tool_calls":[{"function":{"arguments":{"a":1}}}]}}]}"#,
            NotAnAnswer::WrongType("function.arguments"),
        ),
    ] {
        assert_eq!(open(body).unwrap_err(), error, "{body}");
    }
    assert_eq!(Reply::parse(Bytes::from_static(b"\xff")).unwrap_err(), NotAnAnswer::NotUtf8);
}

#[test]
fn an_error_of_the_bot_is_passed_on_with_its_message_restored() {
    let body =
        r#"{"error":{"message":"No user [NAME_1]","type":"invalid_request_error","param":null,"code":"x"}}"#;
    let reply = Reply::parse_error(Bytes::from_static(body.as_bytes())).unwrap();
    assert_eq!(reply.fields()[0].channel, Channel::Error);
    assert_eq!(reply.fill(&["No user Ann"]).unwrap(), body.replace("[NAME_1]", "Ann").as_bytes());
    assert!(Reply::parse_error(Bytes::from_static(b"<h1>502</h1>")).is_err());
    assert!(Reply::parse_error(Bytes::from_static(b"{\"detail\":\"x\"}")).is_err());
}

#[test]
fn broken_escapes_of_the_bot_read_as_replacement_characters() {
    let body = r#"{"choices":[{"message":{"content":"a\ud800b"}}]}"#;
    let reply = open(body).unwrap();
    assert_eq!(reply.fields()[0].text.expose(), "a\u{FFFD}b");
    assert_eq!(reply.fill(&["a\u{FFFD}b"]).unwrap(), body.as_bytes());
}
