//! Lists of names, places and firms.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use chatward_detect::tagger::training::{Words, list, phrase_hash, slots, tokens, word_hash};

use crate::corpus::{Sentence, unpacked};
use crate::polish::{Case, in_town, inflected, of_woman};

/// A word counts as common from so many uses on.
const OFTEN: u32 = 6;

/// Families of words that are used alike, one a line, from vectors of words (`trainer/families/README.md`).
const FAMILIES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/families/en.txt.gz");

/// The words of the lists, and those from which names are made up.
#[derive(Debug, Default)]
pub(crate) struct Lists {
    /// Lists and family of a word or a phrase.
    pub entries: BTreeMap<u32, (u16, u8)>,
    pub given: Vec<String>,
    pub family: Vec<String>,
    pub towns: Vec<String>,
    pub brands: Vec<String>,
    pub polish: Polish,
}

/// Polish names, places and streets, of which the shared lists have none.
#[derive(Debug, Default)]
pub(crate) struct Polish {
    pub women: Vec<String>,
    pub men: Vec<String>,
    pub families: Vec<String>,
    pub towns: Vec<String>,
    pub streets: Vec<String>,
}

/// Reads all lists of the folder.
pub(crate) fn read(folder: &Path) -> Result<Lists> {
    let mut lists = Lists::default();
    let listed = std::fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut files: Vec<_> = listed.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    for file in files {
        let name = file.file_name().and_then(|n| n.to_str()).unwrap_or_default().to_owned();
        let Some((lists_of, frequent)) = kind(&name) else { continue };
        let text = unpacked(&file)?;
        for (number, entry) in text.lines().enumerate() {
            let bits = lists_of.1 | if number < frequent { lists_of.0 } else { 0 };
            lists.add(entry, bits);
            // Names are made up from lists in which most entries are names people have.
            if name.contains("_faker") || name.contains("popular") || name.contains("ssa") && number < 4000 {
                if bits & list::GIVEN_RARE != 0 {
                    lists.given.push(entry.to_owned());
                } else if bits & list::FAMILY_RARE != 0 {
                    lists.family.push(entry.to_owned());
                }
            }
            if name.starts_with("surnames_us") && number % 12 == 0 {
                lists.family.push(entry.to_owned());
            }
            if name.starts_with("orgs_brands") && entry.starts_with(char::is_uppercase) {
                lists.brands.push(entry.to_owned());
            }
            if name.starts_with("cities_world") && number < 8000 {
                lists.towns.push(entry.to_owned());
            }
        }
    }
    lists.polish = polish()?;
    lists.note_polish();
    for (family, line) in (1..=u8::MAX).zip(unpacked(Path::new(FAMILIES))?.lines()) {
        for word in line.split(' ').filter(|word| !word.is_empty()) {
            lists.entries.entry(word_hash(word.as_bytes())).or_default().1 = family;
        }
    }
    Ok(lists)
}

fn polish() -> Result<Polish> {
    let list = |name: &str| -> Result<Vec<String>> {
        let file =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("lists").join(format!("{name}_pl_faker.txt.gz"));
        Ok(unpacked(&file)?.lines().map(str::to_owned).collect())
    };
    Ok(Polish {
        women: list("women")?,
        men: list("men")?,
        families: list("surnames")?,
        towns: list("places")?,
        streets: list("streets")?,
    })
}

/// The bits of frequent and of all entries, and how many count as frequent.
fn kind(file: &str) -> Option<((u16, u16), usize)> {
    const ALL: usize = usize::MAX;
    let given = (list::GIVEN, list::GIVEN_RARE);
    let family = (list::FAMILY, list::FAMILY_RARE);
    let town = (list::TOWN, list::TOWN_RARE);
    let only = |bit: u16| (bit, bit);
    Some(match file {
        f if f.starts_with("first_names_us") => (given, 2500),
        f if f.starts_with("first_names") || f.starts_with("libpostal_given") => (given, ALL),
        f if f.starts_with("surnames_us") || f.starts_with("surnames_de_germaner") => (family, 0),
        f if f.starts_with("surnames") || f.starts_with("libpostal_surnames") => (family, ALL),
        f if f.starts_with("cities_world") => (town, 6000),
        f if f.starts_with("cities_alt") || f.starts_with("places_it") || f.starts_with("places_nl") => {
            (town, 0)
        }
        f if f.starts_with("places") => (town, ALL),
        f if f.starts_with("countries") || f.starts_with("us_") => (only(list::REGION), ALL),
        f if f.starts_with("orgs") || f.starts_with("libpostal_company") => (only(list::FIRM), ALL),
        f if f.starts_with("libpostal_street")
            || f.starts_with("libpostal_unit")
            || f.starts_with("libpostal_concatenated") =>
        {
            (only(list::STREET), ALL)
        }
        _ => return None,
    })
}

impl Lists {
    fn add(&mut self, entry: &str, bits: u16) {
        let words = Words::default();
        let tokens = tokens(&words, entry);
        // A letter or a number by itself says nothing.
        let Some(first) = tokens.first().filter(|t| t.seen_end - t.seen > 1 || tokens.len() > 1) else {
            return;
        };
        if tokens.len() > 3 || tokens.iter().all(|t| !t.shape.is_word() || t.shape.is_number()) {
            return;
        }
        let mut hash = first.word;
        for next in tokens.iter().skip(1) {
            hash = phrase_hash(hash, next.word);
        }
        self.entries.entry(hash).or_default().0 |= bits;
        if tokens.len() > 1 {
            self.entries.entry(first.word).or_default().0 |= list::BEGINS;
        }
    }

    /// Polish names in all their cases.
    fn note_polish(&mut self) {
        let polish = std::mem::take(&mut self.polish);
        let cases = [Case::Subject, Case::Of, Case::To, Case::With];
        for (woman, names) in [(true, &polish.women), (false, &polish.men)] {
            for name in names {
                self.add(name, list::GIVEN | list::GIVEN_RARE);
                cases.iter().for_each(|case| self.add(&inflected(name, woman, *case), list::GIVEN_RARE));
            }
        }
        for name in &polish.families {
            self.add(name, list::FAMILY | list::FAMILY_RARE);
            for case in cases {
                self.add(&inflected(name, false, case), list::FAMILY_RARE);
                self.add(&inflected(&of_woman(name), true, case), list::FAMILY_RARE);
            }
        }
        for town in &polish.towns {
            self.add(town, list::TOWN | list::TOWN_RARE);
            self.add(&in_town(town), list::TOWN_RARE);
        }
        self.polish = polish;
    }

    /// Notes words that are used often and hardly ever name anything.
    pub(crate) fn note_common<'a>(&mut self, corpora: impl Iterator<Item = &'a Sentence>) {
        let words = Words::default();
        let mut counts: BTreeMap<u32, (u32, u32)> = BTreeMap::new();
        for sentence in corpora {
            for token in tokens(&words, &sentence.text).iter().filter(|t| t.shape.is_word()) {
                let named =
                    sentence.spans.iter().any(|(start, end, _)| token.start < *end && *start < token.end);
                let count = counts.entry(token.word).or_default();
                count.0 += 1;
                count.1 += u32::from(named);
            }
        }
        for (hash, (all, named)) in counts {
            if all >= OFTEN && named * 50 <= all {
                self.entries.entry(hash).or_default().0 |= list::COMMON;
            }
        }
    }

    /// The table of them.
    pub(crate) fn table(&self) -> Vec<u8> {
        let entries: Vec<(u32, u16, u8)> =
            self.entries.iter().map(|(hash, (bits, family))| (*hash, *bits, *family)).collect();
        slots(&entries, entries.len() * 10 / 9).0
    }
}
