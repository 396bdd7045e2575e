//! The targets for what customers' rights and the keeping of keys and data brought: certificates, backups, wrapped keys, requests to
//! our own routes, records, policies.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use chatward::api::Entry;
use chatward::api::call::Sent;
use chatward::rights::{erasure, inside};
use chatward_message::{Action, Event, Facts, FixedClock, TenantId, UnixMillis};
use chatward_policy::access::{Known, PolicySource, Rules};
use chatward_store::log::verify::Vkey;
use chatward_store::{BackupProgress, Keyring, Store, StoreOptions, restore};
use chatward_vault::{
    FileSeal, OperatorKey, Passphrase, Seal, SealError, Vault, WrappedSeal, Wrapper, restore_keyring,
};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{edited, files_below, runtime, write_private};

/// A house with a few events, one of them an erasure: its backups, and the certificate.
struct House {
    vault: Vault,
    log_key: Vkey,
    certificate: Value,
    /// A backup of the data and one of the keyring, by their paths.
    data: BTreeMap<PathBuf, Vec<u8>>,
    keys: BTreeMap<PathBuf, Vec<u8>>,
}

/// The names of the files that say what a backup holds.
const DATA_LIST: &str = "data-backup";
const KEYS_LIST: &str = "keyring-pair";

fn files_of(dir: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = Vec::new();
    files_below(dir, dir, &mut files);
    files.into_iter().collect()
}

/// The text of the event that stands at this place of a log of less than 256.
fn event_at(log: &Path, index: u64) -> String {
    let bundle = fs::read_dir(log.join("tile/entries/000.p")).unwrap().next().unwrap().unwrap().path();
    let bundle = fs::read(bundle).unwrap();
    let mut rest = &bundle[..];
    for _ in 0..index {
        rest = &rest[2 + usize::from(u16::from_be_bytes([rest[0], rest[1]]))..];
    }
    let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
    String::from_utf8(rest[2..2 + length].to_vec()).unwrap()
}

static HOUSE: LazyLock<House> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let keyring = {
        fs::create_dir(at("keys")).unwrap();
        Keyring::open(&at("keys")).unwrap()
    };
    let seal = Box::new(FileSeal::create(&at("operator.key")).unwrap());
    runtime().block_on(async {
        let clock = Arc::new(FixedClock::at(UnixMillis(7)));
        let vault = Vault::open(&at("keys"), seal, keyring, clock).await.unwrap();
        let (_, key) = vault.fresh_customer().await.unwrap();
        let options = StoreOptions {
            signer: Some(vault.signer()),
            publish_every: Duration::from_millis(5),
            ..StoreOptions::default()
        };
        let store = Store::open(&at("store"), options).unwrap();
        let event = |at, action, facts, subject| Event {
            at: UnixMillis(at),
            tenant: TenantId::default_tenant(),
            action,
            turn: None,
            subject,
            facts,
        };
        let subject = vault.subject(&key).unwrap();
        let destroyed = Facts { key: Some("0123456789abcdef".into()), rows: 5, ..Facts::default() };
        let erased = event(8, Action::CustomerErased, destroyed, Some(subject));
        let started = |at| event(at, Action::Started, Facts::default(), None);
        store.append(vec![started(7), erased, started(9)]).await.unwrap();
        while store.stats().signed_size < 3 {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let proof = store.proof(1).await.unwrap().unwrap();
        store.backup(&at("data"), UnixMillis(9), &[], Arc::new(BackupProgress::default())).await.unwrap();
        store.close().await;
        vault.backup_keyring(&at("pair")).await.unwrap();
        let path: Vec<String> = proof.path.iter().map(|hash| base64(hash)).collect();
        let document = json!({
            "@type": "dpv:RightExerciseRecord",
            "dct:title": "Certificate of erasure",
            "dpv:hasDataSubject": { "dpv:hasIdentifier": subject.to_string() },
            "chatward:tables": [
                { "dct:title": "turns", "dct:extent": 2 },
                { "dct:title": "entries", "dct:extent": 3 },
            ],
            "chatward:keyDestroyed": "0123456789abcdef",
            "chatward:log": {
                "chatward:index": 1,
                "chatward:event": event_at(&at("store/log"), 1),
                "chatward:path": path,
                "chatward:checkpoint": String::from_utf8_lossy(&proof.checkpoint),
            },
        });
        let log_key: Vkey = fs::read_to_string(at("store/log/vkey")).unwrap().parse().unwrap();
        let certificate = inside::signed(document, &*vault.signer()).unwrap();
        erasure::check(&certificate, &log_key).unwrap();
        let (data, keys) = (files_of(&at("data")), files_of(&at("pair")));
        assert!(data.contains_key(Path::new(DATA_LIST)) && keys.contains_key(Path::new(KEYS_LIST)));
        House { vault, log_key, certificate, data, keys }
    })
});

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn canonical(document: &Value) -> Option<Vec<u8>> {
    serde_jcs::to_vec(document).ok()
}

/// Puts what the house has where a document of the corpus names it: its keys are others in every run.
fn filled(document: &mut Value, from: &Value) {
    match document {
        Value::String(text) => {
            if let Some(value) = text.strip_prefix('$').and_then(|at| from.pointer(at)) {
                *document = value.clone();
            }
        }
        Value::Array(all) => all.iter_mut().for_each(|one| filled(one, from)),
        Value::Object(all) => all.values_mut().for_each(|one| filled(one, from)),
        _ => {}
    }
}

/// Certificates of erasures: the first byte says how the rest is meant. Nothing but what the house signed holds; and what it would sign
/// (a document of the corpus, in which `$/pointer` stands for a part of the genuine one) holds only as its log says it.
pub fn certificate(bytes: &[u8]) {
    let Some((&how, rest)) = bytes.split_first() else { return };
    let House { vault, log_key, certificate, .. } = &*HOUSE;
    if how % 3 < 2 {
        let text = certificate.to_string();
        let text = if how % 3 == 0 { rest.to_vec() } else { edited(text.as_bytes(), rest) };
        let Ok(document) = serde_json::from_slice::<Value>(&text) else { return };
        let same = canonical(&document) == canonical(certificate);
        assert_eq!(
            erasure::check(&document, log_key).is_ok(),
            same,
            "an altered certificate holds: {document}"
        );
        return;
    }
    let Ok(mut document) = serde_json::from_slice::<Value>(rest) else { return };
    filled(&mut document, certificate);
    let Some(signed) = inside::signed(document, &*vault.signer()) else { return };
    if erasure::check(&signed, log_key).is_ok() {
        for at in [
            "/chatward:log/chatward:event",
            "/chatward:keyDestroyed",
            "/dpv:hasDataSubject/dpv:hasIdentifier",
        ] {
            assert_eq!(signed.pointer(at), certificate.pointer(at), "it holds and says something else");
        }
        let rows = signed["chatward:tables"].as_array().unwrap();
        let rows: u128 = rows.iter().filter_map(|row| row["dct:extent"].as_u64()).map(u128::from).sum();
        assert!(rows == 5 || rows == 0, "{rows} rows, and the log says 5");
    }
}

fn hex_of(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A list of what is in a backup, with the hash that belongs to it.
fn with_hash(list: &[u8], word: &str) -> Vec<u8> {
    let end = list.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let body = &list[..end];
    [body, word.as_bytes(), hex_of(body).as_bytes(), b"\n"].concat()
}

/// The list without its hash.
fn body_of<'a>(list: &'a [u8], word: &str) -> &'a [u8] {
    &list[..list.len() - word.len() - 65]
}

/// Backups of data (first byte below 128) and of the keyring: their files as the rest says. Whatever was changed by somebody who does
/// not make the list anew is refused; whoever makes it anew gets no more than the files of the backup into the new folder.
pub fn backups(bytes: &[u8]) {
    let Some((&how, rest)) = bytes.split_first() else { return };
    let is_data = how < 128;
    let (genuine, list, word) =
        if is_data { (&HOUSE.data, DATA_LIST, "sha256 ") } else { (&HOUSE.keys, KEYS_LIST, "") };
    let mut files = genuine.clone();
    let list_path = PathBuf::from(list);
    let was = &genuine[&list_path];
    let others: Vec<&PathBuf> = genuine.keys().filter(|path| **path != list_path).collect();
    let mut anew = true;
    match how % 4 {
        // The list as it stands in the input, or changed, with its hash.
        0 => drop(files.insert(list_path, with_hash(rest, word))),
        1 => {
            let body = edited(body_of(was, word), rest);
            files.insert(list_path, with_hash(&body, word));
        }
        // Any file changed, and nothing made anew.
        2 => {
            let Some((&which, rest)) = rest.split_first() else { return };
            let path = genuine.keys().nth(usize::from(which) % genuine.len()).unwrap();
            files.insert(path.clone(), edited(&genuine[path], rest));
            anew = false;
        }
        // Any other file changed, and the list made anew for it.
        _ => {
            let Some((&which, rest)) = rest.split_first() else { return };
            let path = others[usize::from(which) % others.len()];
            let file = edited(&genuine[path], rest);
            let body = String::from_utf8(body_of(was, word).to_vec()).unwrap();
            let mut body = body.replace(&hex_of(&genuine[path]), &hex_of(&file));
            if is_data {
                let sizes = [&genuine[path], &file].map(|file| format!("\"size\": {}", file.len()));
                body = body.replace(&sizes[0], &sizes[1]);
            }
            files.insert(path.clone(), file);
            files.insert(list_path, with_hash(body.as_bytes(), word));
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let (from, to) = (dir.path().join("from"), dir.path().join("to"));
    for (path, bytes) in &files {
        let path = from.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        write_private(&path, bytes);
    }
    let restored = if is_data {
        restore(&from, &to, &BackupProgress::default()).map(drop).map_err(|error| error.to_string())
    } else {
        restore_keyring(&from, &to).map(drop).map_err(|error| error.to_string())
    };
    let mut beside: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    beside.retain(|name| !["from", "to", "to.part"].iter().any(|known| name == known));
    assert!(beside.is_empty(), "something was written beside: {beside:?}");
    assert_eq!(files_of(&from), files, "a backup was changed by restoring it");
    match restored {
        Ok(()) if !anew => assert_eq!(&files, genuine, "a changed backup was restored"),
        Ok(()) => {
            for path in files_of(&to).keys() {
                let known = others.iter().any(|other| other.ends_with(path));
                assert!(known || path == Path::new("restored"), "{} came from nowhere", path.display());
            }
        }
        Err(why) => {
            assert!(!to.exists() && !why.is_empty());
            assert!(anew || &files != genuine, "an unchanged backup is refused: {why}");
        }
    }
}

/// What wraps a key without hiding it: what is looked at here is the file around it.
struct Bare;

impl Wrapper for Bare {
    fn kind(&self) -> &'static str {
        "bare"
    }

    fn wrap(&self, key: &[u8; 32], _about: &str) -> Result<(String, Vec<u8>), SealError> {
        Ok(("bare".into(), key.to_vec()))
    }

    fn unwrap(&self, with: &str, _about: &str, wrapped: &[u8]) -> Result<Zeroizing<Vec<u8>>, SealError> {
        assert!(!with.contains('\n'));
        Ok(Zeroizing::new(wrapped.to_vec()))
    }
}

fn groups(key: &OperatorKey) -> Vec<String> {
    key.kit().unwrap().groups().to_vec()
}

/// The operator's key on paper, in a wrapped form, and what a passphrase's file asks for: read or refused. No other key comes out of a
/// changed form.
pub fn wrapped_keys(bytes: &[u8]) {
    let key = OperatorKey::from_bytes(&[7; 32]);
    let right = groups(&key);
    // Typed in from paper.
    let paper = right.join(" ");
    for text in [bytes.to_vec(), edited(paper.as_bytes(), bytes)] {
        let Ok(text) = std::str::from_utf8(&text) else { continue };
        if let Ok(read) = OperatorKey::from_groups(text) {
            let typed = text.to_ascii_uppercase().replace(['I', 'L'], "1").replace('O', "0");
            let typed: String = typed.chars().filter(char::is_ascii_alphanumeric).collect();
            assert_eq!(groups(&read).concat(), typed, "another key than was typed in");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("operator.wrapped");
    let seal = WrappedSeal::new(&path, Box::new(Bare));
    seal.store(&key).unwrap();
    let good = fs::read(&path).unwrap();
    for text in [bytes.to_vec(), edited(&good, bytes)] {
        write_private(&path, &text);
        if let Ok(read) = seal.operator_key() {
            let text = std::str::from_utf8(&text).unwrap();
            let value = read.kit().unwrap().check_value().to_owned();
            assert_eq!(text.lines().nth(2), Some(value.as_str()), "it is not the key that it names");
        }
    }
    // What it costs to try a passphrase is said in the file; only what may not be asked for is tried here.
    let Ok(with) = std::str::from_utf8(bytes) else { return };
    let costs = |at| with.split(' ').nth(at).and_then(|word: &str| word.parse::<u64>().ok()).unwrap_or(0);
    if (65_536..=4_194_304).contains(&costs(1)) && (3..=64).contains(&costs(2)) {
        return;
    }
    let passphrase = Passphrase::new("a phrase of the fuzz targets").unwrap();
    assert!(passphrase.unwrap(with, "about\n", bytes).is_err(), "a cost that may not be is taken");
}

static ROUTES: LazyLock<Vec<Entry>> =
    LazyLock::new(|| chatward::api::tables().into_iter().flatten().collect());

/// What is sent to our own routes: the first byte says as what. Every route reads it or refuses it, and a refusal never holds a value.
pub fn routes(bytes: &[u8]) {
    let Some((&how, sent)) = bytes.split_first() else { return };
    let how = [Sent::Json, Sent::Form, Sent::Query][usize::from(how) % 3];
    let json = how != Sent::Json || serde_json::from_slice::<serde::de::IgnoredAny>(sent).is_ok();
    for entry in ROUTES.iter() {
        match entry.read(how, sent) {
            Ok(()) => assert!(json, "{} {} reads what is no JSON", entry.method, entry.path),
            Err(problem) => {
                let told = format!("{problem:?}");
                assert!(!told.contains("canary@"), "a refusal holds a value: {told}");
            }
        }
    }
}

/// Records of customers' rights, behind their seal: the first byte says which sort. What is read is written again as it was meant.
pub fn records(bytes: &[u8]) {
    let Some((&sort, rest)) = bytes.split_first() else { return };
    if let Some(again) = inside::record(sort % 4, rest) {
        assert_eq!(inside::record(sort % 4, &again).unwrap(), again, "a record is not read as it is written");
    }
}

/// Policies of the house: loaded or refused with a fault; those that are shipped stay in force.
pub fn policies(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let shipped = Rules::shipped().rules.unwrap().count().0;
    let loading = Rules::load(&[PolicySource { name: "fuzz.cedar", text }], Known::default());
    for fault in &loading.faults {
        assert!(!fault.to_string().is_empty());
    }
    match loading.rules {
        Some(rules) => {
            let (all, own) = rules.count();
            assert_eq!(all - own, shipped, "a policy of the house took one away");
        }
        None => assert!(!loading.faults.is_empty(), "refused without a word"),
    }
}
