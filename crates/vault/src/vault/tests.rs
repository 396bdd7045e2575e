use std::fs;
use std::path::{Path, PathBuf};

use chatward_message::{Class, CustomerId, Destination, FixedClock, Kind, Operator, RuleInfo};
use chatward_store::EntryRow;

use self::server::Database;
use super::*;
use crate::{FileSeal, OperatorKey, Seal};

#[path = "../../../store/tests/store/server.rs"]
#[allow(dead_code, reason = "the tests of the store use the rest")]
mod server;

/// A folder of keys with its operator key beside it.
struct House {
    dir: tempfile::TempDir,
}

impl House {
    fn new() -> Self {
        let house = Self { dir: tempfile::tempdir().unwrap() };
        fs::create_dir(house.keys()).unwrap();
        FileSeal::open_or_create(&house.operator(), &house.keys()).unwrap();
        house
    }

    fn keys(&self) -> PathBuf {
        self.dir.path().join("keys")
    }

    fn operator(&self) -> PathBuf {
        self.dir.path().join("operator.key")
    }

    fn file(&self) -> SealFile {
        let root = FileSeal::open(&self.operator()).unwrap().root().unwrap();
        SealFile::new(&self.keys(), &root).unwrap()
    }

    async fn vault(&self) -> Result<Vault, VaultError> {
        let seal = FileSeal::open(&self.operator())?;
        let keyring = self.keyring().await?;
        Vault::open(&self.keys(), Box::new(seal), keyring, Arc::new(FixedClock::at(UnixMillis(7)))).await
    }

    async fn unlocked(&self, mirror: Option<PathBuf>) -> Result<Unlocked, VaultError> {
        let (seal, keyring) = (FileSeal::open(&self.operator())?, self.keyring().await?);
        let clock = Arc::new(FixedClock::at(UnixMillis(7)));
        Vault::unlock(&self.keys(), Box::new(seal), keyring, clock, mirror).await
    }

    /// A file, or a database of its own on the server if the tests run on one.
    async fn keyring(&self) -> Result<Keyring, KeyringError> {
        if server::server().is_none() {
            return Keyring::open(&self.keys());
        }
        let database = Database::of(self.dir.path(), "keys");
        let server =
            chatward_store::Postgres::new(&database.serving).and_then(|s| s.with_owner(&database.owner));
        Keyring::open_postgres(server?).await
    }

    /// A copy of the keyring's files.
    fn copy_keyring(&self, to: &Path) {
        for entry in fs::read_dir(self.keys()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with("keyring") {
                fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
            }
        }
    }
}

/// Lets go of a vault as a dying process does: nothing is deleted, but its lock on the keyring is free.
async fn stop(vault: Vault) {
    while Arc::strong_count(&vault.inner) > 1 {
        tokio::time::sleep(std::time::Duration::from_millis(1)).await;
    }
}

fn place(tenant: &TenantId) -> Place<'_> {
    Place { tenant, table: "turns", column: "received", row: b"row" }
}

fn tenant() -> TenantId {
    TenantId::default_tenant()
}

#[tokio::test]
async fn customers_come_back_after_a_start() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let (slot, key) = vault.fresh_customer().await.unwrap();
    let sealed = vault.seal(&key, place(&tenant()), b"hello").unwrap();
    let (name, signer) = (vault.name_key(&tenant(), "x", &[b"y"]).unwrap(), vault.signer().public_key());
    let subject = vault.subject(&key).unwrap();
    drop(key);
    stop(vault).await;
    let vault = house.vault().await.unwrap();
    let key = vault.customer_key(slot).await.unwrap();
    assert_eq!(&**vault.open_sealed(&key, place(&tenant()), &sealed).unwrap(), b"hello");
    assert_eq!(vault.name_key(&tenant(), "x", &[b"y"]).unwrap(), name);
    assert_ne!(vault.name_key(&"other".parse().unwrap(), "x", &[b"y"]).unwrap(), name);
    assert_eq!((vault.signer().public_key(), vault.subject(&key).unwrap()), (signer, subject));
}

#[tokio::test]
async fn the_log_key_signs() {
    use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
    let vault = House::new().vault().await.unwrap();
    let signer = vault.signer();
    let signature = signer.sign(b"checkpoint");
    UnparsedPublicKey::new(&ED25519, signer.public_key()).verify(b"checkpoint", &signature).unwrap();
    assert!(!signer.name().is_empty() && !signer.name().contains([' ', '+']));
}

#[tokio::test]
async fn a_slot_is_given_out_once() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..RESERVE * 2 + 10 {
        let (slot, _) = vault.fresh_customer().await.unwrap();
        assert!(seen.insert(slot), "a slot came twice");
        assert!(vault.inner.keyring.get(slot).await.unwrap().is_some(), "durable before it is given out");
    }
    // What was made ahead and not given out is not given out after a start either.
    let unused: Vec<KeySlot> = lock(&vault.inner.reserve).iter().map(|(slot, _)| *slot).collect();
    stop(vault).await;
    let vault = house.vault().await.unwrap();
    for _ in 0..RESERVE {
        let (slot, _) = vault.fresh_customer().await.unwrap();
        assert!(!unused.contains(&slot) && seen.insert(slot));
    }
}

#[tokio::test]
async fn closing_removes_unused_keys() {
    let vault = House::new().vault().await.unwrap();
    let (slot, _) = vault.fresh_customer().await.unwrap();
    vault.close().await.unwrap();
    assert_eq!(vault.inner.keyring.count().await.unwrap(), 1);
    assert!(vault.customer_key(slot).await.is_ok());
}

#[tokio::test]
async fn rotation_loses_nothing_and_ends_the_old_epoch() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let mut sealed = Vec::new();
    for _ in 0..20 {
        let (slot, key) = vault.fresh_customer().await.unwrap();
        sealed.push((slot, vault.seal(&key, place(&tenant()), b"v").unwrap()));
    }
    let old = house.file().read().unwrap().unwrap().current;
    let done = vault.rotate().await.unwrap();
    assert_eq!((done.from, done.to, done.rewrapped), (1, 2, RESERVE as u64));
    let kept = house.file().read().unwrap().unwrap();
    assert_eq!((kept.current.number, kept.next), (2, None));
    // Keys that were made ahead under the old epoch are good, too.
    let (fresh, _) = vault.fresh_customer().await.unwrap();
    let wrapped = vault.inner.keyring.get(fresh).await.unwrap().unwrap();
    assert_eq!(wrapped.epoch, 2);
    assert!(unwrap(&old.key, &wrapped.bytes).is_err());
    stop(vault).await;
    let vault = house.vault().await.unwrap();
    vault.customer_key(fresh).await.unwrap();
    for (slot, sealed) in sealed {
        let key = vault.customer_key(slot).await.unwrap();
        assert!(vault.open_sealed(&key, place(&tenant()), &sealed).is_ok());
    }
}

/// A crash after each step of a renewal: the next start finishes it, and every customer is there.
#[tokio::test]
async fn an_interrupted_renewal_is_finished_at_the_next_start() {
    for steps in 1..=3 {
        let house = House::new();
        let vault = house.vault().await.unwrap();
        let (slot, key) = vault.fresh_customer().await.unwrap();
        let sealed = vault.seal(&key, place(&tenant()), b"v").unwrap();
        let file = house.file();
        let before = file.read().unwrap().unwrap();
        let next = before.current.next(UnixMillis(9), 0).unwrap();
        file.write(&Kept { next: Some(next.clone()), ..before.clone() }).unwrap();
        if steps > 1 {
            let (from, to) = (before.current.clone(), next.clone());
            vault
                .inner
                .keyring
                .replace_all(&[], to.number, move |_, key| rewrap(&from, &to, key))
                .await
                .unwrap();
        }
        if steps > 2 {
            file.write(&Kept { current: next.clone(), next: None, ..before.clone() }).unwrap();
        }
        drop(key);
        stop(vault).await;
        let vault = house.vault().await.unwrap();
        assert_eq!(vault.epoch().0, 2, "after step {steps}");
        assert_eq!(file.read().unwrap().unwrap().next, None);
        let key = vault.customer_key(slot).await.unwrap();
        assert!(vault.open_sealed(&key, place(&tenant()), &sealed).is_ok());
        assert_eq!(vault.inner.keyring.get(slot).await.unwrap().unwrap().epoch, 2);
    }
}

#[tokio::test]
async fn an_erasure_can_be_finished_after_a_crash() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let (victim, _) = vault.fresh_customer().await.unwrap();
    let (other, _) = vault.fresh_customer().await.unwrap();
    assert_eq!(vault.forget(&[victim]).await.unwrap().destroyed, 1);
    // The process dies before the rows are deleted; the operator erases once more.
    stop(vault).await;
    let vault = house.vault().await.unwrap();
    assert_eq!(vault.forget(&[victim]).await.unwrap().destroyed, 0);
    assert!(matches!(vault.customer_key(victim).await, Err(VaultError::NoKey { .. })));
    assert_eq!(vault.forget(&[victim]).await.unwrap().destroyed, 0);
    vault.customer_key(other).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn erasures_that_come_together_share_renewals() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let mut slots = Vec::new();
    for _ in 0..40 {
        slots.push(vault.fresh_customer().await.unwrap().0);
    }
    let tasks: Vec<_> = (slots.iter().copied())
        .map(|slot| {
            let vault = vault.clone();
            tokio::spawn(async move { vault.forget(&[slot]).await })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert!(vault.epoch().0 < 40, "{} renewals for 40 erasures", vault.epoch().0 - 1);
    for slot in slots {
        assert!(vault.inner.keyring.get(slot).await.unwrap().is_none());
        assert!(matches!(vault.customer_key(slot).await, Err(VaultError::NoKey { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn customers_come_and_go_while_keys_are_renewed() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let renewing = tokio::spawn({
        let vault = vault.clone();
        async move {
            for _ in 0..8 {
                vault.rotate().await.unwrap();
            }
        }
    });
    let mut made = Vec::new();
    for n in 0..RESERVE * 3 {
        let (slot, key) = vault.fresh_customer().await.unwrap();
        if n % 50 == 0 {
            made.push((slot, vault.seal(&key, place(&tenant()), b"v").unwrap()));
        }
    }
    renewing.await.unwrap();
    stop(vault).await;
    let vault = house.vault().await.unwrap();
    for (slot, sealed) in made {
        let key = vault.customer_key(slot).await.unwrap();
        assert!(vault.open_sealed(&key, place(&tenant()), &sealed).is_ok());
    }
}

#[tokio::test]
async fn wrong_missing_and_mixed_keys_are_told_apart() {
    struct Other;
    impl Seal for Other {
        fn operator_key(&self) -> Result<OperatorKey, SealError> {
            Ok(OperatorKey::from_bytes(&[9; 32]))
        }
    }
    let house = House::new();
    stop(house.vault().await.unwrap()).await;
    let open = async |seal: Box<dyn Seal>| {
        let keyring = house.keyring().await.unwrap();
        Vault::open(&house.keys(), seal, keyring, Arc::new(FixedClock::default())).await
    };
    assert!(matches!(open(Box::new(Other)).await, Err(VaultError::Seal(SealError::WrongKey { .. }))));
    fs::remove_file(house.keys().join("seal")).unwrap();
    let seal = FileSeal::open(&house.operator()).unwrap();
    assert!(matches!(open(Box::new(seal)).await, Err(VaultError::Seal(SealError::SealFileMissing { .. }))));
    if server::server().is_none() {
        fs::remove_file(house.operator()).unwrap();
        let again = FileSeal::open_or_create(&house.operator(), &house.keys());
        assert!(matches!(again, Err(SealError::Missing { .. })));
    }
}

#[tokio::test]
async fn a_table_comes_back_from_its_rows_for_its_customer_only() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let labels: Arc<Labels> = Arc::new(["CARD", "PERSON"].into_iter().collect());
    let (conversation, other) = (ConversationId::from_bytes([1; 16]), ConversationId::from_bytes([2; 16]));
    let (_, key) = vault.fresh_customer().await.unwrap();
    let (_, stranger) = vault.fresh_customer().await.unwrap();
    let mut table = Placeholders::new(Arc::clone(&labels));
    table.issue_text("[PERSON_1]");
    let make = |table: &mut Placeholders| {
        vault.new_entries(&key, &tenant(), conversation, table, &HandlingTable::new()).unwrap()
    };
    let first = make(&mut table).unwrap();
    assert_eq!(make(&mut table), None);
    table.issue_text("[PERSON_2]");
    table.issue_text("[CARD_7]");
    let second = make(&mut table).unwrap();
    assert_eq!((first.first, second.first), (0, 1));
    let known = |id, issued: &[IssuedRow]| Conversation {
        id,
        customer: CustomerId::from_bytes([1; 16]),
        slot: key.slot(),
        opened: UnixMillis(0),
        entries: Vec::new(),
        issued: issued.to_vec(),
    };
    let open = |key, known: &Conversation| vault.open_entries(key, &tenant(), Arc::clone(&labels), known);
    let both = [first.clone(), second.clone()];
    let again = open(&key, &known(conversation, &both)).unwrap();
    let written = |table: &Placeholders| {
        table.iter().fold(String::new(), |mut all, (_, entry)| {
            entry.write(&mut all);
            all + entry.spelling() + entry.kind().as_str() + " "
        })
    };
    assert_eq!(written(&again), written(&table));
    assert!(written(&again).ends_with("[TEXT_3][CARD_7]typed_placeholder "), "{}", written(&again));
    assert!(again.iter().all(|(_, entry)| !entry.is_new()));
    assert!(open(&stranger, &known(conversation, &both)).is_err(), "another customer");
    assert!(open(&key, &known(other, &both)).is_err(), "another conversation");
    assert!(open(&key, &known(conversation, std::slice::from_ref(&second))).is_err(), "a row is missing");
    assert!(open(&key, &known(conversation, &[first.clone(), first.clone()])).is_err(), "a row stands twice");
    let moved = [first, IssuedRow { first: 0, ..second }];
    assert!(open(&key, &known(conversation, &moved)).is_err(), "another number");
}

#[tokio::test]
async fn placeholders_of_schema_version_2_still_open() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let (conversation, tenant) = (ConversationId::from_bytes([1; 16]), tenant());
    let (slot, key) = vault.fresh_customer().await.unwrap();
    let old = |label: &str, kind: &'static str, place_label: &str| {
        // Version, class (identity), no last four, no surrogate, the canonical value, the value.
        let form = b"\x01\x01\0\0\0\0\0\0\0\0\0\0\0\x04annaAnna";
        let row = [conversation.as_bytes(), place_label.as_bytes()].concat();
        let place = Place { tenant: &tenant, table: "entries", column: "value", row: &row };
        let value = vault.seal(&key, place, form).unwrap();
        EntryRow { label: label.into(), value, kind: Kind::new(kind) }
    };
    let mut known = Conversation {
        id: conversation,
        customer: CustomerId::from_bytes([1; 16]),
        slot,
        opened: UnixMillis(0),
        entries: vec![old("PERSON_2", "person_name", "PERSON_2")],
        issued: Vec::new(),
    };
    let labels: Arc<Labels> = Arc::new(["PERSON"].into_iter().collect());
    let open = |known: &Conversation| vault.open_entries(&key, &tenant, Arc::clone(&labels), known);
    let mut table = open(&known).unwrap();
    let (_, entry) = table.iter().next().unwrap();
    assert_eq!((entry.spelling(), entry.kind().as_str()), ("Anna", "person_name"));
    // New ones go on after them, in the new form.
    table.issue_text("[PERSON_2]");
    let row =
        vault.new_entries(&key, &tenant, conversation, &mut table, &HandlingTable::new()).unwrap().unwrap();
    assert_eq!(row.first, 1);
    known.issued.push(row);
    assert_eq!(open(&known).unwrap().len(), 2);
    known.entries = vec![old("PERSON_1", "person_name", "PERSON_2")];
    assert!(open(&known).is_err(), "another label");
}

#[tokio::test]
async fn debug_shows_no_keys() {
    let vault = House::new().vault().await.unwrap();
    assert_eq!(format!("{vault:?}"), "Vault");
}

/// What looks into the files of a keyring.
mod embedded {
    use super::*;

    #[tokio::test]
    async fn the_erased_cannot_be_opened_by_anything() {
        let house = House::new();
        let vault = house.vault().await.unwrap();
        let (victim, victims_key) = vault.fresh_customer().await.unwrap();
        let (other, others_key) = vault.fresh_customer().await.unwrap();
        let old_data = vault.seal(&victims_key, place(&tenant()), b"secret").unwrap();
        let others_data = vault.seal(&others_key, place(&tenant()), b"other").unwrap();
        let wrapped = vault.inner.keyring.get(victim).await.unwrap().unwrap();
        // A backup of the keyring from before.
        let backup = tempfile::tempdir().unwrap();
        vault.inner.keyring.truncate().await.unwrap();
        house.copy_keyring(backup.path());

        let done = vault.forget(&[victim]).await.unwrap();
        assert_eq!((done.destroyed, done.epoch), (1, 2));
        // A turn that still holds the key can do nothing with it.
        assert!(vault.open_sealed(&victims_key, place(&tenant()), &old_data).is_err());
        assert!(matches!(vault.customer_key(victim).await, Err(VaultError::NoKey { .. })));
        // Old data and the newest keyring: everybody but the erased.
        let key = vault.customer_key(other).await.unwrap();
        assert!(vault.open_sealed(&key, place(&tenant()), &others_data).is_ok());
        assert!(vault.open_sealed(&key, place(&tenant()), &old_data).is_err());
        // Nothing of the wrapped key is left in any file.
        for entry in fs::read_dir(house.keys()).unwrap() {
            let bytes = fs::read(entry.unwrap().path()).unwrap();
            assert!(!bytes.windows(wrapped.bytes.len()).any(|w| *w == *wrapped.bytes));
        }
        // The old copy of the keyring with today's seal: refused, as a whole.
        stop(vault).await;
        for entry in fs::read_dir(house.keys()).unwrap() {
            let entry = entry.unwrap();
            if entry.file_name().to_string_lossy().starts_with("keyring") {
                fs::remove_file(entry.path()).unwrap();
            }
        }
        for entry in fs::read_dir(backup.path()).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), house.keys().join(entry.file_name())).unwrap();
        }
        assert!(matches!(house.vault().await, Err(VaultError::OtherEpoch { epoch: 1, .. })));
    }
}

/// Two processes on one keyring and one seal file.
mod on_server {
    use super::*;

    #[tokio::test]
    #[ignore = "needs a PostgreSQL server (cargo xtask test)"]
    async fn what_one_process_destroys_the_other_cannot_use() {
        let house = House::new();
        let (first, second) = (house.vault().await.unwrap(), house.vault().await.unwrap());
        let (victim, theirs) = first.fresh_customer().await.unwrap();
        let (other, _) = first.fresh_customer().await.unwrap();
        let sealed = first.seal(&theirs, place(&tenant()), b"v").unwrap();
        // The second has both keys in memory, one of them in use.
        let held = second.customer_key(victim).await.unwrap();
        second.customer_key(other).await.unwrap();
        assert!(second.open_sealed(&held, place(&tenant()), &sealed).is_ok());
        first.forget(&[victim]).await.unwrap();
        assert!(matches!(second.customer_key(victim).await, Err(VaultError::NoKey { .. })));
        assert!(second.open_sealed(&held, place(&tenant()), &sealed).is_err(), "also where it is in use");
        second.customer_key(other).await.unwrap();
        // Nobody asks, and it goes all the same.
        let held = second.customer_key(other).await.unwrap();
        first.forget(&[other]).await.unwrap();
        for _ in 0..1000 {
            if second.subject(&held).is_err() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the key stayed in the memory of the other process");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server (cargo xtask test)"]
    async fn renewals_and_new_customers_of_two_processes_get_on() {
        let house = House::new();
        let both = [house.vault().await.unwrap(), house.vault().await.unwrap()];
        let renewing: Vec<_> = both
            .iter()
            .map(|vault| {
                let vault = vault.clone();
                tokio::spawn(async move {
                    for _ in 0..6 {
                        vault.rotate().await.unwrap();
                    }
                })
            })
            .collect();
        let mut made = Vec::new();
        for n in 0..RESERVE * 3 {
            let vault = &both[n % 2];
            let (slot, key) = vault.fresh_customer().await.unwrap();
            if n % 50 < 2 {
                made.push((slot, vault.seal(&key, place(&tenant()), b"v").unwrap()));
            }
        }
        for task in renewing {
            task.await.unwrap();
        }
        let kept = house.file().read().unwrap().unwrap();
        assert_eq!((kept.current.number, kept.next), (13, None), "no renewal was lost or run twice at once");
        // Each opens what the other made, and so does a third that starts now.
        let third = house.vault().await.unwrap();
        for vault in both.iter().chain([&third]) {
            for (slot, sealed) in &made {
                let key = vault.customer_key(*slot).await.unwrap();
                assert!(vault.open_sealed(&key, place(&tenant()), sealed).is_ok());
            }
        }
        let keyring = &third.inner.keyring;
        for (slot, _) in &made {
            assert_eq!(keyring.get(*slot).await.unwrap().unwrap().epoch, 13);
        }
        // Keys that were made under an epoch that is over do not go in.
        let (secret, old) = (Secret::random().unwrap(), kept.current.next(UnixMillis(1), 0).unwrap());
        let wrapped = WrappedKey { epoch: 12, bytes: wrap(&old.key, &secret).unwrap().into() };
        let refused = keyring.insert(vec![(KeySlot::from_bytes([1; 16]), wrapped)]).await;
        assert!(matches!(refused, Err(KeyringError::OldEpoch { now: 13 })), "{refused:?}");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    #[ignore = "needs a PostgreSQL server (cargo xtask test)"]
    async fn two_first_starts_at_once_make_one_seal_file() {
        let house = Arc::new(House::new());
        Database::of(house.dir.path(), "keys");
        let starts: Vec<_> = (0..4)
            .map(|_| {
                let house = Arc::clone(&house);
                tokio::spawn(async move { house.vault().await.unwrap() })
            })
            .collect();
        let mut names = std::collections::HashSet::new();
        for start in starts {
            names.insert(start.await.unwrap().signer().public_key());
        }
        assert_eq!(names.len(), 1);
    }
}

fn rule(label: &str, kind: &str, class: Class) -> RuleInfo {
    RuleInfo {
        id: kind.into(),
        kind: Kind::new(kind),
        entity: label.into(),
        class,
        label: label.into(),
        last_four: false,
    }
}

#[tokio::test]
async fn values_go_by_class_and_are_corrected_where_they_stand() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let labels: Arc<Labels> = Arc::new(["CARD", "EMAIL"].into_iter().collect());
    let conversation = ConversationId::from_bytes([1; 16]);
    let (_, key) = vault.fresh_customer().await.unwrap();
    let (_, stranger) = vault.fresh_customer().await.unwrap();
    let (card, email) = (rule("CARD", "card", Class::Payment), rule("EMAIL", "email", Class::Identity));
    let mut table = Placeholders::new(Arc::clone(&labels));
    table.issue(&card, "4111 1111 1111 1111");
    table.issue(&email, "wrong@mail.example");
    let row =
        vault.new_entries(&key, &tenant(), conversation, &mut table, &HandlingTable::new()).unwrap().unwrap();
    assert_eq!(row.classes, [Class::Payment, Class::Identity].into_iter().collect());
    let open = |row: &IssuedRow| {
        let known = Conversation {
            id: conversation,
            customer: CustomerId::from_bytes([1; 16]),
            slot: key.slot(),
            opened: UnixMillis(0),
            entries: Vec::new(),
            issued: vec![row.clone()],
        };
        vault.open_entries(&key, &tenant(), Arc::clone(&labels), &known).unwrap()
    };
    let revise = |row: &IssuedRow, change: &Revision<'_>| {
        vault.revise(&key, &tenant(), conversation, row, change).unwrap()
    };

    let right = revise(&row, &Revision::Correct { label: "EMAIL_1", value: "right@mail.example" }).unwrap();
    let mut again = open(&right);
    assert_eq!(again.value("EMAIL_1").unwrap().as_str(), "right@mail.example");
    // The old value, sent along with the history, still has its placeholder, and does not come back.
    assert_eq!(again.issue(&email, "wrong@mail.example"), 1);
    assert_eq!(again.value("EMAIL_1").unwrap().as_str(), "right@mail.example");
    for nothing in [
        Revision::Correct { label: "EMAIL_1", value: "right@mail.example" },
        Revision::Correct { label: "EMAIL_2", value: "x" },
        Revision::Correct { label: "CARD", value: "x" },
        Revision::Forget(Classes::NONE.with(Class::Special)),
    ] {
        assert_eq!(revise(&right, &nothing), None, "{nothing:?}");
    }

    let less = revise(&right, &Revision::Forget(Classes::NONE.with(Class::Payment))).unwrap();
    assert_eq!(less.classes, Classes::NONE.with(Class::Identity));
    let mut left = open(&less);
    assert_eq!(left.value("CARD_1"), None);
    assert_eq!(left.value("EMAIL_1").unwrap().as_str(), "right@mail.example");
    assert_eq!(left.listed().count(), 1);
    let restorer = left.restorer(crate::Scope::Conversation, |_| true);
    assert!(!format!("{restorer:?}").contains('2'), "one value can be restored");
    // Its number is never given again.
    left.issue(&card, "4111 1111 1111 1111");
    assert!(left.value("CARD_2").is_some() && left.value("CARD_1").is_none());
    assert_eq!(revise(&less, &Revision::Forget(Classes::NONE.with(Class::Payment))), None, "once");
    let all = Revision::Forget([Class::Identity, Class::Payment].into_iter().collect());
    assert_eq!(revise(&less, &all).unwrap().classes, Classes::NONE);
    let refused = vault.revise(&stranger, &tenant(), conversation, &row, &all);
    assert!(refused.is_err(), "another customer's key");
}

#[tokio::test]
async fn of_a_value_is_kept_what_the_handling_says() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let (_, key) = vault.fresh_customer().await.unwrap();
    let conversation = ConversationId::from_bytes([7; 16]);
    let labels: Arc<Labels> = Arc::new(["PERSON", "DATE", "EMAIL", "CARD"].into_iter().collect());
    let mut handling = HandlingTable::new();
    for (kind, class, operator) in [
        ("person_name", Class::Identity, Operator::Drop),
        ("birth_date", Class::Identity, Operator::Generalise),
        ("credit_card", Class::Payment, Operator::Mask),
    ] {
        handling.set_kind(&Kind::new(kind), class, Destination::Kept, operator).unwrap();
    }
    let mut table = Placeholders::new(Arc::clone(&labels));
    table.issue(&rule("PERSON", "person_name", Class::Identity), "Sarah Jones");
    table.issue(&rule("DATE", "birth_date", Class::Identity), "12 May 1990");
    table.issue(&rule("EMAIL", "email", Class::Identity), "sarah@example.org");
    let card = RuleInfo { last_four: true, ..rule("CARD", "credit_card", Class::Payment) };
    table.issue(&card, "4111 1111 1111 1111");
    let row = vault.new_entries(&key, &tenant(), conversation, &mut table, &handling).unwrap().unwrap();
    assert_eq!(table.value("PERSON_1").unwrap().as_str(), "Sarah Jones");
    assert_eq!(row.classes, [Class::Identity, Class::Payment].into_iter().collect());

    let known = Conversation {
        id: conversation,
        customer: CustomerId::from_bytes([1; 16]),
        slot: key.slot(),
        opened: UnixMillis(0),
        entries: Vec::new(),
        issued: vec![row],
    };
    let loaded = vault.open_entries(&key, &tenant(), labels, &known).unwrap();
    let value = |label| loaded.value(label).map(|value| value.to_string());
    assert_eq!(value("PERSON_1"), None);
    assert_eq!(value("DATE_1").as_deref(), Some("1990"));
    assert_eq!(value("EMAIL_1").as_deref(), Some("sarah@example.org"));
    assert_eq!(value("CARD_1").as_deref(), Some("**** **** **** 1111"));
    assert_eq!(loaded.len(), 4, "the placeholders stay issued");
    stop(vault).await;
}

#[tokio::test]
async fn an_epoch_has_a_mark_of_its_own_and_never_goes_back() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let first = vault.mark().unwrap();
    vault.rotate().await.unwrap();
    let second = vault.mark().unwrap();
    assert_eq!((first.number, second.number), (1, 2));
    assert_ne!(first.hash, second.hash);
    for (past, to) in [(8, 9), (3, 10)] {
        assert_eq!(vault.rotate_past(past).await.unwrap().to, to);
    }
    let newest = vault.mark().unwrap();
    vault.close().await.unwrap();
    drop(vault);
    assert_eq!(house.unlocked(None).await.unwrap().mark().await.unwrap(), newest);
    // Another house is as old, and not the same.
    let other = House::new().vault().await.unwrap().mark().unwrap();
    assert!(other.number == first.number && other.hash != first.hash);
}

#[tokio::test]
async fn unlocking_changes_neither_keys_nor_mirror() {
    let house = House::new();
    if server::server().is_some() {
        // A keyring on a server has its mirror there.
        return;
    }
    let mirror = house.dir.path().join("mirror");
    let open = || async { house.unlocked(Some(mirror.clone())).await.unwrap().open().await.unwrap() };
    let vault = open().await;
    vault.close().await.unwrap();
    drop(vault);
    let names = || {
        let mut names: Vec<_> = fs::read_dir(&mirror).unwrap().map(|e| e.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let (seal, pair) = (fs::read(house.keys().join("seal")).unwrap(), names());
    let unlocked = house.unlocked(Some(mirror.clone())).await.unwrap();
    unlocked.mark().await.unwrap();
    drop(unlocked);
    assert_eq!(house.keyring().await.unwrap().count().await.unwrap(), 0, "keys were made");
    assert_eq!((fs::read(house.keys().join("seal")).unwrap(), names()), (seal, pair.clone()));
    drop(open().await);
    assert_ne!(names(), pair, "opening makes the mirror anew");
}

#[tokio::test]
async fn the_channels_signing_key_outlives_restarts_and_seeds_open_only_under_their_number() {
    let house = House::new();
    let vault = house.vault().await.unwrap();
    let (signer, log) = (vault.channel_signer(), vault.signer());
    assert_ne!(signer.public_key(), log.public_key());
    assert!(signer.name().starts_with("chatward-channel-"));
    let sealed = vault.seal_seed(7, b"sixty-four bytes").unwrap();
    assert!(!sealed.windows(10).any(|part| part == b"sixty-four"));
    drop(vault);

    let again = house.vault().await.unwrap();
    assert_eq!(again.channel_signer().public_key(), signer.public_key());
    assert_eq!(again.channel_signer().sign(b"list"), signer.sign(b"list"));
    assert_eq!(&again.open_seed(7, &sealed).unwrap()[..], b"sixty-four bytes");
    assert!(again.open_seed(8, &sealed).is_err(), "another number");
    let stranger = House::new().vault().await.unwrap();
    assert!(stranger.open_seed(7, &sealed).is_err(), "another house");
}
