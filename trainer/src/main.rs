//! Makes `models/names.bin`: `cargo xtask train` calls it.
//!
//! One thread, one seed: the same texts give the same file.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool that talks to the person who runs it")]

mod card;
mod chance;
mod corpus;
mod crf;
mod forms;
mod leave_out;
mod lists;
mod polish;
mod score;
mod threats;
mod vary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use aws_lc_rs::digest::{SHA256, digest};
use chatward_detect::tagger::Asked;
use chatward_detect::tagger::training::{Tagger, Words, each_features, list, tokens};

use crate::chance::Chance;
use crate::corpus::{Corpus, Sentence};
use crate::crf::{Chain, Text};
use crate::lists::Lists;

/// Rows of the table: 5.0 MiB.
const ROWS: usize = 480_000;
/// How often all texts are gone through.
const PASSES: usize = 6;
/// So many chains learn, each in another order of the texts; the file holds the mean of them.
const SEEDS: u64 = 4;
/// Step of the first pass; it falls to a fifth of that.
const RATE: f32 = 0.12;
/// In the last two passes the weights are remembered once in so many texts.
const MOMENT: usize = 10_000;
/// One sentence in so many is not learnt from, but shows how much was learnt (unless another share is wished).
const HELD: u64 = 40;

/// Made-up answers in each pass.
const FORMS: usize = 26_000;
/// Made-up Polish texts in each pass.
const POLISH: usize = 4_000;

struct Wish {
    shared: PathBuf,
    models: PathBuf,
    for_scoring: bool,
    without: Option<String>,
    passes: usize,
    held: u64,
    counts: Option<PathBuf>,
    threats: bool,
    addresses: bool,
    quick: bool,
    larger: Option<PathBuf>,
    kept: PathBuf,
}

fn main() -> ExitCode {
    match wish().and_then(|wish| run(&wish)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("trainer: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn wish() -> Result<Wish> {
    let mut args = std::env::args().skip(1);
    let mut wish = Wish {
        shared: "../shared".into(),
        models: "models".into(),
        for_scoring: false,
        without: None,
        passes: PASSES,
        held: HELD,
        counts: None,
        threats: false,
        addresses: false,
        quick: false,
        larger: None,
        kept: "target/trainer".into(),
    };
    while let Some(arg) = args.next() {
        let mut value = || args.next().with_context(|| format!("{arg} what?"));
        match arg.as_str() {
            "--shared" => wish.shared = value()?.into(),
            "--models" => wish.models = value()?.into(),
            "--for-scoring" => wish.for_scoring = true,
            "--without" => wish.without = Some(value()?),
            "--passes" => wish.passes = value()?.parse()?,
            "--held" => wish.held = value()?.parse()?,
            "--threats" => wish.threats = true,
            "--addresses" => wish.addresses = true,
            "--quick" => wish.quick = true,
            "--larger" => wish.larger = Some(value()?.into()),
            "--kept" => wish.kept = value()?.into(),
            "--counts" => wish.counts = Some(value()?.into()),
            _ => bail!(
                "[--shared DIR] [--models DIR] [--for-scoring] [--without SOURCE] [--passes N] [--held ONE_IN] \
                 [--counts FILE] | --threats [--quick] | --addresses \
                 | --larger FOLDER [--kept DIR] [--quick]"
            ),
        }
    }
    Ok(wish)
}

fn run(wish: &Wish) -> Result<()> {
    let data = wish.shared.join("data");
    if let Some(minilm) = &wish.larger {
        return larger(wish, minilm);
    }
    if wish.threats {
        threats::text(&wish.shared, &wish.models, !wish.quick)?;
    }
    if wish.threats || wish.addresses {
        return threats::address::address(&data.join("threats"), &wish.models);
    }
    let begin = Instant::now();
    let mut corpora = corpus::read(&data.join("ner"))?;
    if wish.for_scoring {
        let left = leave_out::leave_out(&mut corpora, &data.join("pii"))?;
        println!("left out {left} sentences that stand in scored texts");
    }
    for sentence in corpora.iter_mut().flat_map(|c| &mut c.sentences) {
        sentence.held = is_held(&sentence.text, wish.held);
    }
    let mut lists = lists::read(&data.join("gazetteers"))?;
    let learnt = |corpus: &&Corpus| !wish.without.as_deref().is_some_and(|w| corpus.name.starts_with(w));
    let mut chance = Chance::new(20_261_124);
    let polish: Vec<Sentence> = (0..POLISH).map(|_| polish::message(&lists, &mut chance)).collect();
    lists.note_common(
        polish.iter().chain(corpora.iter().filter(learnt).flat_map(|c| &c.sentences).filter(|s| !s.held)),
    );
    println!("{} words and phrases in lists", lists.entries.len());
    let words = Words { lists: lists.table() };

    let chains = std::thread::scope(|scope| {
        let teach = |seed| {
            scope.spawn({
                let (corpora, lists, words) = (&corpora, &lists, &words);
                move || teach(corpora, lists, words, wish, seed, begin)
            })
        };
        (0..SEEDS).map(teach).collect::<Vec<_>>().into_iter().map(|one| one.join()).collect::<Vec<_>>()
    });
    let mut chain: Option<Chain> = None;
    for one in chains {
        let Ok(one) = one else { bail!("a thread that learns came to a stop") };
        match &mut chain {
            None => chain = Some(one),
            Some(chain) => chain.join(&one),
        }
    }
    let Some(chain) = chain else { bail!("nothing was learnt") };

    let file = chain.trained(words.lists.clone()).file(|bytes| {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
        hash
    });
    let out = wish.models.join("names.bin");
    std::fs::write(&out, &file).with_context(|| format!("cannot write {}", out.display()))?;
    let hash: String = digest(&SHA256, &file).as_ref().iter().map(|b| format!("{b:02x}")).collect();
    println!("{}: {} bytes, SHA-256 {hash}", out.display(), file.len());

    let size = file.len();
    // It lives as long as the program.
    let tagger = Tagger::new(Box::leak(file.into_boxed_slice()))?;
    if let Some(counts) = &wish.counts {
        return score::counts(&tagger, &corpora, counts);
    }
    let scores = score::report(&tagger, &corpora, wish.without.as_deref());
    println!("\n{scores}");
    let learnt =
        if wish.for_scoring { "without the sentences that stand in scored texts" } else { "all of them" };
    let card = card::card(&hash, size, learnt, &scores);
    let out = wish.models.join("README.md");
    std::fs::write(&out, card).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{:.0?} in all", begin.elapsed());
    Ok(())
}

/// A chain that learnt in one order of the texts and of how they are varied.
fn teach(corpora: &[Corpus], lists: &Lists, words: &Words, wish: &Wish, seed: u64, begin: Instant) -> Chain {
    let mut chain = Chain::new(ROWS);
    let mut chance = Chance::new(20_261_125 + seed);
    let mut text = Text::default();
    for pass in 0..wish.passes {
        #[expect(clippy::cast_precision_loss, reason = "a handful")]
        chain.set_rate(RATE * (1.0 - 0.8 * pass as f32 / wish.passes.max(2) as f32));
        let (mut loss, mut seen) = (0.0, 0);
        for (number, (of, at)) in order(corpora, wish, &mut chance).into_iter().enumerate() {
            if pass + 2 >= wish.passes && number % MOMENT == 0 {
                chain.remember();
            }
            let (sentence, asked) = match corpora.get(of) {
                Some(corpus) => lesson(corpus, at, lists, &mut chance),
                None if at < FORMS => form(lists, &mut chance),
                None => {
                    let message = polish::message(lists, &mut chance);
                    (vary::vary(&message, false, &mut chance), Asked::Nothing)
                }
            };
            let foreign = corpora.get(of).is_some_and(|c| !c.chat) && chance.says(0.04);
            prepare(words, &sentence, (asked, foreign), &mut chance, &mut text);
            loss += f64::from(chain.learn(&text));
            seen += text.labels.len();
        }
        if pass + 1 == wish.passes {
            chain.remember();
        }
        #[expect(clippy::cast_precision_loss, reason = "a figure for people")]
        let each = loss / seen.max(1) as f64;
        println!("pass {}: {seen} tokens, loss {each:.4} a token, {:.0?}", pass + 1, begin.elapsed());
    }
    chain
}

#[cfg(feature = "larger")]
fn larger(wish: &Wish, minilm: &std::path::Path) -> Result<()> {
    let Wish { shared, models, kept, quick, .. } = wish;
    threats::larger(&threats::Larger { shared, models, minilm, kept, figures: !quick })
}

#[cfg(not(feature = "larger"))]
fn larger(_: &Wish, _: &std::path::Path) -> Result<()> {
    bail!("this trainer was built without the feature `larger`")
}

/// Which sentences a pass goes through, and in which order.
fn order(corpora: &[Corpus], wish: &Wish, chance: &mut Chance) -> Vec<(usize, usize)> {
    let mut order = Vec::new();
    for (of, corpus) in corpora.iter().enumerate() {
        if wish.without.as_deref().is_some_and(|without| corpus.name.starts_with(without)) {
            continue;
        }
        for (at, sentence) in corpus.sentences.iter().enumerate() {
            if sentence.held {
                continue;
            }
            let mut left = corpus.weight;
            while left > 0.0 {
                if chance.says(left) {
                    order.push((of, at));
                }
                left -= 1.0;
            }
        }
    }
    order.extend((0..FORMS + POLISH).map(|at| (usize::MAX, at)));
    chance.shuffle(&mut order);
    order
}

fn is_held(text: &str, one_in: u64) -> bool {
    let hash = text.bytes().fold(7_u64, |h, b| (h ^ u64::from(b)).wrapping_mul(0x0100_0000_01B3));
    (hash >> 20).is_multiple_of(one_in)
}

/// What is learnt from a sentence this time: it is varied, or followed by the next ones.
fn lesson(corpus: &Corpus, at: usize, lists: &Lists, chance: &mut Chance) -> (Sentence, Asked) {
    let Some(first) = corpus.sentences.get(at) else { return Default::default() };
    if corpus.chat {
        // Answers to questions.
        if let Some((start, end, kind)) = chance.one(&first.spans).copied()
            && chance.says(0.08)
            && let Some(asked) = asks(kind)
        {
            let value = first.text.get(start..end).unwrap_or_default();
            let answer = vary::answer(kind, value, lists, chance);
            return (vary::vary(&answer, true, chance), asked);
        }
    }
    let mut all =
        if corpus.chat && chance.says(0.35) { vary::renamed(first, lists, chance) } else { first.clone() };
    let mut next = at + 1;
    while chance.says(0.25)
        && let Some(more) = corpus.sentences.get(next).filter(|more| !more.held)
    {
        all.text.push_str(if chance.says(0.25) { "\n" } else { " " });
        let shift = all.text.len();
        all.text.push_str(&more.text);
        all.spans.extend(more.spans.iter().map(|(start, end, kind)| (start + shift, end + shift, *kind)));
        next += 1;
    }
    let asked = match chance.below(40) {
        0..3 if corpus.chat => Asked::Name,
        3 if corpus.chat => Asked::Place,
        4 if corpus.chat => Asked::Address,
        _ => Asked::Nothing,
    };
    (vary::vary(&all, corpus.chat, chance), asked)
}

/// A made-up answer.
fn form(lists: &Lists, chance: &mut Chance) -> (Sentence, Asked) {
    let message = forms::message(lists, chance);
    let asked = match chance.below(10) {
        0 => Asked::Name,
        1 => Asked::Address,
        _ => Asked::Nothing,
    };
    (if chance.says(0.3) { vary::vary(&message, true, chance) } else { message }, asked)
}

const fn asks(kind: usize) -> Option<Asked> {
    match kind {
        0 => Some(Asked::Name),
        1 => Some(Asked::Place),
        3 => Some(Asked::Address),
        _ => None,
    }
}

/// Features and labels of a sentence. Some tokens hide their word or their lists, so that the model learns to do
/// without.
fn prepare(
    words: &Words,
    sentence: &Sentence,
    (asked, foreign): (Asked, bool),
    chance: &mut Chance,
    out: &mut Text,
) {
    out.clear();
    let mut tokens = tokens(words, &sentence.text);
    if foreign || chance.says(0.1) {
        tokens.iter_mut().for_each(|t| t.lists &= !list::COMMON);
    }
    if foreign {
        // A language of which no word is known: only the lists and the manner of writing are left.
        #[expect(clippy::cast_possible_truncation, reason = "half of it is as good")]
        let salt = chance.next() as u32;
        for token in tokens.iter_mut().filter(|t| t.shape.is_word()) {
            token.word ^= salt;
            token.heads.iter_mut().chain(&mut token.tails).for_each(|hash| *hash ^= salt);
            token.family = 0;
        }
    }
    let mut last = None;
    for token in &tokens {
        let span = sentence.spans.iter().position(|(start, end, _)| token.start < *end && *start < token.end);
        let kind = span.and_then(|i| sentence.spans.get(i)).map(|(_, _, kind)| *kind);
        let label = match kind {
            Some(kind) if span == last => 2 + 2 * kind,
            Some(kind) => 1 + 2 * kind,
            None => 0,
        };
        last = span;
        out.labels.push(u8::try_from(label).unwrap_or_default());
    }
    each_features(words, &mut tokens, asked, |features| {
        let all = features.all();
        let (w, l) = (features.words, features.lists);
        let from = if chance.says(0.12) { w } else { 0 };
        let hidden = if chance.says(0.08) { w..l } else { 0..0 };
        let kept = all.iter().enumerate().filter(|(i, _)| *i >= from && !hidden.contains(i));
        out.hashes.extend(kept.map(|(_, hash)| *hash));
        out.ends.push(out.hashes.len());
    });
}
