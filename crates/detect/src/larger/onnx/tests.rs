use std::cell::Cell;

use chatward_message::Span;
use proptest::prelude::*;

use super::*;
use crate::larger::Reader;

fn files() -> OnnxFiles {
    OnnxFiles {
        model: include_bytes!("../../../tests/fixtures/larger/model.onnx").to_vec(),
        tokenizer: include_bytes!("../../../tests/fixtures/larger/vocab.txt").to_vec(),
        config: include_bytes!("../../../tests/fixtures/larger/config.json").to_vec(),
    }
}

fn opened(batch: usize, max_tokens: usize) -> Onnx {
    Onnx::open(files(), OnnxOptions { batch, max_tokens }).unwrap()
}

/// What is mentioned, as `LABEL:words`.
fn said(reader: &Onnx, text: &str) -> Vec<String> {
    let read = reader.read(&[text], &|| true).remove(0);
    assert_eq!(read.unread, None);
    let words = |m: &Mention| m.span.of(text).unwrap().to_owned();
    read.mentions.iter().map(|m| format!("{}:{}", reader.labels()[m.label], words(m))).collect()
}

#[test]
fn words_have_one_label_and_places_in_the_text_as_it_came() {
    let reader = opened(8, 256);
    for (text, mentions) in [
        ("hello zorb", &["GIVEN_NAME:zorb"][..]),
        // A word in two pieces, the second of which says nothing by itself, is one word.
        ("Zörblax, from quïmtarsen", &["GIVEN_NAME:Zörblax", "SURNAME:quïmtarsen"]),
        ("😀 Z\u{308}orb 😀😀 QUIMTAR.", &["GIVEN_NAME:Z\u{308}orb", "SURNAME:QUIMTAR"]),
        ("in plonkville upper text", &["CITY:plonkville upper"]),
        ("zorb zorblax", &["GIVEN_NAME:zorb", "GIVEN_NAME:zorblax"]),
        ("", &[]),
        ("   \n", &[]),
        ("this is a text", &[]),
    ] {
        assert_eq!(said(&reader, text), mentions, "{text}");
    }
    let read = reader.read(&["zorb"], &|| true).remove(0);
    assert!((0.9..=1.0).contains(&read.mentions[0].score), "{read:?}");
}

#[test]
fn long_texts_are_read_in_stretches_and_parts() {
    let reader = opened(3, 16);
    let word = "hello this is a text from zorb ";
    for times in [1, 2, 3, 5, 40, 700] {
        let text = word.repeat(times);
        let places: Vec<usize> = text.match_indices("zorb").map(|(at, _)| at).collect();
        let read = reader.read(&[&text], &|| true).remove(0);
        let found: Vec<usize> = read.mentions.iter().map(|m| m.span.start).collect();
        assert_eq!((found, read.unread), (places, None), "{times}");
    }
}

#[test]
fn time_is_asked_for_and_what_was_read_counts() {
    let reader = opened(1, 32);
    let texts = ["hello zorb", "hello quimtar", "hello plonkville"];
    for allowed in 0..12_u32 {
        let left = Cell::new(allowed);
        let go_on = || left.replace(left.get().saturating_sub(1)) > 0;
        let read = reader.read(&texts, &go_on);
        let whole = read.iter().take_while(|read| read.unread.is_none()).count();
        assert!(read.iter().take(whole).all(|read| read.mentions.len() == 1));
        assert!(read.iter().skip(whole).all(|read| read.unread == Some(Unread::Late)), "{read:?}");
        if allowed < 2 {
            assert_eq!(whole, 0);
        } else if allowed > 6 {
            assert_eq!(whole, 3);
        }
    }
}

#[test]
fn a_text_that_breaks_the_model_breaks_no_other() {
    let reader = opened(1, 256);
    let read = reader.read(&["zorb", "a brokentoken", "quimtar"], &|| true);
    assert_eq!((read[0].mentions.len(), &read[0].unread), (1, &None));
    assert!(matches!(&read[1].unread, Some(Unread::Failed(cause)) if !cause.contains("broken")), "{read:?}");
    assert_eq!((read[2].mentions.len(), &read[2].unread), (1, &None));
}

#[test]
fn what_does_not_fit_together_is_told_at_the_start() {
    let options = OnnxOptions { batch: 8, max_tokens: 256 };
    let with = |change: &dyn Fn(&mut OnnxFiles)| {
        let mut files = files();
        change(&mut files);
        Onnx::open(files, options).unwrap_err()
    };
    let config = |from: &str, to: &str| {
        let text = String::from_utf8(files().config).unwrap().replace(from, to);
        with(&move |files| files.config = text.clone().into_bytes())
    };
    assert!(matches!(with(&|f| f.model.truncate(500)), OnnxError::Model(_)));
    assert!(matches!(with(&|f| f.model = b"no model".to_vec()), OnnxError::Model(_)));
    assert!(matches!(with(&|f| f.tokenizer = b"{}".to_vec()), OnnxError::Tokenizer(_)));
    assert!(matches!(with(&|f| f.tokenizer = b"hello\n".to_vec()), OnnxError::Tokenizer(_)));
    assert!(matches!(with(&|f| f.config = b"{}".to_vec()), OnnxError::Config(_)));
    assert!(matches!(config("\"6\"", "\"7\""), OnnxError::Config(_)));
    assert!(matches!(config("512", "3"), OnnxError::Shape(..)));
    let fewer = config(",\n  \"6\": \"I-CITY\"", "");
    assert!(
        matches!(&fewer, OnnxError::Shape(Sort::Tokens, what) if what.contains('7') && what.contains('6')),
        "{fewer}"
    );
    // The hash tells every file.
    let hash = |change: &dyn Fn(&mut OnnxFiles)| {
        let mut files = files();
        change(&mut files);
        Onnx::open(files, options).unwrap().hash()
    };
    let same = hash(&|_| {});
    assert_eq!(same, hash(&|_| {}));
    assert_ne!(same, hash(&|f| f.config.push(b' ')));
    assert_ne!(same, hash(&|f| f.tokenizer.extend(b"more\n")));
}

const HEAD: &[u8] = include_bytes!("../../../tests/fixtures/larger/head.json");

fn texts() -> OnnxFiles {
    OnnxFiles {
        model: include_bytes!("../../../tests/fixtures/larger/texts.onnx").to_vec(),
        config: include_bytes!("../../../tests/fixtures/larger/texts.json").to_vec(),
        ..files()
    }
}

fn sentences() -> OnnxFiles {
    let model = include_bytes!("../../../tests/fixtures/larger/sentence.onnx").to_vec();
    OnnxFiles { model, config: b"{}".to_vec(), ..files() }
}

fn classifier(batch: usize, max_tokens: usize) -> OnnxWhole {
    OnnxWhole::classifier(texts(), OnnxOptions { batch, max_tokens }).unwrap()
}

fn with_head(batch: usize, max_tokens: usize) -> OnnxWhole {
    OnnxWhole::with_head(sentences(), HEAD, OnnxOptions { batch, max_tokens }).unwrap()
}

/// The greatest score of each label, and where.
fn most(reader: &OnnxWhole, text: &str) -> Vec<(f32, Span)> {
    let read = reader.read(&[text], &|| true).remove(0);
    assert_eq!(read.unread, None);
    let of = |label: usize| read.mentions.iter().filter(move |m| m.label == label);
    let greatest = |label| of(label).max_by(|a, b| a.score.total_cmp(&b.score)).unwrap();
    (0..reader.labels().len()).map(|label| (greatest(label).score, greatest(label).span)).collect()
}

#[test]
fn a_whole_text_has_a_score_for_every_label() {
    let classifier = classifier(8, 256);
    assert_eq!(
        classifier.labels().iter().map(|l| &**l).collect::<Vec<_>>(),
        ["HARMLESS", "INJECTION", "FRAUD"]
    );
    let [harmless, injection, fraud] = most(&classifier, "hello zorb,")[..] else { panic!("three labels") };
    assert!(injection.0 > 0.95 && harmless.0 + injection.0 + fraud.0 > 0.999);
    assert_eq!(injection.1, Span::new(0, 11));
    assert!(most(&classifier, "hello")[0].0 > 0.9);
    // Each label by itself, where the model says so.
    let config = br#"{"id2label":{"0":"HARMLESS","1":"INJECTION","2":"FRAUD"},"problem_type":"multi_label_classification"}"#;
    let files = OnnxFiles { config: config.to_vec(), ..texts() };
    let each = OnnxWhole::classifier(files, OnnxOptions { batch: 8, max_tokens: 256 }).unwrap();
    let scores = most(&each, "zorb quimtar");
    assert!(scores[1].0 > 0.99 && scores[2].0 > 0.99, "{scores:?}");

    let head = with_head(8, 256);
    let [prompt, people] = most(&head, "zorb")[..] else { panic!("two labels") };
    assert!(prompt.0 > 0.9 && people.0 < 0.1, "{prompt:?} {people:?}");
    assert!(most(&head, "hello")[0].0 < 0.1);
    for reader in [&classifier, &head] {
        assert_eq!(reader.read(&["", " \n"], &|| true), [Read::default(), Read::default()]);
    }
}

#[test]
fn how_texts_are_batched_changes_no_score() {
    let texts = ["zorb", "hello this is a text from zorb", "quimtar", "hello, this is my mail - hello"];
    for reader in [&classifier(8, 32) as &dyn Reader, &with_head(8, 32)] {
        let together = reader.read(&texts, &|| true);
        for (text, read) in texts.iter().zip(&together) {
            let alone = reader.read(&[text], &|| true).remove(0);
            assert_eq!(alone.mentions.len(), read.mentions.len());
            let same = |(a, b): (&Mention, &Mention)| a.span == b.span && (a.score - b.score).abs() < 1e-5;
            assert!(alone.mentions.iter().zip(&read.mentions).all(same), "{text}");
        }
    }
}

#[test]
fn one_word_in_a_long_text_is_seen_in_its_stretch() {
    let filler = "hello this is a text from my mail, ".repeat(400);
    for reader in [classifier(3, 32), with_head(3, 32)] {
        let label = reader.labels().iter().position(|l| l.contains("rompt") || **l == *"INJECTION").unwrap();
        assert!(most(&reader, &filler)[label].0 < 0.3);
        for at in [0, 35 * 117, 35 * 399] {
            let mut text = filler.clone();
            text.insert_str(at, "zorb zorb zorb zorb zorb zorb ");
            let (score, span) = most(&reader, &text)[label];
            assert!(
                score > 0.5 && span.overlaps(Span::new(at, at + 29)) && span.len() < 400,
                "{at} {score} {span:?}"
            );
        }
        // The stretches overlap and leave nothing out.
        let read = reader.read(&[&filler], &|| true).remove(0);
        let spans: Vec<Span> = read.mentions.iter().filter(|m| m.label == 0).map(|m| m.span).collect();
        assert!(spans.array_windows().all(|[a, b]| b.start < a.end && a.start < b.start), "{spans:?}");
        assert_eq!((spans[0].start, spans[spans.len() - 1].end), (0, filler.trim_end().len()));
    }
}

#[test]
fn a_whole_text_that_is_late_or_breaks_is_told() {
    let texts = ["hello zorb", "a brokentoken", "hello quimtar"];
    for reader in [&classifier(1, 32) as &dyn Reader, &with_head(1, 32)] {
        let read = reader.read(&texts, &|| true);
        assert!(
            matches!(&read[1].unread, Some(Unread::Failed(cause)) if !cause.contains("broken")),
            "{read:?}"
        );
        assert!(read[1].mentions.is_empty() && read[0].unread.is_none() && read[2].unread.is_none());
        for allowed in 0..10_u32 {
            let left = Cell::new(allowed);
            let go_on = || left.replace(left.get().saturating_sub(1)) > 0;
            let read = reader.read(&["hello zorb", "hello quimtar"], &go_on);
            let whole = read.iter().filter(|read| read.unread.is_none()).count();
            assert!(read.iter().take(whole).all(|read| !read.mentions.is_empty()));
            assert!(read.iter().skip(whole).all(|read| read.unread == Some(Unread::Late)), "{read:?}");
            assert!((allowed > 0 || whole == 0) && (allowed < 5 || whole == 2), "{allowed} {whole}");
        }
    }
}

#[test]
fn a_tokenizer_that_makes_nothing_of_a_text_is_refused() {
    let nothing = serde_json::json!({
        "version": "1.0", "added_tokens": [], "pre_tokenizer": null, "post_processor": null,
        "normalizer": {"type": "Replace", "pattern": {"Regex": "(?s)."}, "content": ""},
        "model": {"type": "WordLevel", "vocab": {"[UNK]": 0}, "unk_token": "[UNK]"},
    });
    let files = OnnxFiles { tokenizer: nothing.to_string().into_bytes(), ..sentences() };
    let refused = Embedder::open(files, OnnxOptions { batch: 2, max_tokens: 16 }).unwrap_err();
    assert!(refused.to_string().contains("makes nothing of a text"), "{refused}");
}

#[test]
fn a_head_knows_its_model() {
    let options = OnnxOptions { batch: 8, max_tokens: 256 };
    let with = |from: &str, to: &str| {
        let text = std::str::from_utf8(HEAD).unwrap();
        let changed = text.replace(from, to);
        assert_ne!(text, changed);
        OnnxWhole::with_head(sentences(), changed.as_bytes(), options).unwrap_err()
    };
    for (from, to, what) in [
        ("\"hello zorblax\"", "\"hello hello zorblax\"", "other weights"),
        ("0.9126", "0.1126", "other weights"),
        ("   \"offset\": -3.0,\n", "", "offset"),
        ("\"labels\"", "\"label\"", "label"),
    ] {
        let error = with(from, to);
        assert!(matches!(&error, OnnxError::Head(told) if told.contains(what)), "{from} {error}");
    }
    let fewer = with("    6,\n", "");
    assert!(matches!(&fewer, OnnxError::Head(told) if told.contains("weights")), "{fewer}");
    // Models of another sort.
    let tokens = OnnxWhole::classifier(files(), options).unwrap_err();
    assert!(matches!(tokens, OnnxError::Shape(Sort::Classifier, _)), "{tokens}");
    let unnamed =
        OnnxWhole::classifier(OnnxFiles { config: b"{}".to_vec(), ..texts() }, options).unwrap_err();
    assert!(matches!(&unnamed, OnnxError::Config(what) if what.contains("id2label")), "{unnamed}");
    let scores = OnnxWhole::with_head(texts(), HEAD, options).unwrap_err();
    assert!(matches!(scores, OnnxError::Head(_)), "{scores}");
    // The hash tells the head.
    let hash = |head: &[u8]| OnnxWhole::with_head(sentences(), head, options).unwrap().hash();
    assert_ne!(hash(HEAD), hash(&[HEAD, b" "].concat()));
}

proptest! {
    #[test]
    fn each_token_is_read_once_and_with_room_around(count in 0..3000usize, most in 2..600usize) {
        let all = windows(count, most);
        let mut next = 0;
        for (n, window) in all.iter().enumerate() {
            prop_assert!(window.all.len() <= most && !window.read.is_empty());
            prop_assert_eq!(window.read.start, next);
            prop_assert!(window.all.start <= window.read.start && window.read.end <= window.all.end);
            let room = OVERLAP.min(most / 4) / 2;
            prop_assert!(n == 0 || window.read.start - window.all.start >= room);
            prop_assert!(n + 1 == all.len() || window.all.end - window.read.end >= room);
            next = window.read.end;
        }
        prop_assert_eq!(next, count);
    }

    #[test]
    fn parts_make_the_text(text in prop_oneof!["[a-z \n]{0,9000}", "[é€😀]{0,4000}"]) {
        let mut next = 0;
        for (at, part) in parts(&text) {
            prop_assert!(at == next && !part.is_empty() && part.len() <= PART);
            next += part.len();
        }
        prop_assert_eq!(next, text.len());
    }

    #[test]
    fn any_text_can_be_read(text in prop_oneof!["\\PC{0,80}", any::<String>()]) {
        static READER: std::sync::LazyLock<Onnx> = std::sync::LazyLock::new(|| opened(2, 16));
        let read = READER.read(&[&text], &|| true).remove(0);
        let mut last = 0;
        for mention in read.mentions {
            prop_assert!(mention.span.of(&text).is_some_and(|words| !words.is_empty()));
            prop_assert!(last <= mention.span.start && (0.0..=1.0).contains(&mention.score));
            last = mention.span.start;
        }
    }
}
