//! What each fuzz target does with its bytes, and what must hold whatever they are.
//!
//! One function a target, used twice: by `fuzz_targets/NAME.rs` under libFuzzer, and by `cargo test` on the kept corpus
//! (`crates/chatward/tests/fuzz_corpus.rs` takes this file by its path), so that both always ask the same.
//!
//! Cuttings of streams are drawn from the bytes themselves: an input behaves the same every time, and its file holds
//! nothing but what the parser reads.

mod behaviour;
mod intel;
mod kept;

use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use chatward::channel::probe::{Probe, Probed};
use chatward::cli::InputFormat;
use chatward::config::{Flags, Loaded};
use chatward::control;
use chatward::openai::stream::{ChannelKey, Channels, Ending, Rewriter, StreamLimits};
use chatward::openai::{Limits, Problem, Reply, Request};
use chatward_attach::{Inspector, Limits as FileLimits, Sent};
use chatward_detect::link::{Judge, JudgedLink, Settings};
use chatward_detect::threat::leak::{Canaries, Instructions, Watching};
use chatward_detect::threat::rules::ThreatRules;
use chatward_detect::threat::{Reader, Reading};
use chatward_detect::{Context, Detector, Options, Out, RuleSource};
use chatward_message::{
    Action, Channel, Destination, Event, Facts, FixedClock, Place, Plain, Sealed, Span, TenantId, UnixMillis,
};
use chatward_policy::HandlingTable;
use chatward_store::log::verify::{Checkpoint, Held, Vkey, verify};
use chatward_store::{Keyring, Store, StoreOptions};
use chatward_vault::{
    CustomerKey, FileSeal, Labels, Mode, Placeholders, ReplyReport, ReplyText, Restorer, Scope, Vault,
};
use serde_json::Value;

pub use behaviour::behaviour;
pub use intel::{intel_lines, intel_misp, intel_stix};
pub use kept::{backups, certificate, policies, records, routes, wrapped_keys};

/// A fuzz target: what is done with an input, with a panic if something does not hold.
pub type Target = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: &[(&str, Target)] = &[
    ("attachment", attachment),
    ("backups", backups),
    ("behaviour", behaviour),
    ("certificate", certificate),
    ("channel", channel),
    ("config", config),
    ("control", control),
    ("detect", detect),
    ("intel_lines", intel_lines),
    ("intel_misp", intel_misp),
    ("intel_stix", intel_stix),
    ("key_files", key_files),
    ("links", links),
    ("log_files", log_files),
    ("placeholders", placeholders),
    ("policies", policies),
    ("records", records),
    ("reply", reply),
    ("request", request),
    ("routes", routes),
    ("rules", rules),
    ("scan", scan),
    ("sealed", sealed),
    ("stream", stream),
    ("threats", threats),
    ("wrapped_keys", wrapped_keys),
];

static DETECTOR: LazyLock<Arc<Detector>> = LazyLock::new(|| Arc::new(Detector::builtin().unwrap()));

/// Numbers that follow from an input (xorshift, begun with its FNV-1a hash).
pub struct Dice(u64);

impl Dice {
    /// Dice that always fall the same for these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let hash = |h: u64, b: &u8| (h ^ u64::from(*b)).wrapping_mul(0x0100_0000_01b3);
        Self(bytes.iter().fold(0xcbf2_9ce4_8422_2325, hash) | 1)
    }

    /// One of `0..below`.
    pub fn throw(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 11).unwrap_or(0) % below.max(1)
    }
}

static PROBE: LazyLock<Probe> = LazyLock::new(|| Probe::new().unwrap());

/// A file that somebody sends, behind its name and a new line. Whatever is in it, it is looked into within the limits, and what is told
/// of it stands at files that were found.
pub fn attachment(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (name, file) = bytes.split_at(end);
    let name = String::from_utf8_lossy(name);
    let limits = FileLimits {
        unpacked: 1 << 20,
        entry: 512 << 10,
        entries: 50,
        depth: 4,
        work: 32 << 20,
        text: 20_000,
        links: 50,
        ..FileLimits::default()
    };
    let sent = Sent { name: &name, media_type: None, bytes: file.get(1..).unwrap_or_default() };
    let verdict = Inspector::new(limits.clone()).inspect(&sent, &|_| None);
    assert!(!verdict.inside.is_empty() && verdict.inside.len() <= limits.entries + 1);
    assert!(verdict.work <= limits.work && verdict.links.len() <= limits.links);
    assert!(verdict.texts.iter().map(|passage| passage.text.len()).sum::<usize>() <= limits.text);
    let places =
        verdict.signs.iter().map(|found| found.at).chain(verdict.not_looked.iter().map(|one| one.at));
    assert!(places.max().is_none_or(|at| at < verdict.inside.len()));
}

/// A request of the encrypted channel. What did not come from a client that has the key never opens, and is told one thing; what is
/// inside is a request for customers' own routes or nothing, and reads the same with more padding behind it.
pub fn channel(bytes: &[u8]) {
    let answered = PROBE.open(bytes);
    let refused =
        matches!(&answered, Probed::Refused(400, told) if told.len() < 600 && told.contains("\"code\":\""));
    assert!(refused, "it opened: {answered:?}");
    let read = Probe::inside(bytes);
    if let Probed::Opened(path, _) = &read {
        assert!(["/chat/v1/", "/me/v1/", "/account/v1/"].iter().any(|below| path.starts_with(below)));
        assert_eq!(Probe::inside(&[bytes, &[0; 9]].concat()), read);
    }
}

/// Cuttings of some bytes: each alone, and two at random places.
fn cuttings(bytes: &[u8]) -> Vec<Vec<&[u8]>> {
    let mut dice = Dice::of(bytes);
    let mut all = vec![bytes.chunks(1).collect()];
    for longest in [6, 60] {
        let (mut pieces, mut rest) = (Vec::new(), bytes);
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((1 + dice.throw(longest)).min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        all.push(pieces);
    }
    all
}

/// The same for a text, between its characters.
fn text_cuttings(text: &str) -> Vec<Vec<&str>> {
    let pieces_of = |pieces: Vec<&[u8]>| {
        let (mut at, mut from, mut cut) = (0, 0, Vec::new());
        for piece in pieces {
            at += piece.len();
            if at > from && text.is_char_boundary(at) {
                cut.extend(text.get(from..at));
                from = at;
            }
        }
        cut
    };
    cuttings(text.as_bytes()).into_iter().map(pieces_of).collect()
}

/// JSON without the insides of its strings: what no rewriting of texts may touch.
fn skeleton(json: &[u8]) -> Vec<u8> {
    let (mut out, mut inside, mut escaped) = (Vec::with_capacity(json.len()), false, false);
    for &byte in json {
        match (inside, byte) {
            (true, _) if escaped => escaped = false,
            (true, b'\\') => escaped = true,
            (true, b'"') | (false, _) => {
                inside ^= byte == b'"';
                out.push(byte);
            }
            (true, _) => {}
        }
    }
    out
}

/// As many texts as asked for, each its own, with everything JSON must escape.
fn masks(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("[M_{n} \"\\\n\u{1}é]")).collect()
}

fn exposed(texts: &[Plain]) -> Vec<&str> {
    texts.iter().map(Plain::expose).collect()
}

/// A request's body. Unchanged texts give the very bytes; changed ones change nothing else and are read again as they
/// were put in; no content of a message is missed.
pub fn request(bytes: &[u8]) {
    let body = Bytes::copy_from_slice(bytes);
    let Ok(mut request) = Request::parse(body.clone(), &Limits::default()) else { return };
    let same = |_: &str, value: &str| value.to_owned();
    let files: Vec<String> = request.files().map(|file| file.text.into_owned()).collect();
    request.files().for_each(|file| drop(file.open()));
    let texts = request.take_texts();
    assert_eq!(request.fill(&exposed(&texts), same).unwrap(), body, "unchanged texts changed the body");
    assert!(request.fill(&vec![""; texts.len() + 1], same).is_err());

    // serde_json's own reading; it refuses some numbers and depths that may pass here.
    if let Ok(value) = serde_json::from_slice::<Value>(bytes) {
        let taken = exposed(&texts);
        for message in value["messages"].as_array().into_iter().flatten() {
            let content = &message["content"];
            let parts = content.as_array().into_iter().flatten().map(|part| &part["text"]);
            for text in
                parts.chain([content, &message["refusal"], &message["name"]]).filter_map(Value::as_str)
            {
                assert!(text.is_empty() || taken.contains(&text), "a text was missed");
            }
            for part in content.as_array().into_iter().flatten() {
                let bytes = [
                    &part["file"]["file_data"],
                    &part["image_url"],
                    &part["image_url"]["url"],
                    &part["input_audio"]["data"],
                ];
                for data in bytes.into_iter().filter_map(Value::as_str) {
                    assert!(files.iter().any(|file| file == data), "a file was missed");
                }
            }
        }
    }

    let masks = masks(texts.len());
    let filled = request.fill(&masks, same).unwrap();
    assert_eq!(skeleton(&filled), skeleton(bytes), "something beside the texts changed");
    let mut again = Request::parse(filled, &Limits::default()).unwrap();
    assert_eq!(exposed(&again.take_texts()), masks, "texts are read otherwise than they were put in");
    assert_eq!(
        (again.model(), again.stream(), again.user(), again.safety_identifier()),
        (request.model(), request.stream(), request.user(), request.safety_identifier())
    );
    request.fill(&masks, |key, value| format!("{}\"{}", key.len(), value.len())).unwrap();
}

/// An answer's body, good or an error: the same as [`request`]; only what would repeat a text becomes null.
pub fn reply(bytes: &[u8]) {
    for parse in [Reply::parse, Reply::parse_error] {
        let body = Bytes::copy_from_slice(bytes);
        let Ok(mut reply) = parse(body.clone()) else { continue };
        let texts = reply.take_texts();
        let filled = reply.fill(&exposed(&texts)).unwrap();
        let text = std::str::from_utf8(bytes).unwrap();
        if !["logprobs", "delta", "text", "\\u"].iter().any(|word| text.contains(word)) {
            assert_eq!(filled, body, "unchanged texts changed the body");
        }
        let mut again = parse(filled.clone()).unwrap();
        let texts_again = again.take_texts();
        assert_eq!(exposed(&texts_again), exposed(&texts));
        assert_eq!(again.fill(&exposed(&texts_again)).unwrap(), filled, "a second reading changes more");

        let masks = masks(texts.len());
        let masked = reply.fill(&masks).unwrap();
        assert_eq!(skeleton(&masked), skeleton(&filled), "something beside the texts changed");
        assert_eq!(exposed(&parse(masked).unwrap().take_texts()), masks);
    }
}

/// Writes each text in capitals and holds back a stretch whose length follows from the text so far.
#[derive(Default)]
struct Holding {
    hold: usize,
    texts: HashMap<ChannelKey, (String, usize)>,
}

impl Channels for Holding {
    type Error = ();

    fn push(&mut self, key: ChannelKey, piece: &str, out: &mut String) -> Result<(), ()> {
        let (text, sent) = self.texts.entry(key).or_default();
        text.push_str(piece);
        if text.contains("STOP") {
            return Err(());
        }
        let hold = if self.hold == 0 { 0 } else { text.len() * 31 % self.hold };
        let upto = text.floor_char_boundary(text.len().saturating_sub(hold));
        if upto > *sent {
            out.push_str(&text.get(*sent..upto).unwrap().to_ascii_uppercase());
            *sent = upto;
        }
        Ok(())
    }

    fn finish(&mut self, key: ChannelKey, out: &mut String) -> Result<(), ()> {
        if let Some((text, sent)) = self.texts.remove(&key) {
            out.push_str(&text.get(sent..).unwrap().to_ascii_uppercase());
        }
        Ok(())
    }
}

/// What is sent for a stream in these pieces, how it ends, and whether it had to be stopped.
fn rewritten(pieces: &[&[u8]], hold: usize, limits: StreamLimits) -> (Vec<u8>, Ending, bool) {
    let mut channels = Holding { hold, ..Holding::default() };
    let (mut rewriter, mut out) = (Rewriter::new(limits), Vec::new());
    let broken = Problem::from_code(chatward::problem::Code::UpstreamCut);
    for piece in pieces {
        if rewriter.push(piece, &mut channels, &mut out).is_err() {
            rewriter.cut(&broken, &mut out);
            return (out, rewriter.ending(), true);
        }
    }
    let ended = rewriter.finish(&broken, &mut channels, &mut out);
    assert!(ended.is_ok(), "holding never stops at the end");
    (out, rewriter.ending(), false)
}

/// An answer as server-sent events: the same is sent for every cutting, and each event stays JSON.
pub fn stream(bytes: &[u8]) {
    for (hold, texts) in [(0, 1024), (40, 1024), (7, 2)] {
        let limits = StreamLimits { texts, ..StreamLimits::default() };
        let whole = rewritten(&[bytes], hold, limits);
        for pieces in cuttings(bytes) {
            let cut = rewritten(&pieces, hold, limits);
            assert_eq!(
                (String::from_utf8_lossy(&cut.0), cut.1, cut.2),
                (String::from_utf8_lossy(&whole.0), whole.1, whole.2),
                "another cutting, another stream"
            );
        }
        let out = String::from_utf8(whole.0).expect("what is sent is UTF-8");
        if whole.2 {
            continue;
        }
        for data in out.split(['\n', '\r']).filter_map(|line| line.strip_prefix("data:")).map(str::trim) {
            let json = serde_json::from_str::<serde::de::IgnoredAny>(data);
            assert!(data.is_empty() || data == "[DONE]" || json.is_ok(), "not JSON: {data}");
        }
    }
}

/// What a window gives out for these pieces, as `(span, rule)`.
fn streamed(detector: &Arc<Detector>, pieces: &[&str]) -> (String, Vec<(Span, String)>) {
    let mut window = detector.window(Context::default());
    let (mut text, mut found, mut open) = (String::new(), Vec::new(), None);
    let mut sink = |out: Out<'_>| match out {
        Out::Text(words) => {
            assert!(!words.is_empty() && open.is_none());
            text.push_str(words);
        }
        Out::Found(finding, words) => {
            assert_eq!((finding.span.start, finding.span.len()), (text.len(), words.len()));
            text.push_str(words);
            found.push((finding.span, finding.rule.id.to_string()));
        }
        Out::LongStart(finding, words) => {
            assert_eq!((finding.span.start, finding.span.len()), (text.len(), words.len()));
            text.push_str(words);
            open = Some(finding.span.start);
        }
        Out::LongMore(words) => {
            assert!(!words.is_empty() && open.is_some());
            text.push_str(words);
        }
        Out::LongEnd(finding) => {
            assert_eq!((open.take(), finding.span.end), (Some(finding.span.start), text.len()));
            found.push((finding.span, finding.rule.id.to_string()));
        }
    };
    let mut most = 0;
    for piece in pieces {
        window.push(piece, &mut sink);
        most = most.max(window.held());
    }
    window.finish(&mut sink);
    assert!(most <= 192 && window.held() == 0, "{most} bytes held");
    (text, found)
}

/// Findings are in order, do not overlap, fit the text; a window finds the same whatever the cutting.
fn found_alike(detector: &Arc<Detector>, text: &str) {
    let (mut done, mut found) = (0, Vec::new());
    for finding in detector.find(text, Context::default()) {
        assert!(finding.span.start >= done && !finding.span.is_empty());
        assert!(finding.span.of(text).is_some());
        done = finding.span.end;
        found.push((finding.span, finding.rule.id.to_string()));
    }
    for pieces in text_cuttings(text) {
        let (given, streamed) = streamed(detector, &pieces);
        assert_eq!(given, text, "a window changes the text");
        assert_eq!(streamed, found, "a stream finds otherwise than the whole");
    }
}

/// Any text, under the built-in rules.
pub fn detect(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    found_alike(&DETECTOR, text);
    DETECTOR.explain(text, Context::default());
}

/// Any text: its addresses have places in it, are judged with scores that are shares, and stand in any part that holds them.
pub fn links(bytes: &[u8]) {
    static JUDGE: LazyLock<Judge> = LazyLock::new(|| {
        let (own, allowed) = (vec!["acme-widgets.com".to_owned()], vec!["cdn.example.org/assets".to_owned()]);
        Judge::new(&Settings { own, allowed, ..Settings::default() }).unwrap()
    });
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for channel in Channel::ALL {
        let judged = JUDGE.text(text, channel, &["anna smith"]);
        assert!(judged.links.len() <= chatward_detect::link::MOST);
        for JudgedLink { link, signs, .. } in judged.links {
            assert!(link.span.start <= link.target.start && link.target.end <= link.span.end, "{link:?}");
            assert!(
                !link.target.is_empty() && text.get(link.span.start..link.span.end).is_some(),
                "{link:?}"
            );
            assert!(text.get(link.target.start..link.target.end).is_some(), "{link:?}");
            assert!(
                signs.iter().all(|sign| (0.0..=1.0).contains(&sign.score) && sign.span == Some(link.span))
            );
        }
    }
}

/// Any text: its forms have places in it, what models and rules say of it are shares at places of it, and a canary word that is
/// put into it is found for every cutting. As a rule file it is compiled or refused.
pub fn threats(bytes: &[u8]) {
    static READER: LazyLock<Reader> = LazyLock::new(|| Reader::new().unwrap());
    static RULES: LazyLock<ThreatRules> = LazyLock::new(|| ThreatRules::new(&[], READER.words()).unwrap());
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let stands = |span: Span| text.get(span.start..span.end).is_some();
    for channel in Channel::ALL {
        let (mut reading, mut signs) = (Reading::default(), Vec::new());
        READER.forms(text, &mut |form| {
            assert!(stands(form.span(0, form.text.len())));
            READER.add(form, &mut reading);
            RULES.add(form, channel, READER.words(), &mut signs);
        });
        let verdict = READER.judge(&reading, channel);
        assert!((0.0..=1.0).contains(&verdict.risk) && stands(verdict.span), "{verdict:?}");
        for sign in signs {
            assert!((0.0..=1.0).contains(&sign.score) && sign.span.is_none_or(stands), "{sign:?}");
        }
    }
    let instructions = Instructions::new([text]);
    assert!((0.0..=1.0).contains(&instructions.repeated(text)));
    let canaries = Canaries::new(&["heron-2201".to_owned()]);
    let with = format!("{text}heron-2201{text}");
    let mut at = text.len() / 2;
    while !with.is_char_boundary(at) {
        at += 1;
    }
    let (mut watching, (head, tail)) = (Watching::default(), with.split_at(at));
    let found = canaries.push(&mut watching, head).or_else(|| canaries.push(&mut watching, tail));
    assert_eq!(found, with.to_ascii_lowercase().find("heron-2201").map(|at| at as u64));
    let _ = ThreatRules::new(&[("fuzz.yaml", text)], READER.words());
}

/// Any text as a rule file: compiled or refused; what compiles finds the same in a stream as in a whole.
pub fn rules(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let files = [RuleSource { name: "fuzz.toml", text }];
    if let Ok(detector) = Detector::compile(&files, &Options::default()) {
        found_alike(&Arc::new(detector), text);
    }
}

/// Keys that live as long as the process; their folder is gone already, so that nothing is left behind.
struct Keys {
    vault: Vault,
    key: CustomerKey,
    tenant: TenantId,
    sealed: Sealed,
    /// An operator key file and the seal file under it.
    operator: Vec<u8>,
    seal: Vec<u8>,
    keyring: Keyring,
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

fn place(tenant: &TenantId) -> Place<'_> {
    Place { tenant, table: "turns", column: "received", row: b"row" }
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let operator = dir.path().join("operator.key");
    let keys = dir.path().join("keys");
    fs::create_dir(&keys).unwrap();
    let keyring = Keyring::open(&keys).unwrap();
    let seal = Box::new(FileSeal::create(&operator).unwrap());
    let clock = Arc::new(FixedClock::at(UnixMillis(7)));
    runtime().block_on(async {
        let vault = Vault::open(&keys, seal, keyring.clone(), clock).await.unwrap();
        let (_, key) = vault.fresh_customer().await.unwrap();
        let tenant = TenantId::default_tenant();
        let sealed = vault.seal(&key, place(&tenant), b"Anna lives in Bonn").unwrap();
        let (operator, seal) = (fs::read(&operator).unwrap(), fs::read(keys.join("seal")).unwrap());
        Keys { vault, key, tenant, sealed, operator, seal, keyring }
    })
});

/// Bytes changed as other bytes say: every three of them are a place and what happens there.
fn edited(of: &[u8], edits: &[u8]) -> Vec<u8> {
    let mut bytes = of.to_vec();
    for edit in edits.chunks_exact(3).take(64) {
        let &[high, low, what] = edit else { continue };
        let at = usize::from(u16::from_be_bytes([high & 0x3f, low])) % (bytes.len() + 1);
        match (high >> 6, bytes.get_mut(at)) {
            (0 | 1, Some(byte)) => *byte ^= what,
            (2, Some(_)) => drop(bytes.remove(at)),
            (3, Some(_)) if what > 250 => bytes.truncate(at),
            _ => bytes.insert(at, what),
        }
    }
    bytes
}

/// An envelope: nothing that was not sealed here opens, nor does anything sealed that was changed.
pub fn sealed(bytes: &[u8]) {
    let Keys { vault, key, tenant, sealed, .. } = &*KEYS;
    let open = |bytes: Vec<u8>| vault.open_sealed(key, place(tenant), &Sealed::from_bytes(bytes));
    // libFuzzer watches comparisons, and so learns the very envelope.
    assert_eq!(open(bytes.to_vec()).is_ok(), bytes == sealed.as_bytes(), "a foreign envelope opened");
    let changed = edited(sealed.as_bytes(), bytes);
    let same = changed == sealed.as_bytes();
    assert_eq!(open(changed).is_ok(), same, "a changed envelope opened");
    let elsewhere = Place { column: "reply", ..place(tenant) };
    assert!(vault.open_sealed(key, elsewhere, sealed).is_err());
}

fn write_private(path: &Path, bytes: &[u8]) {
    fs::write(path, bytes).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// The operator's key file and the seal file: read or refused; a changed seal file never opens.
pub fn key_files(bytes: &[u8]) {
    let keys = &*KEYS;
    let dir = tempfile::tempdir().unwrap();
    let (operator, seal) = (dir.path().join("operator.key"), dir.path().join("seal"));
    for text in [bytes.to_vec(), edited(&keys.operator, bytes)] {
        write_private(&operator, &text);
        if FileSeal::open(&operator).is_ok() {
            assert!(text.starts_with(b"chatward-operator-key v1"));
        }
    }
    write_private(&operator, &keys.operator);
    for text in [bytes.to_vec(), edited(&keys.seal, bytes)] {
        // White space between the lines says nothing.
        let words =
            |text: &[u8]| text.iter().copied().filter(|b| !b.is_ascii_whitespace()).collect::<Vec<_>>();
        if words(&text) == words(&keys.seal) {
            continue;
        }
        write_private(&seal, &text);
        let root = Box::new(FileSeal::open(&operator).unwrap());
        let clock = Arc::new(FixedClock::at(UnixMillis(7)));
        let opened = runtime().block_on(Vault::open(dir.path(), root, keys.keyring.clone(), clock));
        assert!(opened.is_err(), "a changed seal file opened");
    }
}

/// What a conversation's table would restore: an e-mail, a card, a name in double quotes.
struct Conversation {
    restorer: Arc<Restorer>,
    values: [&'static str; 3],
}

static CONVERSATION: LazyLock<Conversation> = LazyLock::new(|| {
    let values = ["anna@schmidt.example", "4111 1111 1111 1111", "DE89 3704 0044 0532 0130 00"];
    let text = format!("mail {} card {} iban {} and [EMAIL_7] typed", values[0], values[1], values[2]);
    let inspected = DETECTOR.inspect(vec![Plain::new(text)], Context::default());
    let rules = HandlingTable::new();
    let handling = rules.handle(inspected.texts().map(|(_, found)| found), Destination::Bot);
    let mut table = Placeholders::new(Arc::new(Labels::of(&DETECTOR)));
    KEYS.vault.mask(&KEYS.tenant, inspected, &handling, &mut table).unwrap();
    assert_eq!(table.len(), 4);
    Conversation { restorer: table.restorer(Scope::Conversation, |_| true), values }
});

/// What the customer gets for these pieces, what is kept, and what happened.
fn restored(mode: Mode, pieces: &[&str]) -> (String, String, ReplyReport) {
    static TABLE: LazyLock<Arc<HandlingTable>> = LazyLock::new(|| Arc::new(HandlingTable::new()));
    let window = DETECTOR.window(Context::default());
    let mut reply = ReplyText::new(Arc::clone(&CONVERSATION.restorer), window, Arc::clone(&TABLE), mode);
    let mut out = String::new();
    for piece in pieces {
        reply.push(piece, &mut out);
        assert!(reply.held() <= 256, "{} bytes held", reply.held());
    }
    reply.finish(&mut out);
    assert_eq!(reply.held(), 0);
    (out, reply.kept().to_owned(), reply.report().clone())
}

/// A text channel of an answer: the same for every cutting; what is not a placeholder of this conversation, and nothing
/// of anybody's, stays as it is; JSON stays JSON.
pub fn placeholders(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    for mode in [Mode::Text, Mode::Json] {
        let whole = restored(mode, &[text]);
        for pieces in text_cuttings(text) {
            assert_eq!(restored(mode, &pieces), whole, "another cutting, another answer");
        }
        let (out, kept, report) = whole;
        if report.restored == 0 && report.counts.is_empty() {
            assert_eq!((out.as_str(), kept.as_str()), (text, text), "words beside placeholders changed");
        }
        if report.restored == 0 {
            for value in CONVERSATION.values {
                assert!(!out.contains(value) || text.contains(value), "a value came from nowhere");
            }
        }
        let is_json = |text: &str| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok();
        if mode == Mode::Json && is_json(text) {
            assert!(is_json(&out) && is_json(&kept), "JSON broke:\n{text}\n{out}\n{kept}");
        }
    }
}

/// A configuration file, and after a NUL variables of the environment, one a line.
pub fn config(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    // Key files are read as they are named; one that never ends is the operator's own doing.
    if text.contains("/dev") || text.contains("/proc") {
        return;
    }
    let (text, variables) = text.split_once('\0').unwrap_or((text, ""));
    let env: Vec<(String, String)> = (variables.lines())
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let loaded = match Loaded::from_text(text, &env, &Flags::default()) {
        Ok(loaded) => loaded,
        Err(faults) => {
            assert!(!faults.to_string().is_empty());
            return;
        }
    };
    let detection = loaded.detection();
    let folders = loaded.folders();
    loaded.explain();
    let class_of = |kind: &str| {
        let rule = DETECTOR.rules().iter().find(|rule| rule.kind.as_str() == kind)?;
        Some(rule.class)
    };
    match loaded.check(&class_of) {
        Ok(config) => {
            assert!(detection.is_ok() && folders.is_ok());
            config.deviations();
        }
        Err(faults) => assert!(!faults.to_string().is_empty()),
    }
}

/// A published log of 260 events: every file by its name below the log's folder, and the key.
struct Published {
    files: Vec<(PathBuf, Vec<u8>)>,
    key: Vkey,
    head: Checkpoint,
}

fn files_below(root: &Path, dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(root, &path, files);
        } else {
            files.push((path.strip_prefix(root).unwrap().to_owned(), fs::read(&path).unwrap()));
        }
    }
}

static LOG: LazyLock<Published> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let options = StoreOptions {
        signer: Some(KEYS.vault.signer()),
        publish_every: Duration::from_millis(5),
        ..StoreOptions::default()
    };
    runtime().block_on(async {
        let store = Store::open(dir.path(), options).unwrap();
        let event = |n| Event {
            at: UnixMillis(n),
            tenant: TenantId::default_tenant(),
            action: Action::Started,
            turn: None,
            subject: None,
            facts: Facts::default(),
        };
        store.append((0..260).map(event).collect()).await.unwrap();
        while store.stats().signed_size < 260 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        store.close().await;
    });
    let log = dir.path().join("log");
    let mut files = Vec::new();
    files_below(&log, &log, &mut files);
    files.retain(|(path, _)| path != Path::new("vkey"));
    files.sort();
    let key: Vkey = fs::read_to_string(log.join("vkey")).unwrap().parse().unwrap();
    let head = Checkpoint::open(&fs::read(log.join("checkpoint")).unwrap(), &key).unwrap();
    Published { files, key, head }
});

/// The files of a log: the first byte names one of them, the rest says how it is changed, or is its new content if that
/// byte is 128 and more. No change goes unnoticed.
pub fn log_files(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<Vkey>();
    }
    let Published { files, key, head } = &*LOG;
    let _ = Checkpoint::open(bytes, key);
    let Some((&which, edits)) = bytes.split_first() else { return };
    let target = usize::from(which & 127) % files.len();
    let dir = tempfile::tempdir().unwrap();
    let mut changed = false;
    for (n, (path, was)) in files.iter().enumerate() {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        if n == target {
            let is = if which < 128 { edited(was, edits) } else { edits.to_vec() };
            changed = is != *was;
            fs::write(path, is).unwrap();
        } else {
            fs::write(path, was).unwrap();
        }
    }
    let genuine = files.iter().find(|(path, _)| path == Path::new("checkpoint")).unwrap();
    let held = Held { name: "held".into(), bytes: genuine.1.clone() };
    for held in [&[][..], &[held]] {
        let report = verify(dir.path(), Some(key), held).unwrap();
        if files.get(target).is_some_and(|file| file.0 == genuine.0) {
            // Another's signature below ours changes nothing.
            assert!(!report.is_clean() || report.checkpoint.as_ref() == Some(head));
        } else {
            let name = &files.get(target).unwrap().0;
            assert_eq!(report.is_clean(), !changed, "{}: {:?}", name.display(), report.faults);
        }
        assert!(report.proven <= 260 && report.faults.len() <= 1000);
        report.faults.iter().for_each(|fault| assert!(!fault.to_string().is_empty()));
    }
}

struct Silent;

impl control::Handler for Silent {
    async fn handle(&self, request: control::Request) -> control::Answer {
        control::Answer::Refused { code: "none".into(), message: format!("{request:?}") }
    }
}

/// Lines on the control socket: each gets one answer, whatever it is; also what a client reads as an answer.
pub fn control(bytes: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<control::Request>(bytes) {
        let text = serde_json::to_vec(&request).unwrap();
        assert_eq!(serde_json::from_slice::<control::Request>(&text).unwrap(), request);
    }
    if let Ok(answer) = serde_json::from_slice::<control::Answer>(bytes) {
        let text = serde_json::to_vec(&answer).unwrap();
        assert_eq!(serde_json::from_slice::<control::Answer>(&text).unwrap(), answer);
    }
    if bytes.len() > 32 << 10 {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let answers = runtime().block_on(async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let socket = control::Control::bind(dir.path()).unwrap();
        let serving = tokio::spawn(socket.serve(Arc::new(Silent)));
        let stream = tokio::net::UnixStream::connect(dir.path().join(control::SOCKET)).await.unwrap();
        let (mut from, mut to) = stream.into_split();
        let mut answers = String::new();
        let write = async {
            to.write_all(bytes).await.unwrap();
            to.shutdown().await.unwrap();
        };
        let (read, ()) = tokio::join!(from.read_to_string(&mut answers), write);
        read.unwrap();
        serving.abort();
        answers
    });
    for answer in answers.lines() {
        serde_json::from_str::<control::Answer>(answer).unwrap();
    }
    let lines = bytes.split_inclusive(|byte| *byte == b'\n').count();
    assert_eq!(answers.lines().count(), lines, "one answer a line");
}

/// The readers of `scan` and `redact`: where nothing is found and nothing is wrong, a redacted copy is the input.
pub fn scan(bytes: &[u8]) {
    for format in [InputFormat::Text, InputFormat::Jsonl, InputFormat::Csv] {
        let (listed, found, problems) = chatward::scan::of_bytes(&DETECTOR, format, false, bytes).unwrap();
        for line in listed.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = serde_json::from_slice::<serde::de::IgnoredAny>(line);
            assert!(line.is_ok(), "{format:?}: a line of the output is not JSON");
        }
        let (copy, found_again, problems_again) =
            chatward::scan::of_bytes(&DETECTOR, format, true, bytes).unwrap();
        assert_eq!((found_again, problems_again), (found, problems), "{format:?}");
        if found == 0 && problems == 0 {
            assert_eq!(copy, bytes, "{format:?}: an innocent input changed");
        }
    }
}
