//! A second opinion on attacks.
//!
//! The small models of [`threat`](crate::threat) judge every text. Where what they say leaves room for doubt, within a band of
//! risks, a larger [`Reader`] that says what whole texts are may be asked. Its word counts as the house asks for it;
//! where it did not read a text to the end, the first verdict stands.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use chatward_message::{Channel, Plain, Span, Threat, View};

use super::{Read, Reader};
use crate::threat::forms::Form;
use crate::threat::linear::{MAIN, Scale};
use crate::threat::{self, Reading, Verdict};

/// Whom an attack is aimed at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Aim {
    /// The bot's instructions.
    Prompt,
    /// People.
    People,
}

impl Aim {
    /// That of a threat.
    pub const fn of(threat: Threat) -> Self {
        if threat.is_prompt_attack() { Self::Prompt } else { Self::People }
    }

    /// What it is called where nothing more is known.
    const fn threat(self) -> Threat {
        match self {
            Self::Prompt => Threat::PromptInjection,
            Self::People => Threat::Phishing,
        }
    }
}

/// What a label stands for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Meant {
    /// An attack on whom.
    pub aim: Aim,
    /// What makes a risk of its score; without it, the score is one.
    pub scale: Option<Scale>,
}

/// A reader that is asked, and when.
#[derive(Debug, Clone)]
pub struct Second {
    reader: Arc<dyn Reader>,
    /// By label.
    meant: Box<[Option<Meant>]>,
    band: Range<f32>,
}

/// What is read of a text: the form in which it looked most suspicious.
#[derive(Debug)]
pub struct Asked {
    /// Its words.
    pub text: Plain,
    /// Whether they are those of the text as it came, so that places in them are places in it.
    pub as_it_came: bool,
}

impl Second {
    /// Asks this reader about texts whose risk lies in the band. A label that is not named is ignored.
    ///
    /// # Errors
    /// The first label that the reader does not have.
    pub fn new(
        reader: Arc<dyn Reader>,
        labels: &BTreeMap<String, Meant>,
        band: Range<f32>,
    ) -> Result<Self, String> {
        let known = reader.labels();
        if let Some(label) = labels.keys().find(|label| !known.iter().any(|known| **known == ***label)) {
            return Err(label.clone());
        }
        let meant = known.iter().map(|label| labels.get(&**label).copied()).collect();
        Ok(Self { reader, meant, band })
    }

    /// Who reads.
    pub fn reader(&self) -> &Arc<dyn Reader> {
        &self.reader
    }

    /// Whether there is doubt that it can do something about.
    pub fn asks(&self, first: &Verdict) -> bool {
        let knows = |meant: &Meant| meant.aim == Aim::of(first.threat);
        self.band.contains(&first.risk) && self.meant.iter().flatten().any(knows)
    }

    /// The verdict once it has read that; nothing where it did not read it to the end.
    pub fn verdict(&self, first: &Verdict, asked: &Asked, read: &Read, channel: Channel) -> Option<Verdict> {
        if read.unread.is_some() {
            return None;
        }
        let mut most: [Option<(f32, Span)>; MAIN] = [None; MAIN];
        for mention in &read.mentions {
            let Some(meant) = self.meant.get(mention.label).copied().flatten() else { continue };
            let risk = meant.risk(mention.score, channel);
            if let Some(most) = most.get_mut(meant.aim as usize)
                && most.is_none_or(|(known, _)| risk > known)
            {
                *most = Some((risk, mention.span));
            }
        }
        // It has to say something about what it was asked for.
        most.get(Aim::of(first.threat) as usize).copied().flatten()?;
        let of = |aim: Aim| most.get(aim as usize).copied().flatten().map(|(risk, span)| (aim, risk, span));
        let (aim, risk, span) =
            [of(Aim::Prompt), of(Aim::People)].into_iter().flatten().max_by(|a, b| a.1.total_cmp(&b.1))?;
        let same = aim == Aim::of(first.threat);
        let threat = if same { first.threat } else { aim.threat() };
        let span = if asked.as_it_came { span } else { first.span };
        Some(Verdict { threat, risk, view: first.view, span })
    }
}

impl Asked {
    /// The form in which the small models found most. Plain words are left as they were typed.
    pub fn of(models: &threat::Reader, text: &str, first: &Verdict) -> Self {
        let mut best: Option<(f32, Plain)> = None;
        models.forms(text, &mut |form: &Form| {
            if form.view == first.view {
                let mut reading = Reading::default();
                models.add(form, &mut reading);
                let sum = match Aim::of(first.threat) {
                    Aim::Prompt => reading.prompt.sum,
                    Aim::People => reading.people.sum,
                };
                if best.as_ref().is_none_or(|(most, _)| sum > *most) {
                    best = Some((sum, Plain::new(form.text.iter().collect())));
                }
            }
        });
        let plain = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase();
        match best {
            Some((_, form)) if first.view != View::Plain || plain(form.expose()) != plain(text) => {
                Self { text: form, as_it_came: false }
            }
            _ => Self { text: Plain::new(text.to_owned()), as_it_came: true },
        }
    }
}

impl Meant {
    /// A score as a risk in the sense of [`Verdict::risk`].
    fn risk(&self, score: f32, channel: Channel) -> f32 {
        let score = if score.is_nan() { 0.0 } else { score.clamp(0.0, 1.0) };
        self.scale.map_or(score, |scale| scale.risk(sum_of(score), channel))
    }
}

/// The sum that a score was made of: its odds, as a logarithm.
pub fn sum_of(score: f32) -> f32 {
    let score = score.clamp(1e-6, 1.0 - 1e-6);
    (score / (1.0 - score)).ln()
}
