//! What the vault costs a turn: `cargo run --release -p chatward-vault --example cost`.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a measurement, not the product")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chatward_detect::{Context, Detector};
use chatward_message::{ConversationId, Destination, Place, Plain, SystemClock, TenantId};
use chatward_policy::HandlingTable;
use chatward_store::Keyring;
use chatward_vault::{FileSeal, Labels, Mode, Placeholders, ReplyText, Scope, Vault};

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let dir = std::env::temp_dir().join(format!("chatward-vault-cost-{}", std::process::id()));
    let keys = dir.join("keys");
    std::fs::create_dir_all(&keys).unwrap();
    let (seal, _) = FileSeal::open_or_create(&dir.join("operator.key"), &keys).unwrap();
    let keyring = Keyring::open(&keys).unwrap();
    let vault = Vault::open(&keys, Box::new(seal), keyring, Arc::new(SystemClock)).await.unwrap();
    let detector = Arc::new(Detector::builtin().unwrap());
    let labels = Arc::new(Labels::of(&detector));
    let (tenant, rules) = (TenantId::default_tenant(), Arc::new(HandlingTable::new()));
    let text = "Hi, my card is 4111 1111 1111 1111, my mail anna@example.org and my phone +1 202 555 0143. Please help.";
    let conversation = ConversationId::from_bytes([7; 16]);

    let turns = 20_000;
    let (mut masking, mut sealing, mut fresh) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let mut values = 0;
    for _ in 0..turns {
        let started = Instant::now();
        let (_, key) = vault.fresh_customer().await.unwrap();
        fresh += started.elapsed();
        let inspected = detector.inspect(vec![Plain::from(text)], Context::default());
        let handling = rules.handle(inspected.texts().map(|(_, f)| f), Destination::Bot);
        let started = Instant::now();
        let mut table = Placeholders::new(Arc::clone(&labels));
        let masked = vault.mask(&tenant, inspected, &handling, &mut table).unwrap();
        masking += started.elapsed();
        let started = Instant::now();
        let row = vault.new_entries(&key, &tenant, conversation, &mut table, &rules).unwrap();
        let place = Place { tenant: &tenant, table: "turns", column: "received", row: b"0123456789abcdef" };
        black_box(vault.seal(&key, place, masked.texts().concat().as_bytes()).unwrap());
        black_box(vault.subject(&key).unwrap());
        sealing += started.elapsed();
        values = table.len();
        black_box(row);
    }
    let each = |total: Duration| total.as_secs_f64() * 1e6 / f64::from(turns);
    println!("fresh customer   {:8.2} µs (the background refill included)", each(fresh));
    println!("mask {values} values    {:8.2} µs", each(masking));
    println!(
        "seal a new turn  {:8.2} µs (HKDF, key schedules, {values} entries, text, subject)",
        each(sealing)
    );

    let table = Placeholders::new(labels);
    let restorer = table.restorer(Scope::Conversation, |_| true);
    let window = detector.window(Context::default());
    let mut reply = ReplyText::new(restorer, window, rules, Mode::Text);
    let (pushes, mut out) = (1_000_000, String::new());
    let started = Instant::now();
    for _ in 0..pushes {
        reply.push("some eighteen byte", &mut out);
        out.clear();
    }
    println!("push of 18 bytes {:8.3} µs", started.elapsed().as_secs_f64() * 1e6 / f64::from(pushes));
    vault.close().await.unwrap();
    std::fs::remove_dir_all(&dir).unwrap();
}
