//! The words that people read, from Fluent files compiled in: a folder for each language, a file for each part of the pages.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt::Display;
use std::sync::OnceLock;

use fluent_bundle::concurrent::FluentBundle;
use fluent_bundle::{FluentArgs, FluentResource, FluentValue};

use super::language::Language;

/// The words of one language.
pub(crate) struct Words {
    language: Language,
    /// Every message that needs nothing filled in, ready to be put on a page.
    ready: HashMap<String, String>,
    bundle: FluentBundle<FluentResource>,
}

/// A text of the house is wrong. Ours to mend; no customer causes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// A file does not parse, or names a message twice.
    #[error("the texts are not a sound Fluent file: {0}")]
    Unsound(String),
    /// A page asks for a message that no file has, or that needs what the page does not give.
    #[error("the texts have no usable message `{0}`")]
    Missing(String),
}

/// The files of a language.
macro_rules! files {
    ($folder:literal) => {
        [
            include_str!(concat!("../../texts/", $folder, "/account.ftl")),
            include_str!(concat!("../../texts/", $folder, "/chat.ftl")),
        ]
    };
}

const ENGLISH: [&str; 2] = files!("en");

impl Words {
    /// The words of this language; they are read once.
    ///
    /// # Errors
    ///
    /// If the files are unsound: a fault of ours, found at the start.
    pub(crate) fn of(language: Language) -> Result<&'static Self, TextError> {
        static ALL: [OnceLock<Result<Words, TextError>>; Language::ALL.len()] =
            [const { OnceLock::new() }; Language::ALL.len()];
        // The order of `ALL` is that of the variants.
        let Some(place) = ALL.get(language as usize) else {
            return Err(TextError::Missing(language.tag().into()));
        };
        place.get_or_init(|| Self::read(language)).as_ref().map_err(Clone::clone)
    }

    fn read(language: Language) -> Result<Self, TextError> {
        let translated: &[&str] = match language {
            Language::English | Language::Accented | Language::Mirrored => &[],
            Language::German => &files!("de"),
            Language::French => &files!("fr"),
            Language::Spanish => &files!("es"),
        };
        let mut bundle = FluentBundle::new_concurrent(vec![language.id()]);
        // The marks would come between a number and its words on the page.
        bundle.set_use_isolating(false);
        bundle.set_transform(match language {
            Language::Accented => Some(accented),
            Language::Mirrored => Some(mirrored),
            _ => None,
        });
        let unsound = |errors: &dyn std::fmt::Debug| TextError::Unsound(format!("{errors:?}"));
        for source in translated.iter().copied().chain(ENGLISH) {
            let resource =
                FluentResource::try_new(source.to_owned()).map_err(|(_, errors)| unsound(&errors))?;
            // A message that stands there already is its translation; one that does not yet is read in English.
            match bundle.add_resource(resource) {
                Err(errors) if translated.is_empty() => return Err(unsound(&errors)),
                _ => {}
            }
        }
        let mut words = Self { language, ready: HashMap::new(), bundle };
        words.ready =
            ids().filter_map(|id| Some((id.to_owned(), words.message(id, &plain_number()).ok()?))).collect();
        Ok(words)
    }

    /// Whose words they are.
    pub(crate) const fn language(&self) -> Language {
        self.language
    }

    /// The message with this id. `$n` becomes `{n}`, which a page's script fills in.
    ///
    /// # Errors
    ///
    /// If there is none, or if it needs more.
    pub(crate) fn get(&self, id: &str) -> Result<&str, TextError> {
        self.maybe(id).ok_or_else(|| TextError::Missing(id.to_owned()))
    }

    /// The message with this id, if there is one.
    pub(crate) fn maybe(&self, id: &str) -> Option<&str> {
        self.ready.get(id).map(String::as_str)
    }

    /// The message with this id, and this in the place of its `$n`, whatever it is.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) fn fill(&self, id: &str, n: impl Display) -> Result<String, TextError> {
        let mut given = FluentArgs::new();
        given.set("n", n.to_string());
        self.message(id, &given)
    }

    /// The message with this id for so many: the right form of the word stands beside the number.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) fn count(&self, id: &str, n: u64) -> Result<String, TextError> {
        let (mut given, n) = (FluentArgs::new(), n.to_string());
        given.set("n", FluentValue::try_number(&n));
        self.message(id, &given)
    }

    /// The message with this id, with several things filled in by their names.
    ///
    /// # Errors
    ///
    /// As [`get`](Self::get).
    pub(crate) fn with(&self, id: &str, given: &[(&str, &str)]) -> Result<String, TextError> {
        let given: FluentArgs<'_> = given.iter().map(|(name, value)| (*name, *value)).collect();
        self.message(id, &given)
    }

    fn message(&self, id: &str, given: &FluentArgs<'_>) -> Result<String, TextError> {
        let missing = || TextError::Missing(id.to_owned());
        let pattern = self.bundle.get_message(id).and_then(|message| message.value()).ok_or_else(missing)?;
        let mut errors = Vec::new();
        let text = self.bundle.format_pattern(pattern, Some(given), &mut errors).into_owned();
        if errors.is_empty() { Ok(text) } else { Err(missing()) }
    }
}

/// What scripts fill in.
fn plain_number() -> FluentArgs<'static> {
    let mut given = FluentArgs::new();
    given.set("n", "{n}");
    given
}

fn accented(text: &str) -> Cow<'_, str> {
    fluent_pseudo::transform(text, false, true)
}

fn mirrored(text: &str) -> Cow<'_, str> {
    fluent_pseudo::transform(text, true, false)
}

/// The ids of the messages.
fn ids() -> impl Iterator<Item = &'static str> {
    let message = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    let lines = ENGLISH.into_iter().flat_map(str::lines).filter(message);
    lines.filter_map(|line| line.split_once(" =")).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Why;
    use crate::problem::Code;

    /// Everything that may name a message: the sources of templates and code.
    fn users(folder: &std::path::Path, all: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                users(&path, all);
            } else if path.extension().is_some_and(|ext| ext == "html" || ext == "rs") {
                all.push_str(&std::fs::read_to_string(path).unwrap());
            }
        }
    }

    #[test]
    fn every_text_is_used_and_none_twice() {
        let here = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut used = String::new();
        users(&here.join("templates"), &mut used);
        users(&here.join("src"), &mut used);
        let mut seen = std::collections::BTreeSet::new();
        for id in ids() {
            assert!(seen.insert(id), "`{id}` stands there twice");
            let known = |code: &str| {
                Why::ALL.iter().any(|why| why.code() == code || why.outward() == code)
                    || Code::ALL.iter().any(|known| known.as_str() == code)
                    || [format!("because(\"{code}\")"), format!("\"{code}\"")]
                        .iter()
                        .any(|it| used.contains(it))
            };
            match id.strip_prefix("why-") {
                Some(code) => assert!(known(code), "there is no reason `{code}`"),
                None => assert!(used.contains(&format!("\"{id}\"")), "nothing shows `{id}`"),
            }
        }
    }

    #[test]
    fn every_message_of_every_language_is_found() {
        for language in Language::ALL {
            let words = Words::of(language).unwrap();
            assert_eq!(words.language(), language);
            for id in ids() {
                words.with(id, &[("n", "1"), ("house", "H"), ("bot", "B")]).unwrap();
            }
            assert_eq!(words.get("no-such-text"), Err(TextError::Missing("no-such-text".into())));
        }
    }

    #[test]
    fn numbers_are_filled_in_here_or_by_the_script() {
        let words = Words::of(Language::English).unwrap();
        assert_eq!(words.get("protected-other").unwrap(), "{n} items protected");
        assert!(words.fill("codes-left", 3).unwrap().contains('3'));
        let strange = Words::of(Language::Accented).unwrap().get("protected-other").unwrap();
        assert!(strange.contains("{n}") && !strange.contains("items"), "{strange}");
    }
}
