//! Real customer-service conversations, turn by turn, through a running gateway with an echo bot: what the customer gets
//! back is what was written, what the bot receives and what is kept holds none of it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::thread::ScopedJoinHandle;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::process::{build_chatward, build_shared, capture, command, root};
use crate::server::{Gateway, Mock, Scratch, free_port};
use crate::{data, http, results, score};

const SOURCES: &[&str] = &["multidogo_", "star."];
/// Conversations under way at once.
const WORKERS: usize = 8;
/// Values of this many characters and more are looked for in every file.
const SEARCHED: usize = 9;
/// The head of a value by which it is looked up.
const HEAD: usize = 8;

/// One message of a conversation and what the gold says stands in it.
struct Turn {
    customer: bool,
    text: String,
    /// Type and value.
    gold: Vec<(String, String)>,
}

#[derive(Default)]
struct Report {
    turns: u64,
    same: u64,
    dropped: u64,
    different: Vec<String>,
    failed: Vec<String>,
    leaked: BTreeMap<String, u64>,
    /// Where, for people: the first time each message shows it.
    leaks: BTreeSet<String>,
    accounts: u64,
    kinds: BTreeMap<String, u64>,
    kept: Vec<String>,
}

impl Report {
    fn add(&mut self, other: Self) {
        let Self { turns, same, dropped, different, failed, leaked, leaks, accounts, kinds, kept } = other;
        self.turns += turns;
        self.same += same;
        self.dropped += dropped;
        self.accounts += accounts;
        self.different.extend(different);
        self.failed.extend(failed);
        self.kept.extend(kept);
        self.leaks.extend(leaks);
        for (sum, part) in [(&mut self.leaked, leaked), (&mut self.kinds, kinds)] {
            part.into_iter().for_each(|(kind, n)| *sum.entry(kind).or_default() += n);
        }
    }
}

pub(crate) fn run(limit: u64) -> Result<()> {
    let mut conversations = conversations()?;
    if let Some(last) = usize::try_from(limit).ok().and_then(|limit| conversations.keys().nth(limit)).cloned()
    {
        conversations.split_off(&last);
    }
    let mock = build_shared("tools/mock-upstream", "mock-upstream")?;
    let program = build_chatward()?;
    let bots = Bots::start(&mock)?;
    let config = bots.config.to_string_lossy();
    let gateway = Gateway::start_with(&program, "replay", &["--config", &config], None)?;
    let dropped = Dropped::find(&program, &conversations)?;
    let mut report = Report { kinds: dropped.kinds.clone(), ..Report::default() };
    for part in replay(&gateway, &bots, &conversations, &dropped)? {
        report.add(part);
    }
    search(&gateway, &conversations, &mut report)?;
    finish(&report, limit)
}

/// One echo bot for each worker, so that what a bot received last belongs to what the worker sent last.
struct Bots {
    all: Vec<Mock>,
    config: PathBuf,
    _folder: Scratch,
}

impl Bots {
    fn start(program: &Path) -> Result<Self> {
        let folder = Scratch::new("replay-bots")?;
        let config = folder.path().join("chatward.toml");
        let (mut all, mut text) = (Vec::new(), String::new());
        for worker in 0..WORKERS {
            let mock = Mock::start(program, free_port()?, &["--keep-last"], None)?;
            writeln!(text, "[upstreams.bot-{worker}]\nurl = \"http://127.0.0.1:{}/v1\"", mock.port)?;
            writeln!(text, "models = [\"{}\"]", model(worker))?;
            writeln!(text, "default = {}", worker == 0)?;
            all.push(mock);
        }
        std::fs::write(&config, text)?;
        Ok(Self { all, config, _folder: folder })
    }
}

/// The model that a worker asks for: an echo cut every three characters; the bot heeds no part it does not know.
fn model(worker: usize) -> String {
    format!("mock-echo-c3-x{worker}")
}

/// All conversations, plain and streamed, several at a time.
fn replay(
    gateway: &Gateway,
    bots: &Bots,
    conversations: &BTreeMap<String, Vec<Turn>>,
    dropped: &Dropped,
) -> Result<Vec<Report>> {
    let queue = Mutex::new(conversations.iter().enumerate());
    let next = || queue.lock().ok()?.next();
    std::thread::scope(|scope| {
        let work = |(worker, mock)| {
            let mut report = Report::default();
            while let Some((number, (id, turns))) = next() {
                for stream in [false, true] {
                    let talk = Talk { gateway, mock, worker, id, turns, stream, dropped };
                    talk.run(&mut report)?;
                }
                if number % 500 == 499 {
                    println!("{} of {} conversations", number + 1, conversations.len());
                }
            }
            Ok(report)
        };
        let workers: Vec<_> = bots.all.iter().enumerate().map(|bot| scope.spawn(move || work(bot))).collect();
        let join = |worker: ScopedJoinHandle<'_, Result<Report>>| {
            worker.join().unwrap_or_else(|_| bail!("a worker panicked"))
        };
        workers.into_iter().map(join).collect()
    })
}

/// All conversations: the id up to its last `-` or `:`, turns in order.
fn conversations() -> Result<BTreeMap<String, Vec<Turn>>> {
    let mut all: BTreeMap<String, Vec<(u64, Turn)>> = BTreeMap::new();
    for file in data::files(SOURCES)? {
        for document in data::documents(&file)? {
            let id = document["id"].as_str().context("a document without id")?;
            let (conversation, place) = id.rsplit_once(['-', ':']).unwrap_or((id, "0"));
            let text = document["text"].as_str().context("a document without text")?.to_owned();
            let characters: Vec<char> = text.chars().collect();
            let value = |span: &Value| -> Option<(String, String)> {
                let at = |name: &str| usize::try_from(span[name].as_u64()?).ok();
                let value = characters.get(at("start")?..at("end")?)?.iter().collect();
                Some((span["type"].as_str()?.to_owned(), value))
            };
            let gold = document["spans"].as_array().into_iter().flatten().filter_map(value).collect();
            let customer =
                !matches!(document["role"].as_str(), Some("agent" | "wizard" | "system" | "assistant"));
            let turn = document["turn"].as_u64().or_else(|| place.parse().ok()).unwrap_or(0);
            all.entry(conversation.to_owned()).or_default().push((turn, Turn { customer, text, gold }));
        }
    }
    let ordered = |mut turns: Vec<(u64, Turn)>| {
        turns.sort_by_key(|(turn, _)| *turn);
        turns.into_iter().map(|(_, turn)| turn).collect()
    };
    Ok(all.into_iter().map(|(id, turns)| (id, ordered(turns))).collect())
}

/// Whether the bot must not see a gold value; account numbers are only reported.
fn must_hide(kind: &str, value: &str) -> bool {
    match kind {
        "EMAIL" => value.contains('@'),
        "CREDIT_CARD" => score::luhn(value),
        "IBAN" => score::mod_97(value),
        "US_SSN" => score::issuable_ssn(value),
        "PHONE" => value.chars().filter(char::is_ascii_digit).count() >= 10,
        _ => false,
    }
}

/// Values that are dropped and never come back: password, card code and the like.
struct Dropped {
    /// By conversation: once dropped, a value is dropped wherever it stands again.
    values: HashMap<String, BTreeSet<String>>,
    kinds: BTreeMap<String, u64>,
}

impl Dropped {
    /// Asks `chatward scan`, with the bot's last answer (an echo) as what was said before.
    fn find(program: &Path, conversations: &BTreeMap<String, Vec<Turn>>) -> Result<Self> {
        let never = dropped_kinds()?;
        let scratch = Scratch::new("replay-scan")?;
        let input = scratch.path().join("in.jsonl");
        let mut lines = String::new();
        for (id, turns) in conversations {
            let mut previous: Option<&str> = None;
            for (number, turn) in turns.iter().enumerate() {
                if turn.customer {
                    let line = json!({"id": [id, number], "text": turn.text, "previous": previous});
                    writeln!(lines, "{line}")?;
                }
                previous = Some(&turn.text);
            }
        }
        let mut values: HashMap<String, BTreeSet<String>> = HashMap::new();
        let mut kinds = BTreeMap::new();
        // Twice: a note in place of a value ("[removed: pin]") is a word beside what is left, in the echo.
        for again in [false, true] {
            let before = values.clone();
            std::fs::write(&input, std::mem::take(&mut lines))?;
            let mut scan = command(program);
            let found = capture(scan.args(["scan", "--quiet", "--input-format", "jsonl"]).arg(&input))?;
            for line in found.lines() {
                let line: Value = serde_json::from_str(line)?;
                let id = line["id"][0].as_str().context("a finding without id")?.to_owned();
                let number = usize::try_from(line["id"][1].as_u64().context("a finding without turn")?)?;
                let turn = conversations.get(&id).and_then(|turns| turns.get(number));
                let written = turn.map_or("", |turn| &turn.text);
                let text = if again { noted(written, before.get(&id)) } else { written.to_owned() };
                let byte = |point: u64| {
                    text.char_indices().nth(usize::try_from(point).unwrap_or(0)).map_or(text.len(), |c| c.0)
                };
                for span in line["spans"].as_array().into_iter().flatten() {
                    let kind = span["kind"].as_str().unwrap_or_default();
                    if !again {
                        *kinds.entry(kind.to_owned()).or_default() += 1;
                    }
                    if never.contains(kind) {
                        let (start, end) =
                            (span["start"].as_u64().unwrap_or(0), span["end"].as_u64().unwrap_or(0));
                        let value = text.get(byte(start)..byte(end)).unwrap_or_default().to_owned();
                        values.entry(id.clone()).or_default().insert(value);
                    }
                }
            }
            for (id, turns) in conversations {
                for (number, turn) in turns.iter().enumerate().filter(|(_, turn)| turn.customer) {
                    let text = noted(&turn.text, values.get(id));
                    if text != turn.text {
                        writeln!(lines, "{}", json!({"id": [id, number], "text": text}))?;
                    }
                }
            }
        }
        Ok(Self { values, kinds })
    }

    /// Whether an answer differs only where a value of this conversation was dropped.
    fn explains(&self, id: &str, written: &str, answer: &str) -> bool {
        self.values.get(id).is_some_and(|values| same_but(values, written, answer))
    }
}

/// A text with a note in place of each of these values, much as a bot receives it.
fn noted(text: &str, values: Option<&BTreeSet<String>>) -> String {
    values.into_iter().flatten().fold(text.to_owned(), |text, value| text.replace(value, "[removed: pin]"))
}

/// Whether `answer` is `written` with some of `values` replaced by `[removed: …]`.
fn same_but(values: &BTreeSet<String>, written: &str, answer: &str) -> bool {
    let Some((head, rest)) = answer.split_once("[removed: ") else { return written == answer };
    let (Some(written), Some((_, answer))) = (written.strip_prefix(head), rest.split_once(']')) else {
        return false;
    };
    let removed = |value: &String| written.strip_prefix(value.as_str());
    values.iter().filter_map(removed).any(|written| same_but(values, written, answer))
}

/// Kinds whose class is never given back, from the rule files.
fn dropped_kinds() -> Result<BTreeSet<String>> {
    let mut kinds = BTreeSet::new();
    for entry in std::fs::read_dir(root().join("rules"))? {
        let text = std::fs::read_to_string(entry?.path()).unwrap_or_default();
        let field = |name: &str| {
            text.lines().find_map(|line| {
                let (key, value) = line.split_once('=')?;
                (key.trim() == name).then(|| value.split('"').nth(1).unwrap_or_default().to_owned())
            })
        };
        if matches!(field("class").as_deref(), Some("secret" | "payment-never-kept")) {
            kinds.extend(field("kind"));
        }
    }
    Ok(kinds)
}

/// One conversation, with its whole history each time, as clients send it.
struct Talk<'a> {
    gateway: &'a Gateway,
    mock: &'a Mock,
    worker: usize,
    id: &'a str,
    turns: &'a [Turn],
    stream: bool,
    dropped: &'a Dropped,
}

impl Talk<'_> {
    fn run(&self, report: &mut Report) -> Result<()> {
        let Self { gateway, mock, worker, id, turns, stream, dropped } = self;
        let name = format!("{id}-{}", if *stream { "stream" } else { "plain" });
        let bearer = format!("Bearer replay-{worker}");
        let mut history: Vec<Value> = Vec::new();
        let mut secret: Vec<(&str, &str)> = Vec::new();
        for (number, turn) in turns.iter().enumerate() {
            let role = if turn.customer { "user" } else { "assistant" };
            history.push(json!({"role": role, "content": turn.text}));
            secret.extend(turn.gold.iter().map(|(kind, value)| (kind.as_str(), value.as_str())));
            if !turn.customer {
                continue;
            }
            report.turns += 1;
            // The model first: the bot looks for the first `"model"`, also in what customers write.
            let (model, history_text) = (model(*worker), Value::from(history.clone()));
            let body = format!(r#"{{"model":"{model}","stream":{stream},"messages":{history_text}}}"#);
            let headers = [
                ("content-type", "application/json"),
                ("authorization", bearer.as_str()),
                ("chatward-conversation", name.as_str()),
            ];
            let answer = http::post(gateway.public, "/v1/chat/completions", &headers, body.as_bytes())?;
            if answer.status != 200 || answer.header("chatward-turn").is_none() {
                report.failed.push(format!("{name} turn {number}: status {}", answer.status));
                continue;
            }
            let said = if *stream { streamed(&answer.text()) } else { plain(&answer.body) };
            match said {
                Some(said) if said == turn.text => report.same += 1,
                Some(said) if dropped.explains(id, &turn.text, &said) => report.dropped += 1,
                said => {
                    let got = said.unwrap_or_else(|| "no whole answer".to_owned());
                    report.different.push(format!("{name} turn {number}: {} => {got}", turn.text));
                }
            }
            history.push(json!({"role": "assistant", "content": turn.text}));
            let received = received(&http::get(mock.port, "/last", &[])?.body);
            for (kind, value) in secret.iter().filter(|(_, value)| has_token(&received, value)) {
                if must_hide(kind, value) {
                    *report.leaked.entry((*kind).to_owned()).or_default() += 1;
                    report.leaks.insert(format!("{kind} `{value}`: {}", said_in(turns, value)));
                } else if *kind == "BANK_ACCOUNT" {
                    report.accounts += 1;
                }
            }
        }
        Ok(())
    }
}

/// The messages of a conversation in which a value stands.
fn said_in(turns: &[Turn], value: &str) -> String {
    let said = turns.iter().map(|turn| turn.text.as_str()).filter(|text| has_token(text, value));
    said.collect::<Vec<_>>().join(" | ")
}

fn plain(body: &[u8]) -> Option<String> {
    let answer: Value = serde_json::from_slice(body).ok()?;
    answer["choices"][0]["message"]["content"].as_str().map(str::to_owned)
}

/// The text of a stream that ended as it should.
fn streamed(body: &str) -> Option<String> {
    let mut text = String::new();
    for event in body.lines().filter_map(|line| line.strip_prefix("data:")) {
        let event = event.trim();
        if event == "[DONE]" {
            return Some(text);
        }
        let chunk: Value = serde_json::from_str(event).ok()?;
        text.push_str(chunk["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
    }
    None
}

/// All message texts of the body that the bot got.
fn received(body: &[u8]) -> String {
    let Ok(body) = serde_json::from_slice::<Value>(body) else {
        return String::from_utf8_lossy(body).into_owned();
    };
    let messages = body["messages"].as_array().into_iter().flatten();
    messages
        .map(|m| m["content"].as_str().map_or_else(|| m.to_string(), str::to_owned))
        .collect::<Vec<_>>()
        .join("\n")
}

/// Whether `value` stands in `text` and is not part of a longer word or number.
fn has_token(text: &str, value: &str) -> bool {
    !value.is_empty() && text.match_indices(value).any(|(at, _)| is_token(text.as_bytes(), at, value.len()))
}

fn is_token(text: &[u8], at: usize, length: usize) -> bool {
    let word = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    !word(at.checked_sub(1).and_then(|before| text.get(before))) && !word(text.get(at + length))
}

/// Looks for every long value in every file of the gateway (data, keys, what it printed) and in its metrics.
fn search(gateway: &Gateway, conversations: &BTreeMap<String, Vec<Turn>>, report: &mut Report) -> Result<()> {
    let mut values: HashMap<&[u8], BTreeSet<&str>> = HashMap::new();
    for (kind, value) in conversations.values().flatten().flat_map(|turn| &turn.gold) {
        if must_hide(kind, value) && value.chars().count() >= SEARCHED {
            values.entry(value.as_bytes().get(..HEAD).unwrap_or_default()).or_default().insert(value);
        }
    }
    // Nearly every place is passed over by its first two bytes alone.
    let pair = |head: &[u8]| match head {
        [a, b, ..] => usize::from(*a) << 8 | usize::from(*b),
        _ => 0,
    };
    let mut begins = vec![false; 1 << 16];
    for head in values.keys() {
        begins[pair(head)] = true;
    }
    let mut look = |name: &str, bytes: &[u8]| {
        for (at, head) in bytes.windows(HEAD).enumerate().filter(|(_, head)| begins[pair(head)]) {
            for value in values.get(head).into_iter().flatten() {
                let here = bytes.get(at..at + value.len()) == Some(value.as_bytes());
                if here && is_token(bytes, at, value.len()) {
                    report.kept.push(format!("{name} at byte {at}"));
                }
            }
        }
    };
    let mut folders = vec![gateway.folder.path().to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.is_file() {
                look(&path.display().to_string(), &std::fs::read(&path)?);
            }
        }
    }
    look("/metrics", gateway.metrics()?.as_bytes());
    Ok(())
}

fn finish(report: &Report, limit: u64) -> Result<()> {
    let leaked: u64 = report.leaked.values().sum();
    let mut text = String::from("| what | figure | wanted |\n| --- | --: | --- |\n");
    for (what, figure, wanted) in [
        ("turns (each plain and streamed)", report.turns, ""),
        ("answers equal to what was written", report.same, ""),
        ("answers that differ only where something was dropped", report.dropped, "counted"),
        ("other answers", report.different.len() as u64, "0"),
        ("failed requests", report.failed.len() as u64, "0"),
        ("gold e-mails, cards, IBANs, SSNs, phones seen by the bot", leaked, "0"),
        ("gold account numbers seen by the bot", report.accounts, "reported"),
        ("such values in files, logs, metrics", report.kept.len() as u64, "0"),
    ] {
        writeln!(text, "| {what} | {figure} | {wanted} |")?;
    }
    text.push_str("\nFindings per kind: ");
    let kinds: Vec<String> = report.kinds.iter().map(|(kind, n)| format!("{kind} {n}")).collect();
    writeln!(text, "{}", kinds.join(", "))?;
    println!("{text}");
    for faults in [&report.failed, &report.different, &report.kept] {
        faults.iter().take(20).for_each(|line| println!("  {line}"));
    }
    for (kind, n) in &report.leaked {
        println!("  the bot saw {kind}: {n}");
    }
    report.leaks.iter().take(200).for_each(|line| println!("  the bot saw {line}"));
    let bad = leaked + (report.different.len() + report.failed.len() + report.kept.len()) as u64;
    let verb = if limit == u64::MAX { "replay".to_owned() } else { format!("replay {limit}") };
    results::write("replay", &verb, &text)?;
    if bad == 0 { Ok(()) } else { bail!("{bad} faults") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_dropped_values_explain_a_difference() {
        let values = BTreeSet::from(["hunter2".to_owned()]);
        assert!(same_but(
            &values,
            "it is hunter2, hunter2",
            "it is [removed: password], [removed: password]"
        ));
        assert!(!same_but(&values, "it is hunter3", "it is [removed: password]"));
        assert!(!same_but(&values, "it is hunter2!", "it is [removed: password]"));
    }

    #[test]
    fn only_whole_tokens_count() {
        assert!(has_token("call 5551234567, please", "5551234567"));
        assert!(!has_token("id 15551234567", "5551234567"));
    }

    #[test]
    fn a_stream_without_an_end_is_no_answer() {
        let event = "data: {\"choices\":[{\"delta\":{\"content\":\"ab\"}}]}\n\n";
        assert_eq!(streamed(&format!("{event}{event}data: [DONE]\n\n")).as_deref(), Some("abab"));
        assert_eq!(streamed(event), None);
    }
}
