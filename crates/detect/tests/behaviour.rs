//! Plays conversations, attacks and their innocent twins, made from templates with many seeds (`scenarios/README.md`).

#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use std::collections::HashMap;

use chatward_detect::behaviour::{
    Behaviour, Facts, Incident, Limits, Observation, Patterns, Reader, Seen, Signal, Signals, Sketch,
    ValueKind,
};
use chatward_message::{Channel, UnixMillis};
use serde::Deserialize;

/// How often each scenario is played.
const SEEDS: u64 = 25;

const FILES: [&str; 3] = [
    include_str!("scenarios/values.toml"),
    include_str!("scenarios/takeover.toml"),
    include_str!("scenarios/bot.toml"),
];

#[derive(Debug, Deserialize)]
struct File {
    scenario: Vec<Scenario>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    name: String,
    incident: String,
    /// The step, counted from one, where a `!` cannot say it.
    at: Option<usize>,
    networks: Option<String>,
    /// Each text is made so long.
    fill: Option<u32>,
    attack: Vec<String>,
    twin: Vec<String>,
}

/// Small and repeatable.
struct Random(u64);

impl Random {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    fn digits(&mut self, count: usize) -> String {
        (0..count).map(|_| char::from(b'0' + u8::try_from(self.below(10)).unwrap())).collect()
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[usize::try_from(self.below(of.len() as u64)).unwrap()]
    }
}

/// One step of a played conversation.
#[derive(Debug, Default)]
struct Step {
    at: u64,
    conversation: u64,
    account: u64,
    network: u64,
    channel: Option<Channel>,
    text: String,
    signals: Signals,
    values: Vec<Seen>,
    records: u16,
    suspicion: f32,
    prepared: bool,
    /// The incident is to be raised here.
    marked: bool,
}

/// Makes steps of templates.
struct Maker {
    random: Random,
    now: u64,
    known: HashMap<String, String>,
    own_networks: bool,
}

impl Maker {
    fn new(seed: u64, scenario: &Scenario) -> Self {
        let now = 1_790_000_000_000 + seed * 1_000_003;
        let own_networks = scenario.networks.as_deref() == Some("own");
        Self { random: Random(seed.wrapping_mul(77) + 1), now, known: HashMap::new(), own_networks }
    }

    fn steps(&mut self, lines: &[String]) -> Vec<Step> {
        let mut steps = Vec::new();
        for line in lines {
            let (head, text) = line.split_once(": ").unwrap_or_else(|| panic!("no `who: `: {line}"));
            let (mut times, mut gap, mut who) = (1, 20_000, "");
            for word in head.split(' ') {
                match word.as_bytes()[0] {
                    b'x' => times = word[1..].parse().unwrap(),
                    b'+' => gap = duration(&word[1..]),
                    _ => who = word,
                }
            }
            for time in 1..=times {
                self.now += gap;
                let mut step = self.step(who, text);
                step.marked &= time == times;
                steps.push(step);
            }
        }
        steps
    }

    fn step(&mut self, who: &str, text: &str) -> Step {
        let mut step = Step { at: self.now, marked: who.contains('!'), ..Step::default() };
        let who = who.replace('!', "");
        let (who, network) =
            who.split_once('~').map_or((who.as_str(), None), |(w, n)| (w, Some(n.parse().unwrap())));
        let (who, conversation) = who.split_once('/').map_or((who, 1), |(w, c)| (w, c.parse().unwrap()));
        step.channel = match who.as_bytes()[0] {
            b'c' => Some(Channel::Customer),
            b'b' => Some(Channel::Bot),
            _ => None,
        };
        step.account = if who.len() == 1 { 1 } else { who[1..].parse().unwrap() };
        step.conversation = step.account * 1000 + conversation;
        step.network = network.unwrap_or(if self.own_networks { step.account } else { 1 });
        if step.channel.is_none() {
            step.signals = text.split(' ').map(signal).collect();
        } else {
            let chosen = self.choose(text);
            self.fill(&chosen, &mut step);
        }
        step
    }

    /// `{one|other}` becomes one of them.
    fn choose(&mut self, text: &str) -> String {
        let mut out = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let (choices, after) = after.split_once('}').unwrap();
            out.push_str(before);
            out.push_str(self.random.one(&choices.split('|').collect::<Vec<_>>()));
            rest = after;
        }
        out + rest
    }

    /// `<kind>` becomes a value.
    fn fill(&mut self, text: &str, step: &mut Step) {
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('<') {
            let (tag, after) = after.split_once('>').unwrap();
            step.text.push_str(before);
            rest = after;
            let (kind, number) = tag.split_once(':').unwrap_or((tag, ""));
            match kind {
                "records" => step.records = number.parse().unwrap(),
                "suspicion" => step.suspicion = number.parse().unwrap(),
                "button" => step.prepared = true,
                _ => {
                    let value = if number.is_empty() {
                        self.value(kind)
                    } else {
                        let new = self.value(kind);
                        self.known.entry(tag.to_owned()).or_insert(new).clone()
                    };
                    let kind = ValueKind::ALL.into_iter().find(|k| k.name() == kind).unwrap();
                    step.values.push(Seen { kind, key: hash(&value) });
                    step.text.push_str(&value);
                }
            }
        }
        step.text.push_str(rest);
    }

    fn value(&mut self, kind: &str) -> String {
        let random = &mut self.random;
        let first = random.one(&["anna", "ben", "chen", "dora", "emil", "fay", "gus", "hana"]);
        let last = random.one(&["adler", "brook", "costa", "duval", "evans", "fisher", "garcia"]);
        match kind {
            "email" => format!(
                "{first}.{last}{}@{}.example",
                random.digits(3),
                random.one(&["post", "mail", "inbox"])
            ),
            "phone" => format!("+44 20 {} {}", random.digits(4), random.digits(4)),
            "order" => random.digits(8),
            "card" => format!(
                "4{} {} {} {}",
                random.digits(3),
                random.digits(4),
                random.digits(4),
                random.digits(4)
            ),
            "account" => format!("DE{}", random.digits(20)),
            "identity" => random.digits(11),
            "birth-date" => {
                format!("{:02}.{:02}.19{}", 1 + random.below(28), 1 + random.below(12), random.digits(2))
            }
            "code" => random.digits(6),
            _ => format!("{first} {last}"),
        }
    }
}

fn signal(name: &str) -> Signal {
    Signal::ALL.into_iter().find(|signal| signal.name() == name).unwrap_or_else(|| panic!("no signal {name}"))
}

fn duration(text: &str) -> u64 {
    let (number, unit) = text.split_at(text.len() - 1);
    number.parse::<u64>().unwrap()
        * match unit {
            "s" => 1000,
            "m" => 60_000,
            _ => 3_600_000,
        }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, b| (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3))
}

fn observe(behaviour: &mut Behaviour, reader: &Reader, step: &Step, fill: Option<u32>) -> Vec<Incident> {
    let channel = step.channel.unwrap_or(Channel::Customer);
    let said = reader.read(&step.text, channel);
    let speaks = step.channel.is_some();
    behaviour.observe(&Observation {
        at: UnixMillis(step.at),
        conversation: speaks.then_some(step.conversation),
        account: Some(step.account),
        network: Some(step.network),
        channel,
        facts: Facts {
            signals: step.signals.or(said.signals),
            persona: said.persona,
            values: &step.values,
            sketch: speaks.then(|| Sketch::of(&step.text, 42)),
            prepared: step.prepared,
            length: fill.unwrap_or(u32::try_from(step.text.len()).unwrap()),
            records: step.records,
            suspicion: step.suspicion,
        },
    })
}

/// Each step at which an incident was raised, and which.
fn play(reader: &Reader, patterns: &Patterns, steps: &[Step], fill: Option<u32>) -> Vec<(usize, String)> {
    let mut behaviour = Behaviour::new(patterns.clone(), Limits::within(1 << 20));
    let mut raised = Vec::new();
    for (number, step) in steps.iter().enumerate() {
        let incidents = observe(&mut behaviour, reader, step, fill);
        raised.extend(incidents.into_iter().map(|incident| (number + 1, incident.info.id.to_string())));
    }
    raised
}

fn scenarios() -> Vec<Scenario> {
    FILES.iter().flat_map(|file| toml::from_str::<File>(file).unwrap().scenario).collect()
}

#[test]
fn every_attack_is_seen_at_its_turn_and_no_innocent_twin_is() {
    let (reader, patterns) = (Reader::builtin().unwrap(), Patterns::builtin().unwrap());
    let mut faults = Vec::new();
    let scenarios = scenarios();
    assert!(scenarios.len() >= 30);
    for scenario in &scenarios {
        for seed in 0..SEEDS {
            let steps = Maker::new(seed, scenario).steps(&scenario.attack);
            let raised = play(&reader, &patterns, &steps, scenario.fill);
            let marked = steps.iter().position(|step| step.marked).map(|at| at + 1);
            let wanted =
                scenario.at.or(marked).unwrap_or_else(|| panic!("{}: no turn is marked", scenario.name));
            let first = raised.iter().find(|(_, id)| *id == scenario.incident).map(|(at, _)| *at);
            if first != Some(wanted) {
                faults.push(format!(
                    "{} (seed {seed}): wanted at {wanted}, was {first:?}, all {raised:?}",
                    scenario.name
                ));
            }
            let steps = Maker::new(seed, scenario).steps(&scenario.twin);
            for (at, id) in play(&reader, &patterns, &steps, scenario.fill) {
                faults.push(format!(
                    "twin of {} (seed {seed}): {id} at {at}: {}",
                    scenario.name,
                    steps[at - 1].text
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn every_pattern_has_a_scenario() {
    let patterns = Patterns::builtin().unwrap();
    let scenarios = scenarios();
    let without: Vec<&str> = patterns
        .list()
        .map(|(info, _)| &*info.id)
        .filter(|id| scenarios.iter().all(|scenario| scenario.incident != *id))
        .collect();
    assert!(without.is_empty(), "{without:?}");
}
