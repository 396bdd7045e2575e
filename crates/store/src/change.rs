//! Whether a change of records fits what is kept. Both databases ask the same questions and are judged here, before anything
//! is written: a change that does not fit costs its neighbours in the batch nothing.

use std::collections::{BTreeSet, HashMap};

use crate::StoreError;
use crate::record::{Changes, Handle, RecordKind};

/// Lengths that an id may have.
const IDS: std::ops::RangeInclusive<usize> = 16..=32;

/// Which record.
pub(crate) type Key = (RecordKind, Box<[u8]>);

/// Looks for what no store could keep.
///
/// # Errors
/// [`StoreError::Inside`]: whoever made the change is mistaken.
pub(crate) fn is_possible(changes: &Changes) -> Result<(), StoreError> {
    let removed = changes.removals.iter().map(|removal| (removal.kind, &removal.id));
    let written = changes.puts.iter().map(|put| (put.record.kind, &put.record.id));
    for (kind, id) in removed.chain(written) {
        if !IDS.contains(&id.len()) {
            return Err(StoreError::inside(format_args!("a record's id has {} bytes", id.len())));
        }
        if kind == RecordKind::Claim && id.len() != 16 {
            return Err(StoreError::inside("a claim's id is not that of a conversation"));
        }
    }
    for put in &changes.puts {
        if put.record.purposes.is_empty() {
            return Err(StoreError::NoPurpose);
        }
        let revision = put.record.revision;
        if revision == 0 || i64::try_from(revision).is_err() || put.was.is_some_and(|was| was >= revision) {
            return Err(StoreError::inside("a record's revision does not come after the one it replaces"));
        }
    }
    Ok(())
}

/// What is kept of that which a change touches.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// The revisions of the records that the change removes or writes.
    pub(crate) revisions: HashMap<Key, u64>,
    /// Whose the handles are that it gives.
    pub(crate) owners: HashMap<Handle, Key>,
}

impl Found {
    /// Follows the change step by step, as it will be written.
    ///
    /// # Errors
    /// [`StoreError::Overtaken`] and [`StoreError::HandleTaken`].
    pub(crate) fn admit(mut self, changes: &Changes) -> Result<(), StoreError> {
        for removal in &changes.removals {
            let key = (removal.kind, removal.id.clone());
            self.owners.retain(|_, owner| *owner != key);
            self.revisions.remove(&key);
        }
        for put in &changes.puts {
            let key = (put.record.kind, put.record.id.clone());
            if self.revisions.get(&key).copied() != put.was {
                return Err(StoreError::Overtaken);
            }
            if let Some(handles) = &put.handles {
                self.owners.retain(|_, owner| *owner != key);
                for handle in handles {
                    if self.owners.get(handle).is_some_and(|owner| *owner != key) {
                        return Err(StoreError::HandleTaken);
                    }
                    self.owners.insert(*handle, key.clone());
                }
            }
            self.revisions.insert(key, put.record.revision);
        }
        Ok(())
    }
}

/// The records that a change touches, each once.
pub(crate) fn keys(changes: &Changes) -> BTreeSet<(RecordKind, &[u8])> {
    let removed = changes.removals.iter().map(|removal| (removal.kind, &*removal.id));
    let written = changes.puts.iter().map(|put| (put.record.kind, &*put.record.id));
    removed.chain(written).collect()
}

/// The handles that it gives, each once.
pub(crate) fn handles(changes: &Changes) -> BTreeSet<Handle> {
    changes.puts.iter().flat_map(|put| put.handles.iter().flatten()).copied().collect()
}

#[cfg(test)]
mod tests {
    use chatward_message::{KeySlot, Purposes, Sealed, TenantId};

    use super::*;
    use crate::record::{HandleKind, Put, Record, Removal};

    fn put(n: u8, was: Option<u64>, handles: Option<Vec<Handle>>) -> Put {
        let record = Record {
            kind: RecordKind::Account,
            id: Box::new([n; 16]),
            revision: was.unwrap_or(0) + 1,
            slot: KeySlot::from_bytes([1; 16]),
            customer: None,
            until: None,
            purposes: Purposes::SERVICE,
            sealed: Sealed::from_bytes(Vec::new()),
        };
        Put { record, was, handles }
    }

    fn changes(removed: &[u8], puts: Vec<Put>) -> Changes {
        let removals =
            removed.iter().map(|n| Removal { kind: RecordKind::Account, id: Box::new([*n; 16]) }).collect();
        let (events, about, standing) = (Vec::new(), None, None);
        Changes { tenant: TenantId::default_tenant(), removals, puts, events, about, standing }
    }

    fn handle(n: u8) -> Handle {
        Handle { kind: HandleKind::StaffName, hash: [n; 32] }
    }

    /// Records 1 and 2 at their first revisions, with one handle each of the same number.
    fn found() -> Found {
        let key = |n| -> Key { (RecordKind::Account, Box::new([n; 16])) };
        Found {
            revisions: [1, 2].map(|n| (key(n), 1)).into(),
            owners: [1, 2].map(|n| (handle(n), key(n))).into(),
        }
    }

    #[test]
    fn the_code_of_a_claim_is_the_one_that_erasures_name() {
        assert_eq!(RecordKind::Claim.code(), 7);
    }

    #[test]
    fn steps_of_one_change_build_on_each_other() {
        let fits = |removed: &[u8], puts| found().admit(&changes(removed, puts));
        fits(&[1, 9], vec![put(1, None, Some(vec![handle(1)]))]).unwrap();
        fits(&[], vec![put(1, Some(1), None), put(1, Some(2), None)]).unwrap();
        // A handle that one record gives up is another's at once, and taken if it is asked for before.
        let gives_up = || put(1, Some(1), Some(vec![]));
        let takes = || put(2, Some(1), Some(vec![handle(1), handle(2), handle(2)]));
        fits(&[], vec![gives_up(), takes()]).unwrap();
        assert!(matches!(fits(&[], vec![takes(), gives_up()]), Err(StoreError::HandleTaken)));
        let both = vec![put(3, None, Some(vec![handle(7)])), put(4, None, Some(vec![handle(7)]))];
        assert!(matches!(fits(&[], both), Err(StoreError::HandleTaken)));
        for late in [put(1, None, None), put(1, Some(2), None), put(9, Some(1), None)] {
            assert!(matches!(fits(&[], vec![late]), Err(StoreError::Overtaken)));
        }
        assert!(matches!(fits(&[1], vec![put(1, Some(1), None)]), Err(StoreError::Overtaken)));
    }

    #[test]
    fn what_no_store_could_keep_is_a_mistake_of_the_caller() {
        let with = |edit: fn(&mut Put)| {
            let mut put = put(1, Some(3), None);
            edit(&mut put);
            is_possible(&changes(&[], vec![put]))
        };
        with(|_| {}).unwrap();
        with(|put| put.record.id = Box::new([0; 32])).unwrap();
        for wrong in [
            with(|put| put.was = Some(4)),
            with(|put| put.was = Some(5)),
            with(|put| put.record.id = Box::new([0; 15])),
            with(|put| put.record.id = Box::new([0; 33])),
            with(|put| (put.record.revision, put.was) = (0, None)),
            with(|put| (put.record.revision, put.was) = (u64::MAX, None)),
            with(|put| (put.record.kind, put.record.id) = (RecordKind::Claim, Box::new([0; 32]))),
        ] {
            assert!(matches!(wrong, Err(StoreError::Inside { .. })), "{wrong:?}");
        }
    }
}
