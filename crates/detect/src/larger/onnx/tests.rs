use std::cell::Cell;

use proptest::prelude::*;

use super::*;

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
    assert!(matches!(config("512", "3"), OnnxError::Shape(_)));
    let fewer = config(",\n  \"6\": \"I-CITY\"", "");
    assert!(matches!(&fewer, OnnxError::Shape(what) if what.contains('7') && what.contains('6')), "{fewer}");
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
