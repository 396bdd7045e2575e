//! How often a caller may ask.
//!
//! A token bucket per caller or address, kept as one number: the time at which the bucket would be full again (GCRA).
//! The table is bounded. When it is full of busy callers, newcomers share one bucket: a flood of addresses slows
//! newcomers, and costs neither memory nor the callers that are already known.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::problem::{Code, Problem, whole_seconds};

/// So many requests a minute, and so many at once. Both are at least 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quota {
    per_minute: u32,
    burst: u32,
}

impl Quota {
    /// Nothing if one of the two is zero.
    pub const fn new(per_minute: u32, burst: u32) -> Option<Self> {
        if per_minute == 0 || burst == 0 { None } else { Some(Self { per_minute, burst }) }
    }

    /// Requests a minute.
    pub const fn per_minute(self) -> u32 {
        self.per_minute
    }

    /// Requests at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Nanoseconds until one more request is allowed.
    fn step(self) -> u64 {
        60_000_000_000 / u64::from(self.per_minute)
    }
}

/// Whose requests are counted together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RateKey([u8; 16]);

impl RateKey {
    pub(super) fn caller(identity: &[u8; 32]) -> Self {
        let mut key = [0; 16];
        key.iter_mut().zip(identity).for_each(|(to, from)| *to = *from);
        Self(key)
    }

    /// At most 8 bytes of address; their number keeps the two families apart.
    pub(super) fn address(bytes: &[u8]) -> Self {
        let mut key = [0xff; 16];
        key.iter_mut().zip(bytes).for_each(|(to, from)| *to = *from);
        key[15] = if bytes.len() > 4 { 6 } else { 4 };
        Self(key)
    }
}

/// How a caller stands after an allowed request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    quota: Quota,
    /// Requests left at once.
    pub remaining: u32,
    /// Until the bucket is full again.
    pub reset: Duration,
}

/// A request too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limited {
    quota: Quota,
    /// How long to wait for one more request.
    pub retry_after: Duration,
}

impl From<Limited> for Problem {
    fn from(limited: Limited) -> Self {
        Self::new(Code::RateLimited).retry_after(limited.retry_after)
    }
}

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

impl Standing {
    /// Writes the headers of draft-ietf-httpapi-ratelimit-headers-11.
    pub fn write(&self, headers: &mut HeaderMap) {
        write(headers, self.quota, self.remaining, self.reset);
    }
}

impl Limited {
    /// Writes the same headers and `Retry-After`.
    pub fn write(&self, headers: &mut HeaderMap) {
        write(headers, self.quota, 0, self.retry_after);
        headers.insert(header::RETRY_AFTER, whole_seconds(self.retry_after).into());
    }
}

fn write(headers: &mut HeaderMap, quota: Quota, remaining: u32, reset: Duration) {
    let seconds = if reset.is_zero() { 0 } else { whole_seconds(reset) };
    let policy = format!("\"requests\";q={};w=60", quota.per_minute);
    let limit = format!("\"requests\";r={remaining};t={seconds}");
    for (name, text) in [(POLICY, policy), (LIMIT, limit)] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(name, value);
        }
    }
}

const SHARDS: usize = 16;

/// The buckets.
#[derive(Debug)]
pub struct RateLimiter {
    start: Instant,
    hasher: RandomState,
    shards: Box<[Mutex<Shard>]>,
    per_shard: usize,
}

#[derive(Debug, Default)]
struct Shard {
    /// Nanoseconds after the start at which the bucket is full again.
    full_at: HashMap<RateKey, u64>,
    newcomers: u64,
}

impl RateLimiter {
    /// Room for about this many callers; a caller takes some 40 bytes.
    pub fn new(capacity: usize, now: Instant) -> Self {
        let shards = (0..SHARDS).map(|_| Mutex::default()).collect();
        Self { start: now, hasher: RandomState::new(), shards, per_shard: capacity.div_ceil(SHARDS).max(1) }
    }

    /// Counts one request.
    pub fn check(&self, who: RateKey, quota: Quota, now: Instant) -> Result<Standing, Limited> {
        let now = u64::try_from(now.saturating_duration_since(self.start).as_nanos()).unwrap_or(u64::MAX);
        let index = usize::try_from(self.hasher.hash_one(who)).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(index) else { return Ok(full(quota)) };
        // A panic elsewhere cannot leave the numbers in a state that means anything else.
        let mut shard = shard.lock().unwrap_or_else(PoisonError::into_inner);
        let Shard { full_at, newcomers } = &mut *shard;
        if !full_at.contains_key(&who) && full_at.len() >= self.per_shard {
            full_at.retain(|_, at| *at > now);
        }
        if full_at.len() < self.per_shard || full_at.contains_key(&who) {
            take(full_at.entry(who).or_insert(now), quota, now)
        } else {
            take(newcomers, quota, now)
        }
    }
}

fn full(quota: Quota) -> Standing {
    Standing { quota, remaining: quota.burst, reset: Duration::ZERO }
}

fn take(full_at: &mut u64, quota: Quota, now: u64) -> Result<Standing, Limited> {
    let step = quota.step();
    let depth = step.saturating_mul(quota.burst.into());
    // After a reload with a smaller burst the old number may lie further off than the new bucket is deep.
    let at = (*full_at).clamp(now, now.saturating_add(depth));
    let next = at.saturating_add(step);
    let debt = next - now;
    if debt > depth {
        return Err(Limited { quota, retry_after: Duration::from_nanos(debt - depth) });
    }
    *full_at = next;
    let remaining = u32::try_from((depth - debt) / step.max(1)).unwrap_or(quota.burst);
    Ok(Standing { quota, remaining, reset: Duration::from_nanos(debt) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u32) -> RateKey {
        RateKey::address(&n.to_be_bytes())
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let start = Instant::now();
        let limiter = RateLimiter::new(100, start);
        let quota = Quota::new(60, 3).unwrap();
        for left in [2, 1, 0] {
            assert_eq!(limiter.check(key(1), quota, start).unwrap().remaining, left);
        }
        let limited = limiter.check(key(1), quota, start).unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(1));
        assert!(limiter.check(key(2), quota, start).is_ok());
        assert!(limiter.check(key(1), quota, start + Duration::from_millis(999)).is_err());
        assert!(limiter.check(key(1), quota, start + Duration::from_secs(1)).is_ok());
        assert!(limiter.check(key(1), quota, start + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn a_flood_of_newcomers_neither_grows_the_table_nor_frees_them() {
        let start = Instant::now();
        let limiter = RateLimiter::new(SHARDS * 2, start);
        let quota = Quota::new(1, 1).unwrap();
        let allowed = (0..10_000).filter(|n| limiter.check(key(*n), quota, start).is_ok()).count();
        assert!(allowed <= SHARDS * 3, "{allowed}");
        let kept: usize = limiter.shards.iter().map(|s| s.lock().unwrap().full_at.len()).sum();
        assert!(kept <= SHARDS * 2);
        // Once the known ones are idle they make room.
        assert!(limiter.check(key(20_000), quota, start + Duration::from_secs(61)).is_ok());
    }

    #[test]
    fn headers_say_how_it_stands() {
        let start = Instant::now();
        let limiter = RateLimiter::new(10, start);
        let quota = Quota::new(30, 1).unwrap();
        let mut headers = HeaderMap::new();
        limiter.check(key(1), quota, start).unwrap().write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"requests\";q=30;w=60");
        assert_eq!(headers["ratelimit"], "\"requests\";r=0;t=2");
        limiter.check(key(1), quota, start).unwrap_err().write(&mut headers);
        assert_eq!(headers["retry-after"], "2");
    }

    proptest::proptest! {
        /// Over any minute never more than the burst and the rate.
        #[test]
        fn never_more_than_burst_and_rate(gaps in proptest::collection::vec(0u64..3_000, 1..200), rate in 1u32..200, burst in 1u32..20) {
            let start = Instant::now();
            let limiter = RateLimiter::new(10, start);
            let quota = Quota::new(rate, burst).unwrap();
            let (mut at, mut allowed) = (0, 0u64);
            for gap in gaps {
                at += gap;
                allowed += u64::from(limiter.check(key(1), quota, start + Duration::from_millis(at)).is_ok());
            }
            proptest::prop_assert!(allowed <= u64::from(burst) + at * u64::from(rate) / 60_000 + 1);
        }
    }
}
