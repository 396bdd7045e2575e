//! The counts as bytes, so that they survive a restart.
//!
//! Little-endian: magic `CWBH`, version, a hash of the pattern ids, for each scope the number of subjects and the
//! subjects, and the first 16 bytes of SHA-256 over all before. What is zero is left out: each row of counts begins with
//! a mask of those that follow. The bytes hold keyed hashes and counts; where they are kept they are to be sealed.

use aws_lc_rs::digest;

use super::engine::{Behaviour, Scope};
use super::pattern::Patterns;
use super::signal::{Persona, Signal};
use super::subject::{Asked, REFUSED, RULES, Recent, Subject};
use super::table::Table;

const MAGIC: &[u8; 4] = b"CWBH";
/// Raised when the form changes; an older state is not read.
const VERSION: u16 = 1;
/// Bytes of the check at the end.
const CHECK: usize = 16;

/// A saved state that cannot be used. Nothing of it was taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Damaged {
    /// Not a state, or of another version of the program.
    #[error("not a saved state of this version")]
    Version,
    /// Cut, changed, or with values that are never saved.
    #[error("the saved state is damaged")]
    Content,
}

impl Behaviour {
    /// All counts.
    pub fn save(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(4096);
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&names(&self.patterns));
        for table in &self.tables {
            out.extend_from_slice(&u32::try_from(table.subjects().len()).unwrap_or(u32::MAX).to_le_bytes());
            for subject in table.subjects() {
                write(subject, &mut out);
            }
        }
        let check = digest::digest(&digest::SHA256, &out);
        out.extend_from_slice(check.as_ref().get(..CHECK).unwrap_or_default());
        out
    }

    /// Takes over what was saved, in place of what was counted here. More subjects than there are places for make room
    /// for each other. After other patterns were set, none counts as raised.
    ///
    /// # Errors
    /// The bytes are not what [`Behaviour::save`] wrote. What was counted here stays as it is.
    pub fn load(&mut self, saved: &[u8]) -> Result<(), Damaged> {
        let mut read = Read::checked(saved)?;
        let same_patterns = read.take::<8>()? == names(&self.patterns);
        let mut tables = self.tables.each_ref().map(Table::emptied);
        for table in &mut tables {
            for _ in 0..u32::from_le_bytes(read.take()?) {
                let mut subject = read.subject()?;
                if !same_patterns {
                    subject.raised = [0; RULES];
                }
                table.forget(subject.key);
                table.place(subject);
            }
        }
        if !read.0.is_empty() {
            return Err(Damaged::Content);
        }
        self.tables = tables;
        Ok(())
    }

    /// Adds what another gateway counted: counts are added up, times and values joined. Each state once: the same one
    /// twice counts twice. The two must have the same patterns and keys.
    pub fn merge(&mut self, other: &Self) {
        for (mine, its) in self.tables.iter_mut().zip(&other.tables) {
            mine.merge(its);
        }
    }

    /// How often this scope's subject did something, as far as it has not decayed. For tests and the analyst's view.
    pub fn standing(&self, scope: Scope, key: u64) -> Vec<(&'static str, f32)> {
        let subject = self.tables.get(scope as usize).and_then(|table| table.get(key));
        let counts = subject.map(|subject| subject.counts).unwrap_or_default();
        Signal::ALL
            .iter()
            .zip(counts)
            .filter(|(_, count)| *count != 0)
            .map(|(signal, count)| {
                #[expect(clippy::cast_precision_loss, reason = "for people")]
                let count = count as f32 / super::subject::ONE as f32;
                (signal.name(), count)
            })
            .collect()
    }
}

/// What the places of patterns mean.
fn names(patterns: &Patterns) -> [u8; 8] {
    let mut hash = digest::Context::new(&digest::SHA256);
    for id in patterns.ids() {
        hash.update(id.as_bytes());
        hash.update(b"\n");
    }
    hash.finish().as_ref().first_chunk().copied().unwrap_or_default()
}

fn write(subject: &Subject, out: &mut Vec<u8>) {
    out.extend_from_slice(&subject.key.to_le_bytes());
    out.extend_from_slice(&subject.seen.to_le_bytes());
    row(&subject.counts, out);
    row(&subject.last, out);
    row(&subject.raised, out);
    let recent = subject.recent.iter().filter(|recent| recent.at != 0);
    out.push(u8::try_from(recent.clone().count()).unwrap_or(u8::MAX));
    for recent in recent {
        out.extend_from_slice(&recent.at.to_le_bytes());
        out.extend_from_slice(&recent.print.to_le_bytes());
    }
    for asked in subject.refused.iter().chain([&subject.asked]) {
        out.push(u8::from(asked.at != 0));
        if asked.at != 0 {
            out.extend_from_slice(&asked.at.to_le_bytes());
            out.extend_from_slice(&asked.bits.to_le_bytes());
            out.extend_from_slice(&asked.words.to_le_bytes());
            out.extend_from_slice(&asked.wanted.to_le_bytes());
        }
    }
    out.push(subject.persona as u8);
    out.extend_from_slice(&subject.records.to_le_bytes());
}

/// A mask of 64 bits, and those that are not zero.
fn row(numbers: &[u32], out: &mut Vec<u8>) {
    let mask = numbers.iter().enumerate().fold(0u64, |mask, (at, n)| mask | u64::from(*n != 0) << at);
    out.extend_from_slice(&mask.to_le_bytes());
    for number in numbers.iter().filter(|n| **n != 0) {
        out.extend_from_slice(&number.to_le_bytes());
    }
}

/// What is left to read.
struct Read<'a>(&'a [u8]);

impl<'a> Read<'a> {
    /// After magic and version, without the check.
    fn checked(saved: &'a [u8]) -> Result<Self, Damaged> {
        let rest = saved.strip_prefix(MAGIC).ok_or(Damaged::Version)?;
        let (version, _) = rest.split_first_chunk().ok_or(Damaged::Content)?;
        if u16::from_le_bytes(*version) != VERSION {
            return Err(Damaged::Version);
        }
        let (content, check) = saved.split_last_chunk::<CHECK>().ok_or(Damaged::Content)?;
        if !digest::digest(&digest::SHA256, content).as_ref().starts_with(check) {
            return Err(Damaged::Content);
        }
        content.get(MAGIC.len() + 2..).map(Self).ok_or(Damaged::Content)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], Damaged> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Damaged::Content)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn subject(&mut self) -> Result<Subject, Damaged> {
        let key = u64::from_le_bytes(self.take()?);
        let mut subject = Subject::new(key, u32::from_le_bytes(self.take()?));
        subject.counts = self.row()?;
        subject.last = self.row()?;
        subject.raised = self.row()?;
        let [recent] = self.take()?;
        for at in 0..usize::from(recent) {
            let place = subject.recent.get_mut(at).ok_or(Damaged::Content)?;
            *place = Recent { at: u32::from_le_bytes(self.take()?), print: u32::from_le_bytes(self.take()?) };
        }
        let mut refused = [Asked::default(); REFUSED];
        for asked in &mut refused {
            *asked = self.asked()?;
        }
        subject.refused = refused;
        subject.asked = self.asked()?;
        let [persona] = self.take()?;
        subject.persona = Persona::from_number(persona);
        subject.records = u16::from_le_bytes(self.take()?);
        Ok(subject)
    }

    fn row<const N: usize>(&mut self) -> Result<[u32; N], Damaged> {
        let mask = u64::from_le_bytes(self.take()?);
        if N < 64 && mask >> N != 0 {
            return Err(Damaged::Content);
        }
        let mut numbers = [0; N];
        for (at, number) in numbers.iter_mut().enumerate() {
            if mask >> at & 1 == 1 {
                *number = u32::from_le_bytes(self.take()?);
            }
        }
        Ok(numbers)
    }

    fn asked(&mut self) -> Result<Asked, Damaged> {
        let [there] = self.take()?;
        if there == 0 {
            return Ok(Asked::default());
        }
        Ok(Asked {
            at: u32::from_le_bytes(self.take()?),
            bits: u64::from_le_bytes(self.take()?),
            words: u16::from_le_bytes(self.take()?),
            wanted: u32::from_le_bytes(self.take()?),
        })
    }
}
