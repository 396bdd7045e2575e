//! Reading the annotated texts.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

/// Types in the order of the labels.
pub(crate) const TYPES: [&str; 5] = ["PER", "LOC", "ORG", "ADDR", "MISC"];

/// A stretch of a text, in bytes, and its type (an index of [`TYPES`]).
pub(crate) type Span = (usize, usize, usize);

/// A sentence with its names.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sentence {
    pub text: String,
    pub spans: Vec<Span>,
    /// It is not learnt from, but shows how much was learnt.
    pub held: bool,
}

/// A file of sentences.
#[derive(Debug)]
pub(crate) struct Corpus {
    pub name: &'static str,
    /// How often a sentence is seen in a pass.
    pub weight: f64,
    /// People talking: their manner is varied more.
    pub chat: bool,
    pub sentences: Vec<Sentence>,
}

/// File, weight, whether it is chat.
const FILES: &[(&str, f64, bool)] = &[
    ("bosque.pt", 0.6, false),
    ("btc.en", 3.0, false),
    ("crossner.en", 0.6, false),
    ("europeana.de", 0.35, false),
    ("europeana.fr", 0.25, false),
    ("europeana.nl", 0.25, false),
    ("ewt.en", 3.0, false),
    ("germeval14.de", 3.0, false),
    ("gmb.en", 0.5, false),
    ("gum.en", 1.5, false),
    ("lener.pt", 0.4, false),
    ("ler.de", 0.4, false),
    ("meddocan.es", 2.0, false),
    ("mobie.de", 0.7, false),
    ("nlu-slurp.en", 1.0, true),
    ("restaurant8k.en", 3.0, true),
    ("sec-fin.en", 0.2, false),
    ("sgd.en", 0.8, true),
    ("snips.en", 0.7, true),
    ("synth-chat.de", 1.0, true),
    ("synth-chat.en", 1.0, true),
    ("synth-chat.es", 1.0, true),
    ("synth-chat.fr", 1.0, true),
    ("synth-chat.it", 1.0, true),
    ("synth-chat.nl", 1.0, true),
    ("synth-chat.pt", 1.0, true),
    ("tweebank.en", 3.0, false),
    ("wikigold.en", 1.5, false),
    ("wnut17.en", 1.3, false),
];

/// Sources in which a postcode stands beside a place without being marked.
const WITH_POSTCODES: [&str; 3] = ["synth-chat", "meddocan", "sgd"];

/// Reads all of them.
pub(crate) fn read(folder: &Path) -> Result<Vec<Corpus>> {
    FILES
        .iter()
        .map(|(name, weight, chat)| {
            let text = unpacked(&folder.join(format!("{name}.bio.gz")))?;
            let sentences = text.split("\n\n").filter_map(|block| sentence(name, block)).collect();
            Ok(Corpus { name, weight: *weight, chat: *chat, sentences })
        })
        .collect()
}

/// The text of a packed file.
pub(crate) fn unpacked(file: &Path) -> Result<String> {
    let output = Command::new("gzip").arg("-dc").arg(file).output().context("cannot run gzip")?;
    if !output.status.success() {
        bail!("cannot unpack {}", file.display());
    }
    String::from_utf8(output.stdout).with_context(|| format!("{} is not text", file.display()))
}

/// One block of `token<TAB>tag` lines.
fn sentence(source: &str, block: &str) -> Option<Sentence> {
    let mut tokens: Vec<(&str, &str)> = block.lines().filter_map(|line| line.split_once('\t')).collect();
    if tokens.is_empty() {
        return None;
    }
    if WITH_POSTCODES.iter().any(|s| source.starts_with(s)) {
        mark_postcodes(&mut tokens);
    }
    if source.starts_with("synth-chat") {
        join_addresses(&mut tokens);
    }
    forget_handles(&mut tokens);
    for (_, tag) in tokens.iter_mut().filter(|(token, _)| matches!(*token, "'s" | "’s")) {
        *tag = "O";
    }
    let mut out = Sentence::default();
    let mut last: Option<usize> = None;
    let mut before = "";
    let mut quoted = false;
    for (token, tag) in tokens {
        if !before.is_empty() && !joins(before, token, &mut quoted) {
            out.text.push(' ');
        }
        let start = out.text.len();
        out.text.push_str(token);
        let kind = tag.get(2..).and_then(|t| TYPES.iter().position(|known| *known == t));
        match (kind, last) {
            (Some(kind), Some(of)) if tag.starts_with("I-") && of == kind => {
                if let Some(span) = out.spans.last_mut() {
                    span.1 = out.text.len();
                }
            }
            (Some(kind), _) => out.spans.push((start, out.text.len(), kind)),
            (None, _) => {}
        }
        last = kind;
        before = token;
    }
    Some(out)
}

/// Whether two tokens stand together as people write.
fn joins(before: &str, token: &str, quoted: &mut bool) -> bool {
    let first = token.chars().next().unwrap_or(' ');
    let last = before.chars().next_back().unwrap_or(' ');
    if token == "\"" {
        *quoted = !*quoted;
        return !*quoted;
    }
    if before == "\"" && *quoted {
        return true;
    }
    if matches!(token, "n't" | "'s" | "'m" | "'re" | "'ve" | "'ll" | "'d" | "’s" | "%") {
        return true;
    }
    let single = token.chars().count() == 1;
    if single && matches!(first, '.' | ',' | '!' | '?' | ';' | ':' | ')' | ']' | '}' | '\'' | '’') {
        return true;
    }
    // A mark that stands alone in the data stood in the middle of a word or a number.
    let alone = before.chars().count() == 1;
    alone && matches!(last, '(' | '[' | '{' | '$' | '£' | '#' | '@' | '\'' | '’' | '-' | '/')
        || single && matches!(first, '-' | '/')
}

/// An address that nothing parts is one: street, town and postcode.
fn join_addresses(tokens: &mut [(&str, &str)]) {
    let mut inside = false;
    for slot in tokens {
        match slot.1 {
            "B-LOC" | "I-LOC" | "B-ADDR" if inside => slot.1 = "I-ADDR",
            tag => inside = tag.ends_with("ADDR"),
        }
    }
}

/// The name of an account is a user name, not the name of a person or a firm.
fn forget_handles(tokens: &mut [(&str, &str)]) {
    let mut handle = false;
    for slot in tokens {
        let at = slot.0 == "@";
        if handle || at || slot.0.starts_with('@') {
            slot.1 = "O";
        }
        handle = at;
    }
}

/// Marks numbers that can only be postcodes as parts of addresses.
fn mark_postcodes(tokens: &mut [(&str, &str)]) {
    let place = |tokens: &[(&str, &str)], at: Option<usize>| {
        at.and_then(|i| tokens.get(i)).is_some_and(|(_, tag)| tag.ends_with("LOC") || tag.ends_with("ADDR"))
    };
    let comma = |tokens: &[(&str, &str)], at: Option<usize>| {
        at.and_then(|i| tokens.get(i)).is_some_and(|(token, _)| matches!(*token, "," | "."))
    };
    for at in 0..tokens.len() {
        let Some((token, "O")) = tokens.get(at).copied() else { continue };
        let digits = token.bytes().filter(u8::is_ascii_digit).count();
        let long = token.len() == digits && (4..=6).contains(&digits)
            || digits == 9 && token.len() == 10
            || digits == 8 && token.len() == 9 && token.contains('-');
        let next = tokens.get(at + 1).copied();
        // Dutch: four digits and two letters. British: the second half begins with a digit.
        let dutch = digits == 4
            && next.is_some_and(|(t, tag)| {
                tag == "O" && t.len() == 2 && t.bytes().all(|b| b.is_ascii_alphabetic())
            });
        let british = digits >= 1
            && token.starts_with(|c: char| c.is_ascii_alphabetic())
            && (2..=4).contains(&token.len())
            && next.is_some_and(|(t, tag)| {
                tag == "O" && t.len() == 3 && t.starts_with(|c: char| c.is_ascii_digit())
            });
        if !(long || dutch || british) {
            continue;
        }
        let width = if dutch || british { 2 } else { 1 };
        let near = place(tokens, at.checked_sub(1))
            || comma(tokens, at.checked_sub(1)) && place(tokens, at.checked_sub(2))
            || place(tokens, Some(at + width))
            || comma(tokens, Some(at + width)) && place(tokens, Some(at + width + 1));
        if near {
            for (i, slot) in tokens.iter_mut().skip(at).take(width).enumerate() {
                slot.1 = if i == 0 { "B-ADDR" } else { "I-ADDR" };
            }
        }
    }
}
