//! The words of the pages for signing in: every message of a Fluent file, ready to be put on a page.

use std::collections::HashMap;

use super::texts::{TextError, Texts};

/// The words, by their id. Unlike a Fluent bundle it may be shared between threads.
#[derive(Debug)]
pub(crate) struct Words(HashMap<String, String>);

const SOURCE: &str = include_str!("../../texts/account-en.ftl");

impl Words {
    /// English.
    pub(crate) fn english() -> Result<Self, TextError> {
        let texts = Texts::of(SOURCE)?;
        let all = ids().map(|id| Ok((id.to_owned(), texts.get(id)?))).collect::<Result<_, TextError>>()?;
        Ok(Self(all))
    }

    /// The message with this id.
    pub(crate) fn get(&self, id: &str) -> Result<&str, TextError> {
        self.maybe(id).ok_or_else(|| TextError::Missing(id.to_owned()))
    }

    /// The message with this id, if there is one.
    pub(crate) fn maybe(&self, id: &str) -> Option<&str> {
        self.0.get(id).map(String::as_str)
    }

    /// The message with this id, and this in the place of its `$n`.
    pub(crate) fn fill(&self, id: &str, n: impl std::fmt::Display) -> Result<String, TextError> {
        Ok(self.get(id)?.replace("{n}", &n.to_string()))
    }
}

/// The ids of the file's messages.
fn ids() -> impl Iterator<Item = &'static str> {
    let message = |line: &&str| line.starts_with(|c: char| c.is_ascii_lowercase());
    SOURCE.lines().filter(message).filter_map(|line| line.split_once(" = ")).map(|(id, _)| id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Why;
    use crate::problem::Code;

    /// Everything that may name a message.
    const USERS: [&str; 14] = [
        include_str!("../../templates/account/app.html"),
        include_str!("../../templates/account/base.html"),
        include_str!("../../templates/account/codes.html"),
        include_str!("../../templates/account/help.html"),
        include_str!("../../templates/account/invitation.html"),
        include_str!("../../templates/account/passkey.html"),
        include_str!("../../templates/account/problem.html"),
        include_str!("../../templates/account/security.html"),
        include_str!("../../templates/account/set_up.html"),
        include_str!("../../templates/account/sign_in.html"),
        include_str!("../../templates/account/sign_up.html"),
        include_str!("../../templates/account/step_up.html"),
        include_str!("../api/account/look.rs"),
        include_str!("../api/account/page_forms.rs"),
    ];

    #[test]
    fn every_text_is_used_and_none_twice() {
        let mut seen = std::collections::BTreeSet::new();
        for id in ids() {
            assert!(seen.insert(id), "`{id}` stands there twice");
            let known = |code: &str| {
                Why::ALL.iter().any(|why| why.code() == code || why.outward() == code)
                    || Code::ALL.iter().any(|known| known.as_str() == code)
                    || USERS.iter().any(|text| {
                        text.contains(&format!("because(\"{code}\")"))
                            || text.contains(&format!("\"{code}\""))
                    })
            };
            match id.strip_prefix("why-") {
                Some(code) => assert!(known(code), "there is no reason `{code}`"),
                None => assert!(
                    USERS.iter().any(|text| text.contains(&format!("\"{id}\""))),
                    "nothing shows `{id}`"
                ),
            }
        }
    }

    #[test]
    fn every_message_stands_on_one_line_and_is_found() {
        let words = Words::english().unwrap();
        assert_eq!(words.0.len(), ids().count());
        assert!(words.fill("codes-left", 3).unwrap().contains('3'));
        assert!(words.get("no-such-text").is_err());
    }
}
