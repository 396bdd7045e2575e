use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const TOOLS: &str = include_str!("../../../tests/fixtures/openai/request-tools.json");

fn open(body: &str) -> Result<Request, Problem> {
    Request::parse(Bytes::copy_from_slice(body.as_bytes()), &Limits::default())
}

fn refusal(body: &str) -> (u16, &'static str, String) {
    let problem = open(body).unwrap_err();
    (problem.status().as_u16(), problem.code(), problem.param().unwrap_or_default().to_owned())
}

fn texts(request: &Request) -> Vec<&str> {
    request.fields().iter().map(|field| field.text.expose()).collect()
}

fn same(_: &str, value: &str) -> String {
    value.to_owned()
}

#[test]
fn every_text_of_a_request_is_found_with_its_place() {
    let request = open(TOOLS).unwrap();
    let found: Vec<_> =
        request.fields().iter().map(|f| (f.message, f.role, f.kind, f.text.expose())).collect();
    use FieldKind as K;
    assert_eq!(
        found,
        [
            (Some(0), Role::System, K::Content, "Be kind."),
            (Some(1), Role::User, K::Name, "Ann_Lee"),
            (Some(1), Role::User, K::Part(0), "Mail me at ann@example.com\nsoon – \"now\""),
            (Some(1), Role::User, K::FileName(2), "Ann Lee passport.pdf"),
            (Some(2), Role::Assistant, K::ToolName(0), "send_mail"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "to"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "ann@example.com"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "cc"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "a\"b@example.com"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "card"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "4111111111111111"),
            (Some(2), Role::Assistant, K::ToolArguments(0), "n"),
            (Some(2), Role::Assistant, K::ToolName(1), "free"),
            (Some(2), Role::Assistant, K::ToolInput(1), "call +49 30 1234567"),
            (Some(2), Role::Assistant, K::FunctionName, "old"),
            (Some(2), Role::Assistant, K::FunctionArguments, "no json: ann@example.com"),
            (Some(3), Role::Tool, K::Content, "sent to ann@example.com"),
            (Some(4), Role::Assistant, K::Refusal, "I cannot, Ann"),
            (None, Role::Assistant, K::Prediction, "Dear Ann"),
        ]
    );
    assert_eq!(
        (request.model(), request.stream(), request.include_usage(), request.user()),
        ("gpt-x", true, true, Some("u-77"))
    );
    assert_eq!(
        (request.metadata("conversation_id"), request.metadata("customer_id")),
        (Some("c-1"), Some("k-9"))
    );
    assert_eq!(request.metadata("number"), Some("12"));
}

#[test]
fn texts_and_identifiers_are_replaced_and_nothing_else() {
    let mut request = open(TOOLS).unwrap();
    let masked: Vec<String> = request
        .take_texts()
        .iter()
        .map(|t| {
            t.expose().replace("ann@example.com", "[\"MAIL\\_1]").replace("4111111111111111", "[CARD_1]")
        })
        .collect();
    let filled = request.fill(&masked, |key, value| format!("#{key}#{}", value.len())).unwrap();
    let (was, is): (Value, Value) =
        (serde_json::from_str(TOOLS).unwrap(), serde_json::from_slice(&filled).unwrap());
    assert_eq!(is["user"], "#user#4");
    assert_eq!(is["metadata"]["customer_id"], "#metadata.customer_id#3");
    assert_eq!(is["metadata"]["number"], "#metadata.number#2");
    assert_eq!(is["metadata"]["none"], Value::Null);
    let arguments: Value =
        serde_json::from_str(is["messages"][2]["tool_calls"][0]["function"]["arguments"].as_str().unwrap())
            .unwrap();
    assert_eq!(
        arguments,
        json!({"to": "[\"MAIL\\_1]", "cc": "a\"b@example.com", "card": "[CARD_1]", "n": 7})
    );
    assert_eq!(is["messages"][3]["content"], "sent to [\"MAIL\\_1]");
    assert_eq!(is["tools"], was["tools"]);
    // What is no text of ours keeps its bytes, even where JSON would allow others.
    let filled = std::str::from_utf8(&filled).unwrap();
    for kept in
        ["1.50e+1", "123456789012345678901234567890.123", "data:image/png;base64,AAAA", "\"un\\u006bnown\""]
    {
        assert!(TOOLS.contains(kept) && filled.contains(kept), "{kept}");
    }
    assert!(!filled.contains("u-77") && !filled.contains("k-9"));
}

/// Parts that this protocol does not know, as other servers have them.
#[test]
fn words_and_bytes_of_unknown_parts_are_found() {
    let program =
        "TVqQAAMAAAAEAAAA//8AALgAAAAAAAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAgAAAAA4fug4=";
    let part = |part: &str| {
        open(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{part}]}}]}}"#)).unwrap()
    };
    let files =
        |request: &Request| -> Vec<String> { request.files().map(|file| file.text.into_owned()).collect() };
    for inside in [
        format!(r#"{{"type":"document_url","document_url":"data:application/pdf;base64,{program}"}}"#),
        format!(
            r#"{{"type":"image","source":{{"type":"base64","media_type":"image/png","data":"{program}"}}}}"#
        ),
        format!(r#"{{"type":"input_file","file_data":"{program}"}}"#),
        format!(r#"{{"type":"x","y":[[{{"z":"{program}"}}]]}}"#),
    ] {
        let request = part(&inside);
        let found = files(&request);
        assert!(found.len() == 1 && found[0].ends_with(program), "{inside}: {found:?}");
        assert!(texts(&request).is_empty());
    }
    let request = part(
        r#"{"type":"thinking","thinking":"my mail is ann@example.com","signature":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3ODk=","id":"msg_1","cache_control":{"type":"ephemeral"}}"#,
    );
    assert_eq!(texts(&request), ["my mail is ann@example.com"]);
    assert!(files(&request).is_empty());
    let request = part(
        r#"{"type":"x","ttl":"5m","mime_type":"text/plain; charset=utf-8","detail":"ask ann@example.com"}"#,
    );
    assert_eq!(texts(&request), ["text/plain; charset=utf-8", "ask ann@example.com"]);
    // Words that could be bytes, and are none.
    let dashes = "-".repeat(120);
    let words = [
        dashes.as_str(),
        "4111111111111111",
        "Data: yes, no",
        "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    ];
    for said in words {
        let request = part(&format!(r#"{{"type":"x","data":"{said}"}}"#));
        assert_eq!((texts(&request), files(&request).len()), (vec![said], 0));
    }
    let deep = format!(r#"{{"x":{}1{}}}"#, "[".repeat(40), "]".repeat(40));
    let (status, code, _) =
        refusal(&format!(r#"{{"model":"m","messages":[{{"role":"user","content":[{deep}]}}]}}"#));
    assert_eq!((status, code), (400, "too_deep"));
}

#[test]
fn a_key_is_known_however_it_is_spelt() {
    let request = open(r#"{"model":"m","mess\u0061ges":[{"role":"user","cont\u0065nt":"ann"}]}"#).unwrap();
    assert_eq!(texts(&request), ["ann"]);
}

#[test]
fn what_servers_could_read_in_two_ways_is_refused() {
    let message = |inside: &str| format!(r#"{{"model":"m","messages":[{{"role":"user",{inside}}}]}}"#);
    for (body, code, param) in [
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"messages":[]}"#.to_owned(),
            "duplicate_key",
            "messages",
        ),
        (message(r#""content":"a","cont\u0065nt":"b""#), "duplicate_key", "messages[0].content"),
        (message(r#""content":"a","Content":"b""#), "ambiguous_key", "messages[0].content"),
        (message("\"content\":\"a\",\"refu\u{17F}al\":\"b\""), "ambiguous_key", "messages[0].refusal"),
        (
            message(r#""content":[{"type":"text","text":"a","TEXT":"b"}]"#),
            "ambiguous_key",
            "messages[0].content[0].text",
        ),
        (
            message(r#""content":[{"type":"text","text":"a","text":"b"}]"#),
            "duplicate_key",
            "messages[0].content[0].text",
        ),
        (
            message(r#""tool_calls":[{"function":{"arguments":"a","arguments":"b"}}]"#),
            "duplicate_key",
            "messages[0].tool_calls[0].function.arguments",
        ),
        (
            r#"{"model":"m","Messages":[],"messages":[{"role":"user","content":"a"}]}"#.to_owned(),
            "ambiguous_key",
            "messages",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"a"}],"metadata":{"a":"1","\u0061":"2"}}"#
                .to_owned(),
            "duplicate_key",
            "metadata",
        ),
    ] {
        assert_eq!(refusal(&body), (400, code, param.to_owned()), "{body}");
    }
}

#[test]
fn each_fault_is_named_and_nothing_of_the_text_with_it() {
    let deep = format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":{}1{}}}]}}"#,
        "[".repeat(50_000),
        "]".repeat(50_000)
    );
    for (body, code, param) in [
        ("", "invalid_json", ""),
        (r#"{"model":"m","messages":[{"role":"user","content":"SECRET"#, "invalid_json", ""),
        (r#"{"model":"m","messages":[]} SECRET"#, "invalid_json", ""),
        (r#"["SECRET"]"#, "wrong_type", ""),
        (r#"{"model":"m"}"#, "missing", "messages"),
        (r#"{"messages":[{"role":"user","content":"SECRET"}]}"#, "missing", "model"),
        (r#"{"model":"m","messages":[]}"#, "empty", "messages"),
        (r#"{"model":"m","messages":{"SECRET":1}}"#, "wrong_type", "messages"),
        (r#"{"model":"m","messages":["SECRET"]}"#, "wrong_type", "messages[0]"),
        (r#"{"model":"m","messages":[{"content":"SECRET"}]}"#, "missing", "messages[0].role"),
        (
            r#"{"model":"m","messages":[{"role":"user","content":{"SECRET":1}}]}"#,
            "wrong_type",
            "messages[0].content",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":[{"text":["SECRET"]}]}]}"#,
            "wrong_type",
            "messages[0].content[0]",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","content":"SECRET\ud800"}]}"#,
            "invalid_unicode",
            "messages[0].content",
        ),
        (
            r#"{"model":"m","messages":[{"role":"user","tool_calls":[{"function":{"arguments":"{\"a\":\"SECRET\\ud800\"}"}}]}]}"#,
            "invalid_unicode",
            "messages[0].tool_calls[0].function.arguments",
        ),
        (r#"{"model":"m","stream":"SECRET","messages":[]}"#, "wrong_type", "stream"),
        (r#"{"model":"m","n":0,"messages":[]}"#, "out_of_range", "n"),
        (r#"{"model":"m","n":1e9,"messages":[]}"#, "out_of_range", "n"),
        (r#"{"model":"m","user":{"SECRET":1},"messages":[]}"#, "wrong_type", "user"),
        (r#"{"model":"m","metadata":{"SECRET":"\udc00"},"messages":[]}"#, "invalid_unicode", "metadata"),
        (&deep, "wrong_type", "messages[0].content[0]"),
    ] {
        assert_eq!(refusal(body), (400, code, param.to_owned()), "{}", &body[..body.len().min(200)]);
        let told = open(body).unwrap_err().body();
        assert!(!String::from_utf8_lossy(&told).contains("SECRET"), "{told:?}");
    }
    let broken = Request::parse(Bytes::from_static(b"{\"model\":\"\xff\"}"), &Limits::default());
    assert_eq!(broken.unwrap_err().code(), "invalid_utf8");
    let limits = Limits { body: 200, messages: 1, texts: 2 };
    let body = |inside: &str| Bytes::from(format!(r#"{{"model":"m","messages":[{inside}]}}"#));
    let status = |body| Request::parse(body, &limits).unwrap_err().code();
    assert_eq!(status(body(&" ".repeat(300))), "request_too_large");
    assert_eq!(
        status(body(r#"{"role":"user","content":"a"},{"role":"user","content":"b"}"#)),
        "too-many-messages"
    );
    assert_eq!(status(body(r#"{"role":"user","content":["a","b","c"]}"#)), "too_many_texts");
}

#[test]
fn deep_nesting_of_the_unknown_passes() {
    let deep = format!("{}1{}", "[".repeat(50_000), "]".repeat(50_000));
    let body = format!(r#"{{"model":"m","x":{deep},"messages":[{{"role":"user","content":"a"}}]}}"#);
    assert_eq!(open(&body).unwrap().fill(&["a"], same).unwrap(), body.as_bytes());
    let inner = serde_json::to_string(&format!(r#"{{"x":{deep},"y":"ann"}}"#)).unwrap();
    let body = format!(
        r#"{{"model":"m","messages":[{{"role":"assistant","tool_calls":[{{"function":{{"arguments":{inner}}}}}]}}]}}"#
    );
    assert_eq!(texts(&open(&body).unwrap()), ["x", "y", "ann"]);
}

#[test]
fn the_number_of_texts_must_fit() {
    let request = open(r#"{"model":"m","messages":[{"role":"user","content":"a"}]}"#).unwrap();
    assert!(request.fill::<&str>(&[], same).is_err() && request.fill(&["a", "b"], same).is_err());
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
        ]
    })
}

fn any_message() -> impl Strategy<Value = Value> {
    let text = any::<String>;
    prop_oneof![
        (text(), any::<Option<String>>()).prop_map(|(c, n)| json!({"role": "user", "content": c, "name": n})),
        (text(), text(), any_json()).prop_map(|(a, b, x)| json!({"role": "user", "vendor": x, "content": [
            {"type": "text", "text": a}, {"type": "image_url", "image_url": {"url": b}}, {"type": "refusal", "refusal": b}]})),
        (text(), any_json()).prop_map(|(n, v)| json!({"role": "assistant", "content": null, "tool_calls": [
            {"id": "c", "type": "function", "function": {"name": n, "arguments": v.to_string()}}]})),
        text().prop_map(|c| json!({"role": "tool", "tool_call_id": "c", "content": c})),
    ]
}

proptest! {
    /// With the same texts and identifiers the very same bytes go on.
    #[test]
    fn unchanged_texts_change_no_byte(
        messages in prop::collection::vec(any_message(), 1..5), extra in any_json(), pretty in any::<bool>(),
        user in any::<Option<String>>(),
    ) {
        let body = json!({"model": "m", "messages": messages, "x-extra": extra, "user": user, "metadata": {"k": user}});
        let body = if pretty { serde_json::to_string_pretty(&body) } else { serde_json::to_string(&body) }.unwrap();
        let mut request = open(&body).unwrap();
        let texts = request.take_texts();
        let texts: Vec<&str> = texts.iter().map(Plain::expose).collect();
        prop_assert_eq!(&request.fill(&texts, same).unwrap()[..], body.as_bytes());
    }

    /// Texts that change are exactly what a reader of the result finds there.
    #[test]
    fn changed_texts_arrive_as_they_are(messages in prop::collection::vec(any_message(), 1..5), by in ".{0,9}") {
        let body = json!({"model": "m", "messages": messages, "user": "u"}).to_string();
        let mut request = open(&body).unwrap();
        let marked: Vec<String> = request.take_texts().iter().map(|t| format!("{}{by}\"\\\n", t.expose())).collect();
        let filled = request.fill(&marked, |_, _| "\"h".to_owned()).unwrap();
        let again = Request::parse(filled.clone(), &Limits::default()).unwrap();
        prop_assert_eq!(texts(&again), marked);
        let (mut was, is): (Value, Value) = (serde_json::from_str(&body).unwrap(), serde_json::from_slice(&filled).unwrap());
        prop_assert_eq!(&is["user"], "\"h");
        for (was, is) in was["messages"].as_array_mut().unwrap().iter_mut().zip(is["messages"].as_array().unwrap()) {
            prop_assert_eq!(&was["vendor"], &is["vendor"]);
            prop_assert_eq!(&was["content"][1], &is["content"][1]);
        }
    }

    #[test]
    fn no_body_is_too_strange(body in prop::collection::vec(any::<u8>(), 0..64)) {
        drop(Request::parse(body.into(), &Limits::default()));
    }
}

/// `cargo test --release -p chatward -- --ignored --nocapture request_costs`
#[test]
#[ignore = "a measurement"]
fn request_costs() {
    let turn = "Hello, my name is Ann Lee and my order 83920 has not arrived. Please write to ann.lee@example.com or call +49 30 1234567 after six; my card ends in 1111. Thank you very much for your help with this, Ann";
    let short = json!({"model": "mock", "messages": [{"role": "user", "content": &turn[..200]}]}).to_string();
    let turns: Vec<Value> = (0..10)
        .map(|n| json!({"role": if n % 2 == 0 { "user" } else { "assistant" }, "content": turn.repeat(2)}))
        .collect();
    let long = json!({"model": "mock", "messages": turns, "stream": true}).to_string();
    for (name, body) in [("200 characters", short), ("ten turns", long)] {
        let body = Bytes::from(body);
        let mut best = std::time::Duration::MAX;
        for _ in 0..20 {
            let start = std::time::Instant::now();
            for _ in 0..1000 {
                let mut request = Request::parse(body.clone(), &Limits::default()).unwrap();
                let masked: Vec<String> =
                    request.take_texts().iter().map(|t| t.expose().replacen("Ann", "[NAME_1]", 1)).collect();
                std::hint::black_box(request.fill(&masked, same).unwrap());
            }
            best = best.min(start.elapsed() / 1000);
        }
        println!("{name} ({} bytes): {best:?} parse + copy of texts + fill", body.len());
    }
}
