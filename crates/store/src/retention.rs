//! How long things are kept: what goes when its time is over, and what is rewritten because part of it goes.
//!
//! A turn is kept for purposes. Each purpose ends for it at some time; when the last one ended, the turn goes, and with the
//! last turn its conversation. Values behind placeholders are sealed together, so the vault rewrites them when those of one
//! class go ([`Rewrite`]). What a hold or a restriction stands on is left alone.

use chatward_message::{
    Classes, ConversationId, CustomerId, Event, KeySlot, Purpose, Purposes, Sealed, TenantId, UnixMillis,
};

use crate::rows::{IssuedRow, Receipt};

/// A purpose ends for every turn that was opened before this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Which purpose.
    pub of: Purpose,
    /// Turns that are older are not kept for it any more.
    pub before: UnixMillis,
}

/// One step of a sweep.
#[derive(Debug, Clone)]
pub struct Sweep {
    /// In whose house.
    pub tenant: TenantId,
    /// When it is: holds that ended before do not count.
    pub now: UnixMillis,
    /// What ended.
    pub ends: Vec<End>,
    /// Turns touched at most, for each purpose and for the deletion.
    pub most: u32,
    /// What is written if something was deleted; its `rows` are set to their number.
    pub event: Event,
}

/// What a step of a sweep did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Turns that are kept for less than before.
    pub narrowed: u64,
    /// Turns deleted.
    pub turns: u64,
    /// Rows deleted in all, turns among them.
    pub rows: u64,
    /// The slots of keys that nothing is left for: they are to be destroyed next.
    pub slots: Vec<KeySlot>,
    /// Whether another step may find more.
    pub more: bool,
    /// The event, if something was deleted.
    pub receipt: Option<Receipt>,
}

/// Values that were sealed together in one turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Values {
    /// Of which conversation.
    pub conversation: ConversationId,
    /// Whose.
    pub customer: CustomerId,
    /// The slot of the key.
    pub slot: KeySlot,
    /// When they were stored.
    pub at: UnixMillis,
    /// What they are kept for.
    pub purposes: Purposes,
    /// The values.
    pub row: IssuedRow,
}

/// Values sealed anew, because some went or were corrected.
#[derive(Debug, Clone)]
pub struct Rewrite {
    /// In whose house.
    pub tenant: TenantId,
    /// Of which conversation.
    pub conversation: ConversationId,
    /// What was read: should it be something else by now, nothing is changed.
    pub was: Sealed,
    /// What takes its place, under the same number; none only narrows what it is kept for.
    pub to: Option<IssuedRow>,
    /// The number of the first of them.
    pub first: u32,
    /// What they are kept for from now on, if that changes.
    pub purposes: Option<Purposes>,
    /// The events of it.
    pub events: Vec<Event>,
    /// In whose trail the events stand.
    pub about: Option<CustomerId>,
}

/// The least id of a turn that was opened at this time.
pub(crate) fn time_as_id(at: UnixMillis) -> [u8; 16] {
    let [_, _, time @ ..] = at.0.to_be_bytes();
    let mut id = [0; 16];
    id.iter_mut().zip(time).for_each(|(to, from)| *to = from);
    id
}

/// The classes that a row may hold whose classes were not written down.
pub(crate) const UNTOLD: i64 = 0b11_1111;

/// A set of classes as it is stored.
pub(crate) fn classes(bits: i64) -> Classes {
    Classes::from_bits(u8::try_from(bits & UNTOLD).unwrap_or(0))
}

/// A set of purposes as it is stored.
pub(crate) fn purposes(bits: i64) -> Purposes {
    Purposes::from_bits(u32::try_from(bits & i64::from(u32::MAX)).unwrap_or(0))
}

/// Where a customer stands, as two columns: nine bytes for each consent, and a bit for each refusal.
pub(crate) fn given(all: &[(Purpose, [u8; 8])]) -> Vec<u8> {
    all.iter().flat_map(|(purpose, words)| std::iter::once(purpose.number()).chain(*words)).collect()
}

/// The same, read.
pub(crate) fn read_given(bytes: &[u8]) -> Vec<(Purpose, [u8; 8])> {
    let (all, _) = bytes.as_chunks::<9>();
    let one = |[number, words @ ..]: &[u8; 9]| {
        let purpose = Purposes::from_bits(1_u32.checked_shl((*number).into())?).iter().next()?;
        Some((purpose, *words))
    };
    all.iter().filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn consents_are_read_as_they_were_written() {
        let all = vec![(Purpose::QUALITY, [1; 8]), (Purpose::own(30).unwrap(), [255; 8])];
        assert_eq!(read_given(&given(&all)), all);
        assert_eq!(read_given(&[7, 0, 0, 0, 0, 0, 0, 0, 0]), [], "7 is no purpose");
    }
}
