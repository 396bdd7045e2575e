//! `[channel]`, checked.

use std::time::Duration;

use super::Fault;
use super::load::fault;
use super::raw::RawChannel;
use crate::channel::Pace;

/// The shortest and the longest beat.
const BEATS: std::ops::RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(2);
/// What a bucket is a multiple of, and the largest: one piece of the draft.
const STEP: u32 = 256;
const LARGEST: u32 = 16_384;

/// Checks `[channel]`.
pub(super) fn channel(raw: &RawChannel, faults: &mut Vec<Fault>) -> Pace {
    if !BEATS.contains(&raw.beat.0) {
        faults.push(fault("channel.beat", format!("{} is not from 10ms to 2s", raw.beat)));
    }
    if raw.bucket == 0 || raw.bucket > LARGEST || !raw.bucket.is_multiple_of(STEP) {
        let message = format!("{} is not a multiple of {STEP} up to {LARGEST}", raw.bucket);
        faults.push(fault("channel.bucket", message));
    }
    Pace { beat: raw.beat.0, bucket: usize::try_from(raw.bucket).unwrap_or(1024), fill: raw.fill }
}
