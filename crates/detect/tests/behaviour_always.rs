//! What always holds of the counts of behaviour, whatever is observed.
#![expect(clippy::unwrap_used, reason = "tests")]

use chatward_detect::behaviour::{
    Behaviour, Damaged, Facts, Incident, Limits, Observation, Patterns, Persona, Scope, Seen, Signal,
    Signals, Sketch, ValueKind,
};
use chatward_message::{Channel, UnixMillis};
use proptest::prelude::*;

/// An observation that owns its values.
#[derive(Debug, Clone)]
struct Owned {
    at: u64,
    conversation: Option<u64>,
    account: Option<u64>,
    network: Option<u64>,
    channel: Channel,
    signals: Signals,
    persona: Persona,
    values: Vec<Seen>,
    sketch: Option<Sketch>,
    length: u32,
    records: u16,
    suspicion: f32,
}

impl Owned {
    fn observe(&self, behaviour: &mut Behaviour) -> Vec<Incident> {
        behaviour.observe(&Observation {
            at: UnixMillis(self.at),
            conversation: self.conversation,
            account: self.account,
            network: self.network,
            channel: self.channel,
            facts: Facts {
                signals: self.signals,
                persona: self.persona,
                values: &self.values,
                sketch: self.sketch,
                prepared: false,
                length: self.length,
                records: self.records,
                suspicion: self.suspicion,
            },
        })
    }
}

fn observation(subjects: u64) -> impl Strategy<Value = Owned> {
    let who = (
        0u64..4_000_000,
        proptest::option::of(0..subjects),
        proptest::option::of(0..subjects),
        proptest::option::of(0..subjects / 2 + 1),
        proptest::sample::select(Channel::ALL.to_vec()),
    );
    let persona = proptest::sample::select(vec![
        Persona::None,
        Persona::Owner,
        Persona::Staff,
        Persona::Manager,
        Persona::Authority,
    ]);
    let seen = (proptest::sample::select(ValueKind::ALL.to_vec()), 0u64..60)
        .prop_map(|(kind, key)| Seen { kind, key });
    let what = (
        proptest::collection::vec(proptest::sample::select(Signal::ALL.to_vec()), 0..4),
        persona,
        proptest::collection::vec(seen, 0..5),
        proptest::option::of((0u64..9, 0u16..30)),
        any::<u32>(),
        any::<u16>(),
        0f32..1.5,
    );
    (who, what).prop_map(|((at, conversation, account, network, channel), what)| {
        let (signals, persona, values, sketch, length, records, suspicion) = what;
        Owned {
            at: 1_790_000_000_000 + at,
            conversation,
            account,
            network,
            channel,
            signals: signals.into_iter().collect(),
            persona,
            values,
            sketch: sketch
                .map(|(bits, words)| Sketch { bits: bits.wrapping_mul(0x9E37_79B9_7F4A_7C15), words }),
            length,
            records,
            suspicion,
        }
    })
}

fn behaviour(bytes: usize) -> Behaviour {
    static PATTERNS: std::sync::OnceLock<Patterns> = std::sync::OnceLock::new();
    let patterns = PATTERNS.get_or_init(|| Patterns::builtin().unwrap());
    Behaviour::new(patterns.clone(), Limits::within(bytes))
}

/// What counts of an incident.
type Told = (String, Scope, u64, u64, Vec<(&'static str, u32)>);

/// Incidents in an order that does not depend on the order of the input.
fn sorted(incidents: Vec<Incident>) -> Vec<Told> {
    let mut all: Vec<_> = incidents
        .into_iter()
        .map(|i| (i.info.id.to_string(), i.scope, i.subject, i.at.0, i.evidence.counts))
        .collect();
    all.sort();
    all
}

proptest! {
    #[test]
    fn no_stream_takes_more_memory_than_is_stated(
        stream in proptest::collection::vec(observation(400), 0..300),
        bytes in 1usize..400_000,
    ) {
        let mut behaviour = behaviour(bytes);
        for one in &stream {
            for incident in one.observe(&mut behaviour) {
                prop_assert!((0.0..=1.0).contains(&incident.score));
                prop_assert!(incident.evidence.since <= incident.at);
            }
            prop_assert!(behaviour.memory() <= behaviour.bound());
        }
    }

    #[test]
    fn what_was_saved_goes_on_with_the_same_verdicts(
        before in proptest::collection::vec(observation(12), 0..80),
        after in proptest::collection::vec(observation(12), 0..80),
    ) {
        let mut one = behaviour(1 << 20);
        for seen in &before {
            seen.observe(&mut one);
        }
        let mut other = behaviour(1 << 20);
        other.load(&one.save()).unwrap();
        for seen in &after {
            prop_assert_eq!(sorted(seen.observe(&mut one)), sorted(seen.observe(&mut other)));
        }
        prop_assert_eq!(one.save(), other.save());
    }

    #[test]
    fn a_damaged_state_is_refused_and_changes_nothing(
        stream in proptest::collection::vec(observation(12), 1..40),
        at in 0usize..100_000,
        with in 1u8..=255,
        cut in 0usize..100_000,
    ) {
        let mut one = behaviour(1 << 20);
        for seen in &stream {
            seen.observe(&mut one);
        }
        let saved = one.save();
        let mut damaged = saved.clone();
        let at = at % damaged.len();
        damaged[at] ^= with;
        prop_assert!(one.load(&damaged).is_err());
        prop_assert!(one.load(&saved[..cut % saved.len()]).is_err());
        prop_assert_eq!(one.save(), saved);
    }

    /// Customers, each in their own conversation and network, at one time: the order in which they come says nothing.
    #[test]
    fn the_order_of_different_subjects_at_one_time_does_not_matter(
        mut stream in proptest::collection::vec(observation(12), 0..60),
        seed in any::<u64>(),
    ) {
        for (at, seen) in stream.iter_mut().enumerate() {
            let (key, at) = (at as u64 % 7, at as u64 / 7 * 1000);
            seen.at = 1_790_000_000_000 + at;
            (seen.conversation, seen.account, seen.network) = (Some(key), Some(key), Some(key));
            // A text has its own subject, which many share.
            seen.sketch = seen.sketch.map(|sketch| Sketch { words: sketch.words.min(9), ..sketch });
        }
        let mut mixed = stream.clone();
        for row in mixed.chunks_mut(7) {
            let by = usize::try_from(seed % 7).unwrap() % row.len();
            row.rotate_left(by);
        }
        let all = |stream: &[Owned]| {
            let mut behaviour = behaviour(1 << 20);
            sorted(stream.iter().flat_map(|seen| seen.observe(&mut behaviour)).collect())
        };
        prop_assert_eq!(all(&stream), all(&mixed));
    }

    /// Two gateways that counted different conversations know together what one would have known.
    #[test]
    fn counts_of_two_gateways_join(stream in proptest::collection::vec(observation(12), 0..60)) {
        let (mut left, mut right, mut whole) = (behaviour(1 << 20), behaviour(1 << 20), behaviour(1 << 20));
        for seen in &stream {
            let mut seen = seen.clone();
            // One time, so that nothing is rounded differently; conversations stay with their gateway.
            seen.at = 1_790_000_000_000;
            let key = seen.conversation.unwrap_or_default();
            (seen.account, seen.network, seen.sketch) = (None, Some(1), None);
            seen.observe(if key % 2 == 0 { &mut left } else { &mut right });
            seen.observe(&mut whole);
        }
        left.merge(&right);
        for scope in [Scope::Conversation, Scope::Network] {
            for key in 0..12 {
                prop_assert_eq!(left.standing(scope, key), whole.standing(scope, key));
            }
        }
    }
}

#[test]
fn a_state_of_another_version_is_told_apart_and_the_forgotten_are_gone() {
    let mut one = behaviour(1 << 20);
    assert_eq!(one.load(b"something else"), Err(Damaged::Version));
    let mut old = one.save();
    old[4] = 99;
    assert_eq!(one.load(&old), Err(Damaged::Version));

    let signals = Signals::NONE.with(Signal::ContactChange);
    one.observe(&Observation {
        at: UnixMillis(1_790_000_000_000),
        conversation: Some(1),
        account: Some(2),
        network: None,
        channel: Channel::Customer,
        facts: Facts { signals, length: 10, ..Facts::default() },
    });
    assert!(!one.standing(Scope::Account, 2).is_empty());
    one.forget(Scope::Account, 2);
    one.forget(Scope::Conversation, 1);
    assert_eq!((one.subjects(Scope::Account), one.subjects(Scope::Conversation)), (0, 0));
}

#[test]
fn the_default_tables_take_what_is_said() {
    let bytes = Limits::default().bytes();
    assert!(bytes < 20 << 20, "{bytes}");
    let limits = Limits::within(8 << 20);
    assert!(limits.bytes() <= 8 << 20 && limits.bytes() > 6 << 20, "{limits:?}: {}", limits.bytes());
}

#[test]
fn what_no_pattern_can_count_is_dropped() {
    const HOUR: u64 = 3_600_000;
    let seen = |at: u64, network: u64, values: &[Seen]| Owned {
        at: 1_790_000_000_000 + at,
        conversation: Some(network),
        account: Some(network),
        network: Some(network),
        channel: Channel::Customer,
        signals: Signals::NONE,
        persona: Persona::None,
        values: values.to_vec(),
        sketch: None,
        length: 0,
        records: 0,
        suspicion: 0.0,
    };
    let email = [Seen { kind: ValueKind::Email, key: 7 }];
    let (mut with, mut without) = (behaviour(1 << 20), behaviour(1 << 20));
    seen(0, 1, &email).observe(&mut with);
    seen(0, 1, &[]).observe(&mut without);
    let now = |at: u64| UnixMillis(1_790_000_000_000 + at);
    with.expire(now(HOUR / 2));
    assert_ne!(with.save(), without.save(), "the value can still be one of several");
    for one in [&mut with, &mut without] {
        seen(100 * HOUR, 1, &[]).observe(one);
        one.expire(now(100 * HOUR));
    }
    assert_eq!(with.save(), without.save(), "nothing of the value is left");
    assert_eq!(with.subjects(Scope::Network), 1);
    with.expire(now(100 * HOUR + 90 * 24 * HOUR));
    assert!(Scope::ALL.into_iter().all(|scope| with.subjects(scope) == 0));
}
