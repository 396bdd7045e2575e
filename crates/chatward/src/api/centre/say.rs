//! Things of the house in words: purposes, classes, lengths of time, and the sentences of the notice.

use chatward_message::Class;

use crate::notice::{Entry, Sort};
use crate::pages::{TextError, Words};

/// The purpose with this name.
pub(super) fn purpose(w: &Words, name: &str) -> Result<String, TextError> {
    let known = match name {
        "service" => "purpose-service",
        "quality" => "purpose-quality",
        "analytics" => "purpose-analytics",
        "training" => "purpose-training",
        "marketing" => "purpose-marketing",
        own => return Ok(own.to_owned()),
    };
    w.get(known).map(str::to_owned)
}

/// A class of data.
pub(super) fn class(w: &Words, class: Class) -> Result<&str, TextError> {
    w.get(match class {
        Class::Interaction => "class-interaction",
        Class::Identity => "class-identity",
        Class::Special => "class-special",
        Class::Payment => "class-payment",
        Class::Secret => "class-secret",
        Class::PaymentNeverKept => "class-payment-never-kept",
    })
}

/// A length of time.
pub(super) fn span(w: &Words, millis: u64) -> Result<String, TextError> {
    const HOUR: u64 = 3_600_000;
    const DAY: u64 = 24 * HOUR;
    match millis {
        0..HOUR => w.count("span-minutes", millis.div_ceil(60_000)),
        _ if !millis.is_multiple_of(DAY) && millis < 2 * DAY => w.count("span-hours", millis.div_ceil(HOUR)),
        _ => w.count("span-days", millis.div_ceil(DAY)),
    }
}

/// A legal basis.
pub(super) fn basis<'a>(w: &'a Words, name: &str) -> Result<&'a str, TextError> {
    w.get(match name {
        "contract" => "basis-contract",
        "legitimate-interest" => "basis-interest",
        _ => "basis-consent",
    })
}

/// What is done with data on its way to the bot, or into the store.
fn handling<'a>(w: &'a Words, to: &str, operator: &str) -> Result<&'a str, TextError> {
    let bot = to == "bot";
    w.get(match operator {
        "pass" if bot => "bot-pass",
        "token" | "surrogate" if bot => "bot-token",
        "mask" | "generalise" | "hash" if bot => "bot-coarser",
        "block" if bot => "bot-block",
        _ if bot => "bot-drop",
        "drop" | "block" => "kept-drop",
        "mask" | "generalise" | "hash" => "kept-coarser",
        _ => "kept-sealed",
    })
}

/// What the notice says of an entry: a sentence, and more for those who read on.
pub(super) fn sentences(w: &Words, entry: &Entry) -> Result<(String, Vec<String>), TextError> {
    let (name, host) = (entry.name.as_str(), entry.get("host"));
    let mut more = Vec::new();
    let first = match entry.sort {
        Sort::Controller => return controller(w, entry),
        Sort::Purpose => {
            let words = purpose(w, name)?;
            for (of, time) in entry.keep() {
                let (of, time) = (class(w, of)?, span(w, time)?);
                more.push(w.with("notice-keep", &[("class", of), ("time", &time)])?);
            }
            if !entry.get("sold-or-shared").is_empty() {
                more.push(w.get("notice-sold-or-shared")?.to_owned());
            }
            if !entry.get("special").is_empty() {
                more.push(w.with("notice-special", &[("ground", entry.get("special"))])?);
            }
            // Whether one may be answered depends on the bot: each says so itself.
            let line = if name == "service" { "notice-purpose-service" } else { "notice-purpose" };
            w.with(line, &[("name", &words), ("basis", basis(w, entry.get("basis"))?)])?
        }
        Sort::Bot => {
            w.with("notice-bot", &[("name", name), ("host", host), ("basis", basis(w, entry.get("basis"))?)])?
        }
        Sort::Recipient => {
            for told in entry.get("told").split(' ') {
                let line = match told {
                    "erased" => "told-erased",
                    "corrected" => "told-corrected",
                    "restricted" => "told-restricted",
                    _ => continue,
                };
                more.push(w.get(line)?.to_owned());
            }
            w.with("notice-recipient", &[("name", name), ("host", host)])?
        }
        Sort::Class => of_class(w, entry, &mut more)?,
        Sort::Log => w.get("notice-log")?.to_owned(),
    };
    Ok((first, more))
}

fn controller(w: &Words, entry: &Entry) -> Result<(String, Vec<String>), TextError> {
    let first = match entry.get("name") {
        "" => w.get("notice-controller-unnamed")?.to_owned(),
        name => w.with("notice-controller", &[("name", name)])?,
    };
    let lines = [
        ("address", "controller-address"),
        ("contact", "controller-contact"),
        ("representative", "controller-representative"),
        ("dpo", "controller-dpo"),
    ];
    let mut more = Vec::new();
    for (what, line) in lines {
        match entry.get(what) {
            "" => {}
            given => more.push(w.with(line, &[("given", given)])?),
        }
    }
    Ok((first, more))
}

fn of_class(w: &Words, entry: &Entry, more: &mut Vec<String>) -> Result<String, TextError> {
    let known = Class::ALL.into_iter().find(|of| of.name() == entry.name);
    let of = known.map_or(Ok(entry.name.as_str()), |of| class(w, of))?;
    for (what, operator) in &entry.says {
        let Some((to, kind)) = what.split_once(' ') else { continue };
        let done = handling(w, to, operator)?;
        more.push(w.with("notice-kind", &[("kind", kind), ("done", done)])?);
    }
    let (bot, kept) = (handling(w, "bot", entry.get("bot"))?, handling(w, "kept", entry.get("kept"))?);
    // What is removed before the bot is kept nowhere either.
    let gone = matches!(entry.get("bot"), "drop" | "block");
    let kept = if gone { w.get("kept-drop")? } else { kept };
    w.with("notice-class", &[("class", of), ("bot", bot), ("kept", kept)])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::{Config, Flags, Loaded};
    use crate::notice::Notice;
    use crate::pages::Language;

    fn config(text: &str) -> Config {
        let loaded = Loaded::from_text(text, &[], &Flags::default()).unwrap();
        loaded.check(&|_: &str| None).unwrap_or_else(|faults| panic!("{faults}\n{text}"))
    }

    fn name() -> impl Strategy<Value = String> {
        "[a-z]{1,8}-[a-z]{1,6}"
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
        /// Whatever is configured: no bot, recipient or purpose without a sentence that names it, in any language.
        #[test]
        fn no_processor_is_without_a_sentence(
            bots in prop::collection::btree_set(name(), 0..5),
            recipients in prop::collection::btree_set(name(), 0..4),
            purposes in prop::collection::btree_set(name(), 0..5),
            days in 1_u32..400,
        ) {
            let mut text = String::new();
            for bot in &bots {
                text += &format!("[upstreams.{bot}]\nurl = \"https://{bot}.example/v1\"\nmodels = [\"{bot}\"]\n");
            }
            for one in &recipients {
                text += &format!("[recipients.{one}]\nurl = \"https://{one}.example/\"\nsecret_env = \"SECRET\"\n");
            }
            for (n, one) in purposes.iter().enumerate() {
                let number = 8 + n;
                text += &format!(
                    "[purposes.{one}]\nnumber = {number}\ntext.en = \"May we?\"\nkeep = {{ interaction = \"{days}d\" }}\n"
                );
            }
            let secret = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
            let folder = tempfile::tempdir().unwrap();
            std::fs::write(folder.path().join("secret"), secret).unwrap();
            let path = folder.path().join("secret");
            let text = text.replace("secret_env = \"SECRET\"", &format!("secret_file = \"{}\"", path.display()));
            let config = config(&text);
            let detector = chatward_detect::Detector::builtin().unwrap();
            let notice = Notice::of(&config, &detector);
            for language in Language::ALL {
                let w = Words::of(language).unwrap();
                let all: Vec<String> =
                    notice.entries().iter().map(|entry| sentences(w, entry).unwrap().0).collect();
                for named in bots.iter().chain(&recipients).chain(&purposes) {
                    prop_assert!(all.iter().any(|line| line.contains(named.as_str())), "{named}: {all:?}");
                }
                prop_assert!(all.iter().all(|line| !line.is_empty()));
            }
        }
    }
}
