//! The words customers read, from Fluent files compiled in.

use fluent_bundle::{FluentArgs, FluentBundle, FluentResource};

/// The words of one language.
pub(super) struct Texts(FluentBundle<FluentResource>);

/// A text of the house is wrong. Ours to mend; no customer causes it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// The file does not parse, or names a message twice.
    #[error("the texts are not a sound Fluent file: {0}")]
    Unsound(String),
    /// A page asks for a message that the file does not have, or that needs what the page does not give.
    #[error("the texts have no usable message `{0}`")]
    Missing(String),
}

impl Texts {
    /// English.
    pub(super) fn english() -> Result<Self, TextError> {
        Self::of(SOURCE)
    }

    /// The messages of this file.
    pub(super) fn of(source: &str) -> Result<Self, TextError> {
        let resource = FluentResource::try_new(source.to_owned())
            .map_err(|(_, errors)| TextError::Unsound(format!("{errors:?}")))?;
        let mut bundle = FluentBundle::default();
        // The marks would come between a number and its words on the page.
        bundle.set_use_isolating(false);
        bundle.add_resource(resource).map_err(|errors| TextError::Unsound(format!("{errors:?}")))?;
        Ok(Self(bundle))
    }

    /// The message with this id. `$n` becomes `{n}`, which the page's script fills in.
    pub(super) fn get(&self, id: &str) -> Result<String, TextError> {
        let missing = || TextError::Missing(id.to_owned());
        let pattern = self.0.get_message(id).and_then(|message| message.value()).ok_or_else(missing)?;
        let mut given = FluentArgs::new();
        given.set("n", "{n}");
        let mut errors = Vec::new();
        let text = self.0.format_pattern(pattern, Some(&given), &mut errors).into_owned();
        if errors.is_empty() { Ok(text) } else { Err(missing()) }
    }
}

const SOURCE: &str = include_str!("../../texts/en.ftl");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_script_gets_the_number_to_fill_in() {
        let texts = Texts::english().unwrap();
        assert_eq!(texts.get("protected-other").unwrap(), "{n} items protected");
        assert_eq!(texts.get("no-such-text"), Err(TextError::Missing("no-such-text".into())));
    }

    #[test]
    fn every_text_is_used_and_none_twice() {
        let used = concat!(include_str!("../../templates/chat.html"), include_str!("../pages.rs"));
        let mut ids: Vec<&str> = SOURCE
            .lines()
            .filter(|line| line.starts_with(|c: char| c.is_ascii_lowercase()))
            .filter_map(|line| line.split_once(" = "))
            .map(|(id, _)| id)
            .collect();
        for id in &ids {
            assert!(used.contains(&format!("\"{id}\"")), "nothing shows `{id}`");
        }
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count);
    }
}
