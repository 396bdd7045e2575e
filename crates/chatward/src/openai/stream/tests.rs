use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::Value;

use super::*;
use crate::problem::Code;

const MANY: &str = include_str!("../../../tests/fixtures/openai/stream-many.sse");

/// Writes each text in capitals and holds back a stretch of it whose length depends only on the text so far.
#[derive(Default)]
struct Holding {
    hold: usize,
    hold_all: bool,
    texts: HashMap<ChannelKey, (String, usize)>,
    finished: Vec<(ChannelKey, String)>,
}

impl Holding {
    fn of(hold: usize) -> Self {
        Self { hold, ..Self::default() }
    }
}

impl Channels for Holding {
    type Error = ();
    fn push(&mut self, key: ChannelKey, piece: &str, out: &mut String) -> Result<(), ()> {
        let (text, sent) = self.texts.entry(key).or_default();
        text.push_str(piece);
        if text.contains("STOP") {
            return Err(());
        }
        let hold = if self.hold_all {
            text.len()
        } else if self.hold == 0 {
            0
        } else {
            text.len() * 31 % self.hold
        };
        let upto = text.floor_char_boundary(text.len().saturating_sub(hold));
        if upto > *sent {
            out.push_str(&text[*sent..upto].to_ascii_uppercase());
            *sent = upto;
        }
        Ok(())
    }
    fn pause(&mut self, key: ChannelKey, out: &mut String) {
        if let Some((text, sent)) = self.texts.get_mut(&key) {
            out.push_str(&text[*sent..].to_ascii_uppercase());
            *sent = text.len();
        }
    }
    fn finish(&mut self, key: ChannelKey, out: &mut String) -> Result<(), ()> {
        if let Some((text, sent)) = self.texts.remove(&key) {
            out.push_str(&text[sent..].to_ascii_uppercase());
            self.finished.push((key, text));
        }
        Ok(())
    }
}

fn run(pieces: &[&[u8]], channels: &mut Holding) -> (String, Ending) {
    let (mut rewriter, mut out) = (Rewriter::default(), Vec::new());
    let broken = Problem::from_code(Code::UpstreamCut);
    let mut stopped = false;
    for piece in pieces {
        if rewriter.push(piece, channels, &mut out).is_err() {
            rewriter.cut(&broken, &mut out);
            stopped = true;
            break;
        }
    }
    if !stopped {
        rewriter.finish(&broken, channels, &mut out).unwrap();
    }
    (String::from_utf8(out).unwrap(), rewriter.ending())
}

fn whole(stream: &str, hold: usize) -> (String, Ending) {
    run(&[stream.as_bytes()], &mut Holding::of(hold))
}

/// What a client makes of a stream: the texts by place, and the last finish reason by choice.
fn read(stream: &str) -> (HashMap<String, String>, HashMap<u64, String>) {
    let (mut texts, mut reasons) = (HashMap::<String, String>::new(), HashMap::new());
    for event in stream.split("\n\n") {
        let Some(data) = event.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
        let Ok(chunk) = serde_json::from_str::<Value>(data) else { continue };
        for choice in chunk["choices"].as_array().into_iter().flatten() {
            let index = choice["index"].as_u64().unwrap();
            assert!(!reasons.contains_key(&index), "text after the end of choice {index}: {data}");
            let delta = &choice["delta"];
            let mut add = |name: String, text: &Value| {
                if let Some(text) = text.as_str() {
                    texts.entry(format!("{index}.{name}")).or_default().push_str(text);
                }
            };
            add("content".into(), &delta["content"]);
            add("refusal".into(), &delta["refusal"]);
            for call in delta["tool_calls"].as_array().into_iter().flatten() {
                let n = call["index"].as_u64().unwrap();
                add(format!("tool{n}.name"), &call["function"]["name"]);
                add(format!("tool{n}.arguments"), &call["function"]["arguments"]);
            }
            if let Some(reason) = choice["finish_reason"].as_str() {
                reasons.insert(index, reason.to_owned());
            }
        }
    }
    (texts, reasons)
}

#[test]
fn texts_of_choices_and_tools_are_rewritten_apart() {
    for hold in [0, 3, 40] {
        let mut channels = Holding::of(hold);
        let (out, ending) = run(&[MANY.as_bytes()], &mut channels);
        assert_eq!(ending, Ending::Done);
        let (texts, reasons) = read(&out);
        assert_eq!(texts["0.content"], "HELLO [NAME_1], \"HI\" 😀\nBYE");
        assert_eq!(texts["1.refusal"], "I CANNOT");
        assert_eq!(texts["1.tool0.name"], "SEND");
        assert_eq!(texts["1.tool0.arguments"], r#"{"TO":"[NAME_1]\n","N": 12345}"#);
        assert_eq!(texts["1.tool1.arguments"], r#"{"A":true}"#);
        assert_eq!((reasons[&0].as_str(), reasons[&1].as_str()), ("stop", "tool_calls"));
        assert!(!out.contains("\"token\""), "logprobs repeat the text");
        assert!(out.contains(": heartbeat\n") && out.contains("event: vendor\ndata: {\"vendor\":1.0e0}\n"));
        assert!(out.contains(r#""usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}"#));
        assert!(out.ends_with("data: [DONE]\n\n"));
        let keys: Vec<_> =
            channels.finished.iter().map(|(key, text)| (key.choice, key.channel, text.as_str())).collect();
        assert!(keys.contains(&(1, Channel::ToolArguments(0), "[name_1]\n")), "{keys:?}");
    }
}

#[test]
fn texts_that_do_not_change_leave_every_byte() {
    struct Same;
    impl Channels for Same {
        type Error = ();
        fn push(&mut self, _: ChannelKey, piece: &str, out: &mut String) -> Result<(), ()> {
            out.push_str(piece);
            Ok(())
        }
        fn finish(&mut self, _: ChannelKey, _: &mut String) -> Result<(), ()> {
            Ok(())
        }
    }
    let stream: String = MANY
        .split_inclusive("\n\n")
        .filter(|event| {
            // Logprobs go, and a number in arguments waits for its end.
            !event.contains("\"token\"") && !event.contains(": 12\"")
        })
        .collect();
    let mut out = Vec::new();
    Rewriter::default().push(stream.as_bytes(), &mut Same, &mut out).unwrap();
    assert_eq!(String::from_utf8(out).unwrap(), stream);
}

fn chunk(delta: &str, finish: &str) -> String {
    format!(
        r#"{{"id":"c","object":"chat.completion.chunk","created":7,"model":"m","choices":[{{"index":0,"delta":{delta},"finish_reason":{finish}}}]}}"#
    )
}

/// A chunk that differs from the last one only in its text is not read as JSON again. What comes out must not show it:
/// with another number in each chunk all are read.
fn read_or_not(texts: &[&str], delta: &str, hold: usize) -> [(String, Ending); 2] {
    let stream = |number: &dyn Fn(usize) -> usize| -> String {
        let event = |(i, text): (usize, &&str)| {
            let delta = delta.replace("TEXT", text);
            format!("data: {{\"n\":{},{}\n\n", number(i), &chunk(&delta, "null")[1..])
        };
        texts.iter().enumerate().map(event).collect()
    };
    [stream(&|_| 1000), stream(&|i| 1000 + i)].map(|stream| {
        let (mut out, ending) = whole(&stream, hold);
        for i in 0..texts.len() {
            out = out.replace(&format!("{{\"n\":{}", 1000 + i), "{\"n\":1000");
        }
        (out, ending)
    })
}

#[test]
fn a_text_that_is_more_than_a_text_is_read() {
    let texts = ["one", "two", r#"a","refusal":"b"#, "three", r#"four\"\u0041\n"#, "four", "fi\u{1}ve"];
    let [unread, read] = read_or_not(&texts, r#"{"content":"TEXT"}"#, 0);
    assert_eq!(unread, read);
    assert!(read.0.contains(r#""refusal":"B""#) && !read.0.contains("FI"), "{}", read.0);
    let [unread, read] = read_or_not(&["one", "STOP", "two"], r#"{"role":"assistant","content":"TEXT"}"#, 0);
    assert_eq!(unread, read);
    assert!(read.0.contains("ONE") && !read.0.contains("TWO"));
}

#[test]
fn what_is_held_is_sent_before_the_end_whatever_the_end_is() {
    let open = format!("data: {}\n\n", chunk(r#"{"content":"abc"}"#, "null"));
    let own = r#"data: {"object":"chat.completion.chunk","id":"c","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"ABC"},"logprobs":null,"finish_reason":null}]}"#;
    struct All(String);
    impl Channels for All {
        type Error = ();
        fn push(&mut self, _: ChannelKey, piece: &str, _: &mut String) -> Result<(), ()> {
            self.0.push_str(piece);
            Ok(())
        }
        fn finish(&mut self, _: ChannelKey, out: &mut String) -> Result<(), ()> {
            out.push_str(&std::mem::take(&mut self.0).to_uppercase());
            Ok(())
        }
    }
    let run = |end: &str| {
        let (mut rewriter, mut out, mut all) = (Rewriter::default(), Vec::new(), All(String::new()));
        rewriter.push(format!("{open}{end}").as_bytes(), &mut all, &mut out).unwrap();
        let before = out.len();
        let ending = rewriter.finish(&Problem::from_code(Code::UpstreamTimeout), &mut all, &mut out).unwrap();
        let out = String::from_utf8(out).unwrap();
        let (start, rest) = out.split_once("\n\n").unwrap();
        assert_eq!(start, format!("data: {}", chunk(r#"{"content":""}"#, "null")));
        (rest.to_owned(), ending, out.len() - before)
    };
    // In the same event, if it has the place.
    let last = format!("data: {}\n\n", chunk(r#"{"content":"d"}"#, "\"stop\""));
    assert_eq!(
        run(&last).0.split_once("\n\n").unwrap().0,
        format!("data: {}", chunk(r#"{"content":"ABCD"}"#, "\"stop\""))
    );
    // In one of its own, if not.
    for end in [
        format!("data: {}\n\ndata: [DONE]\n\n", chunk("{}", "\"stop\"")),
        "data: [DONE]\n\n".to_owned(),
        "data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"total_tokens\":1}}\n\ndata: [DONE]\n\n".to_owned(),
    ] {
        assert_eq!(run(&end), (format!("{own}\n\n{end}"), Ending::Done, 0));
    }
    let failed = "data: {\"error\":{\"message\":\"x\",\"code\":1}}\n\n";
    assert_eq!(run(failed), (format!("{own}\n\n{}", failed.replace("\"x\"", "\"X\"")), Ending::Failed, 0));
    // The bot dies.
    for end in ["", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"lost\"", "\u{FEFF}"] {
        let (rest, ending, _) = run(end);
        assert_eq!(ending, Ending::Cut);
        let (first, error) = rest.split_once("\n\n").unwrap();
        assert_eq!(first, own);
        assert!(
            error.starts_with("data: {\"error\":{")
                && error.contains("upstream-timeout")
                && !error.contains("DONE")
        );
    }
    // A forgotten empty line is no death.
    assert_eq!(run("data: [DONE]").1, Ending::Done);
}

#[test]
fn in_a_pause_words_are_sent_and_the_arguments_of_tools_wait() {
    let stream = format!(
        "data: {}\n\ndata: {}\n\n",
        chunk(r#"{"content":"one \"two\""}"#, "null"),
        chunk(r#"{"tool_calls":[{"index":0,"function":{"arguments":"{\"a\":\"three"}}]}"#, "null")
    );
    let (mut rewriter, mut channels, mut out) = (Rewriter::default(), Holding::of(0), Vec::new());
    channels.hold_all = true;
    rewriter.push(stream.as_bytes(), &mut channels, &mut out).unwrap();
    let texts = |out: &[u8]| read(std::str::from_utf8(out).unwrap()).0;
    assert_eq!((texts(&out)["0.content"].as_str(), channels.texts.len()), ("", 2));
    rewriter.pause(&mut channels, &mut out);
    let before = texts(&out);
    assert_eq!(before["0.content"], "ONE \"TWO\"");
    assert!(!before["0.tool0.arguments"].contains("THREE"), "{before:?}");
    // What was sent is not sent again, and a pause without words is no event.
    let length = out.len();
    rewriter.pause(&mut channels, &mut out);
    assert_eq!(out.len(), length);
    rewriter.push(b"data: [DONE]\n\n", &mut channels, &mut out).unwrap();
    let after = texts(&out);
    assert_eq!(after["0.content"], before["0.content"]);
    assert!(after["0.tool0.arguments"].contains("THREE"), "{after:?}");
    let length = out.len();
    rewriter.pause(&mut channels, &mut out);
    assert_eq!(out.len(), length, "after the end");
}

#[test]
fn an_empty_finish_reason_is_no_end() {
    let stream = format!(
        "data: {}\n\ndata: {}\n\n",
        chunk(r#"{"content":"ab"}"#, "\"\""),
        chunk(r#"{"content":"cd"}"#, "\"\"")
    );
    let mut channels = Holding::of(1000);
    Rewriter::default().push(stream.as_bytes(), &mut channels, &mut Vec::new()).unwrap();
    assert_eq!(channels.texts.len(), 1);
}

#[test]
fn a_chunk_that_repeats_the_whole_text_elsewhere_is_not_believed() {
    let stream = r#"data: {"choices":[{"index":0,"message":{"content":"secret"},"text":"secret","logprobs":{"x":"secret"},"delta":{"content":"a"}}]}"#.to_owned() + "\n\n";
    let (out, _) = whole(&stream, 0);
    assert!(out.starts_with(r#"data: {"choices":[{"index":0,"message":null,"text":null,"logprobs":null,"delta":{"content":"A"}}]}"#), "{out}");
}

#[test]
fn a_stop_ends_the_stream_and_what_is_held_is_lost() {
    let stream = format!(
        "data: {}\n\ndata: {}\n\n",
        chunk(r#"{"content":"fine"}"#, "null"),
        chunk(r#"{"content":"STOP"}"#, "null")
    );
    let (out, ending) = whole(&stream, 0);
    assert_eq!(ending, Ending::Cut);
    assert!(out.contains("FINE") && !out.contains("STOP") && out.contains("error"));
}

#[test]
fn what_cannot_be_inspected_does_not_pass() {
    let long = format!("data: {}\n\n", " ".repeat(2 << 20));
    for (stream, expected) in [
        ("data: hello\n\n", StreamError::NotAnAnswer(NotAnAnswer::NotJson)),
        ("data: [1]\n\n", StreamError::NotAnAnswer(NotAnAnswer::WrongType("answer"))),
        (
            "data: {\"choices\":[{\"delta\":{\"content\":7}}]}\n\n",
            StreamError::NotAnAnswer(NotAnAnswer::WrongType("content")),
        ),
        (&long, StreamError::TooBig(1 << 20)),
        (&long[..long.len() - 2], StreamError::TooBig(1 << 20)),
    ] {
        let mut out = Vec::new();
        assert_eq!(Rewriter::default().push(stream.as_bytes(), &mut Holding::of(0), &mut out), Err(expected));
        assert!(out.is_empty());
    }
    let mut out = Vec::new();
    let error = Rewriter::default().push(b"data: {\"a\":\"\xff\"}\n\n", &mut Holding::of(0), &mut out);
    assert_eq!((error, out.is_empty()), (Err(StreamError::NotAnAnswer(NotAnAnswer::NotUtf8)), true));
    let limits = StreamLimits { texts: 2, ..StreamLimits::default() };
    let mut rewriter = Rewriter::new(limits);
    let many: String = (0..3)
        .map(|n| format!("data: {{\"choices\":[{{\"index\":{n},\"delta\":{{\"content\":\"a\"}}}}]}}\n\n"))
        .collect();
    assert_eq!(
        rewriter.push(many.as_bytes(), &mut Holding::of(0), &mut Vec::new()),
        Err(StreamError::TooMany(2))
    );
}

#[test]
fn every_line_end_and_long_events_are_understood() {
    let plain = format!("data: {}\n\ndata: [DONE]\n\n", chunk(r#"{"content":"ab"}"#, "null"));
    for end in ["\r\n", "\r"] {
        let stream = plain.replace('\n', end);
        let (out, ending) = whole(&stream, 0);
        assert_eq!((out, ending), (stream.replace("\"ab\"", "\"AB\""), Ending::Done));
    }
    let (out, ending) = whole(
        "\u{FEFF}data:{\"choices\":[{\ndata\ndata: \"index\":0,\"delta\":{\"content\":\ndata:\"ab\"}}]}\n\ndata:[DONE]\n\n",
        0,
    );
    assert_eq!(
        out,
        "data: {\"choices\":[{  \"index\":0,\"delta\":{\"content\": \"AB\"}}]}\n\ndata:[DONE]\n\n"
    );
    assert_eq!(ending, Ending::Done);
}

#[test]
fn a_heartbeat_does_not_wait() {
    let (mut rewriter, mut out) = (Rewriter::default(), Vec::new());
    rewriter.push(b": ping\n", &mut Holding::of(0), &mut out).unwrap();
    assert_eq!(out, b": ping\n");
    rewriter.push(b"\ndata: [DONE]\r\r", &mut Holding::of(0), &mut out).unwrap();
    assert_eq!((out.as_slice(), rewriter.ending()), (&b": ping\n\ndata: [DONE]\r\r"[..], Ending::Done));
}

fn any_event() -> impl Strategy<Value = String> {
    let delta = prop_oneof![
        "[a-c\"\\\\é😀 \n]{0,6}".prop_map(|text| serde_json::json!({"content": text}).to_string()),
        "[a-c😀 ]{0,6}".prop_map(|text| serde_json::json!({"refusal": text}).to_string()),
        (0..2u8, "[a-c{}\":,\\\\u0-9 ]{0,8}").prop_map(|(n, text)| {
            serde_json::json!({"tool_calls": [{"index": n, "function": {"arguments": text}}]}).to_string()
        }),
        Just("{}".to_owned()),
    ];
    let data = prop_oneof![
        8 => (0..3u8, delta, prop::bool::weighted(0.1)).prop_map(|(index, delta, end)| format!(
            r#"data: {{"id":"c","choices":[{{"index":{index},"delta":{delta},"finish_reason":{}}}]}}"#, if end { "\"stop\"" } else { "null" })),
        1 => Just(": é heartbeat".to_owned()),
        1 => Just("event: x\ndata: {\"x\":\ndata: 1}\nid: 3".to_owned()),
        1 => Just(r#"data: {"choices":[],"usage":{"a":1}}"#.to_owned()),
        1 => Just("data:".to_owned()),
    ];
    (data, prop::sample::select(vec!["\n", "\r\n", "\r"]))
        .prop_map(|(data, end)| (data + "\n\n").replace('\n', end))
}

proptest! {
    /// However the network cuts the stream, the same bytes go out.
    #[test]
    fn any_cutting_gives_the_same_bytes(
        events in prop::collection::vec(any_event(), 0..8), done in any::<bool>(), hold in 0..20usize, bom in any::<bool>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20), single in any::<bool>(),
    ) {
        let mut stream = if bom { "\u{FEFF}".to_owned() } else { String::new() };
        stream.extend(events);
        if done { stream.push_str("data: [DONE]\n\n"); }
        let expected = whole(&stream, hold);
        let bytes = stream.as_bytes();
        let mut at: Vec<usize> = if single { (0..bytes.len()).collect() } else { cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect() };
        at.push(bytes.len());
        at.sort_unstable();
        let mut pieces = Vec::new();
        let mut start = 0;
        for end in at {
            pieces.push(&bytes[start..end]);
            start = end;
        }
        prop_assert_eq!(run(&pieces, &mut Holding::of(hold)), expected);
    }

    /// Whether a chunk is read or known from the last one, the same goes out.
    #[test]
    fn a_chunk_that_is_not_read_comes_out_as_if_it_were(
        texts in prop::collection::vec("[a-c \"\\\\u0-1,:{}é😀\t]{0,8}", 0..8), name in prop::sample::select(vec!["content", "refusal", "arguments"]),
        hold in 0..12usize,
    ) {
        let texts: Vec<String> = texts.iter().map(|text| {
            let quoted = serde_json::to_string(text).unwrap();
            quoted[1..quoted.len() - 1].to_owned()
        }).collect();
        let delta = match name {
            "arguments" => r#"{"tool_calls":[{"index":1,"function":{"arguments":"TEXT"}}]}"#.to_owned(),
            name => format!(r#"{{"{name}":"TEXT"}}"#),
        };
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let [unread, read] = read_or_not(&texts, &delta, hold);
        prop_assert_eq!(unread, read);
    }

    /// Holding back changes where the text is sent, never what it is.
    #[test]
    fn holding_back_changes_no_text(events in prop::collection::vec(any_event(), 0..8), hold in 1..30usize) {
        let stream: String = events.concat().replace("\r\n", "\n").replace('\r', "\n") + "data: [DONE]\n\n";
        prop_assume!(stream.matches("\"stop\"").count() == 0);
        let (now, _) = read(&whole(&stream, 0).0);
        let (late, _) = read(&whole(&stream, hold).0);
        let full = |texts: HashMap<String, String>| texts.into_iter().filter(|(_, text)| !text.is_empty()).collect::<HashMap<_, _>>();
        prop_assert_eq!(full(late), full(now));
    }

    /// Pauses change when the text is sent, never what it is.
    #[test]
    fn pauses_change_no_text(events in prop::collection::vec(any_event(), 0..8), hold in 1..30usize, pauses in prop::collection::vec(any::<bool>(), 8)) {
        let events: Vec<String> = events.iter().map(|event| event.replace("\r\n", "\n").replace('\r', "\n")).collect();
        prop_assume!(events.concat().matches("\"stop\"").count() == 0);
        let (now, _) = read(&whole(&(events.concat() + "data: [DONE]\n\n"), hold).0);
        let (mut rewriter, mut channels, mut out) = (Rewriter::default(), Holding::of(hold), Vec::new());
        for (event, pause) in events.iter().zip(pauses) {
            rewriter.push(event.as_bytes(), &mut channels, &mut out).unwrap();
            if pause {
                rewriter.pause(&mut channels, &mut out);
            }
        }
        rewriter.push(b"data: [DONE]\n\n", &mut channels, &mut out).unwrap();
        let (halting, _) = read(std::str::from_utf8(&out).unwrap());
        let full = |texts: HashMap<String, String>| texts.into_iter().filter(|(_, text)| !text.is_empty()).collect::<HashMap<_, _>>();
        prop_assert_eq!(full(halting), full(now));
    }

    #[test]
    fn no_stream_is_too_strange(bytes in prop::collection::vec(prop::sample::select(b"data: {}[]\"\\\r\n:u0\xff\xef\xbb\xbfchoices".to_vec()), 0..200)) {
        run(&[&bytes], &mut Holding::of(5));
    }
}

/// `cargo test --release -p chatward -- --ignored --nocapture stream_costs`
#[test]
#[ignore = "a measurement"]
fn stream_costs() {
    struct Append;
    impl Channels for Append {
        type Error = ();
        fn push(&mut self, _: ChannelKey, piece: &str, out: &mut String) -> Result<(), ()> {
            out.push_str(piece);
            Ok(())
        }
        fn finish(&mut self, _: ChannelKey, _: &mut String) -> Result<(), ()> {
            Ok(())
        }
    }
    let event = "data: {\"id\":\"chatcmpl-123456\",\"object\":\"chat.completion.chunk\",\"created\":1795000000,\"model\":\"mock-echo\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token\"},\"finish_reason\":null}]}\n\n";
    for (name, together) in [("one event a read", 1u32), ("ten events a read", 10)] {
        let read = event.repeat(together as usize);
        let (mut rewriter, mut out) = (Rewriter::default(), Vec::with_capacity(4096));
        let mut best = std::time::Duration::MAX;
        for _ in 0..20 {
            let start = std::time::Instant::now();
            for _ in 0..2000 {
                out.clear();
                rewriter.push(read.as_bytes(), &mut Append, &mut out).unwrap();
                std::hint::black_box(&out);
            }
            best = best.min(start.elapsed() / 2000 / together);
        }
        println!("{name} ({} bytes): {best:?} an event", event.len());
    }
}
