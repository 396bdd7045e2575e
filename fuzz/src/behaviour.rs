//! Saved counts of behaviour, files of phrases and patterns, and texts that are read with them.

use std::sync::LazyLock;

use aws_lc_rs::digest;
use chatward_detect::behaviour::{
    Behaviour, Facts, Limits, Observation, Patterns, Reader, Sketch, references,
};
use chatward_message::{Channel, UnixMillis};

static READER: LazyLock<Reader> = LazyLock::new(|| Reader::builtin().unwrap());

/// Any bytes as saved counts (with the check that belongs to them), as a file of phrases, of patterns, as a text.
pub fn behaviour(bytes: &[u8]) {
    let mut state = Behaviour::new(Patterns::builtin().unwrap(), Limits::within(1 << 18));
    assert!(state.load(bytes).is_err() || bytes.len() > 16);
    let check = digest::digest(&digest::SHA256, bytes);
    if state.load(&[bytes, &check.as_ref()[..16]].concat()).is_ok() {
        let saved = state.save();
        state.load(&saved).unwrap();
        assert_eq!(state.save(), saved);
    }
    assert!(state.memory() <= state.bound());
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(reader) = Reader::new(&[("fuzz.toml", text)]) {
        reader.read(text, Channel::Customer);
    }
    if let Ok(patterns) = Patterns::new("fuzz.toml", text) {
        state = Behaviour::new(patterns, Limits::within(1 << 18));
    }
    for span in references(text) {
        assert!(span.of(text).is_some());
    }
    for channel in Channel::ALL {
        let said = READER.read(text, channel);
        let facts = Facts {
            signals: said.signals,
            persona: said.persona,
            sketch: Some(Sketch::of(text, 1)),
            length: 1,
            ..Facts::default()
        };
        let at = UnixMillis(u64::from(bytes.first().copied().unwrap_or_default()) * 1000);
        let seen = Observation { at, conversation: Some(1), account: Some(2), network: None, channel, facts };
        state.observe(&seen);
    }
    assert!(state.memory() <= state.bound());
}
