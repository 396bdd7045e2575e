//! A larger model beside rules and tagger: found, refused, too slow, broken. The model of most tests is a table of a few
//! made-up names (`detect/tests/fixtures/larger`).

use super::harness::{Bot, Gateway, Home};

/// The section of a configuration for the model in this folder. The tagger is off: it might know the names too.
fn section(more: &str) -> String {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../detect/tests/fixtures/larger");
    format!(
        "[detection]\nnames = false\n[detection.model]\npath = \"{folder}/model.onnx\"\n\
         tokenizer = \"{folder}/vocab.txt\"\n{more}\n[detection.model.labels]\nGIVEN_NAME = \"person_name\"\n\
         SURNAME = \"person_name\"\nB-CITY = \"street_address\"\n"
    )
}

/// A number of the metrics.
async fn fallbacks(gateway: &Gateway, reason: &str) -> f64 {
    gateway.metric(&format!("chatward_model_fallbacks_total{{reason=\"{reason}\"}}")).await
}

#[cfg(not(feature = "onnx"))]
#[tokio::test]
async fn a_program_without_onnx_says_so() {
    let home = Home::new();
    home.configure(&section(""));
    let done = home.run(&["config", "check"]).await;
    assert_eq!(done.code, 1, "{done:?}");
    assert!((done.out + &done.err).contains("detection.model: this program was built without ONNX models"));
    // Where rules alone will do, it is served, and said.
    home.configure(&section("on_failure = \"rules\""));
    let gateway = home.serve(&Bot::new().await).await;
    assert_eq!(gateway.admin("/readyz").await.text(), "ready\ndegraded: larger model (load)\n");
    assert_eq!(fallbacks(&gateway, "load").await, 1.0);
}

#[cfg(feature = "onnx")]
mod with_onnx {
    use std::path::Path;
    use std::time::Duration;

    use serde_json::Value;

    use super::super::harness::{ask, until};
    use super::*;

    #[tokio::test]
    async fn what_it_finds_the_bot_does_not_see_and_the_customer_gets_back() {
        let (home, bot) = (Home::new(), Bot::new().await);
        home.configure(&section("time_limit = \"10s\""));
        let gateway = home.serve(&bot).await;
        let text = "hello 😀 Zorblax Quïmtarsen from plonkville, card 4111 1111 1111 1111";
        let answer = gateway.chat("sk", &[], &ask("echo", text)).await;
        let asked = bot.last().asked();
        for hidden in ["orb", "mtar", "plonk", "4111"] {
            assert!(!asked.contains(hidden), "{asked}");
        }
        assert!(asked.starts_with("hello 😀 [") && asked.contains("] from ["), "{asked}");
        assert_eq!(answer.content(), text);
        assert_eq!(gateway.admin("/readyz").await.text(), "ready\n");
        // It is part of what names the rules in force.
        let metrics = gateway.admin("/metrics").await.text();
        let rules = |text: &str| text.split("rules=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        home.configure("[detection]\nnames = false\n");
        gateway.signal("HUP");
        until("other rules", async || rules(&gateway.admin("/metrics").await.text()) != rules(&metrics))
            .await;
        gateway.chat("sk", &[], &ask("echo", text)).await;
        assert!(bot.last().asked().contains("Zorblax"), "{}", bot.last().asked());
    }

    #[tokio::test]
    async fn a_model_that_cannot_be_used_stops_the_start_or_is_told() {
        let (home, bot) = (Home::new(), Bot::new().await);
        let good = section("time_limit = \"10s\"");
        let fixture = |name: &str| {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../detect/tests/fixtures/larger");
            std::fs::read(folder.join(name)).unwrap()
        };
        std::fs::write(home.path("half.onnx"), &fixture("model.onnx")[..400]).unwrap();
        let config = String::from_utf8(fixture("config.json")).unwrap();
        let fewer = config.replace(",\n  \"6\": \"I-CITY\"", "");
        assert_ne!(fewer, config);
        std::fs::write(home.path("fewer.json"), fewer).unwrap();
        std::fs::write(home.path("words.txt"), "hello\nworld\n").unwrap();
        let put = |key: &str, value: String| {
            let line = good.lines().find(|line| line.starts_with(&format!("{key} = "))).unwrap();
            good.replace(line, &format!("{key} = \"{value}\""))
        };
        let file = |name: &str| home.path(name).display().to_string();
        for (text, code, path, what) in [
            (put("path", file("none.onnx")), 3, "detection.model.path", "cannot be read"),
            (put("path", file("half.onnx")), 1, "detection.model.path", "ONNX model"),
            (put("path", file("words.txt")), 1, "detection.model.path", "ONNX model"),
            (put("tokenizer", file("words.txt")), 3, "detection.model.config", "cannot be read"),
            (
                section(&format!("config = \"{}\"", file("fewer.json"))),
                1,
                "detection.model.path",
                "token classifier",
            ),
            (
                section(&format!("config = \"{}\"", file("words.txt"))),
                1,
                "detection.model.config",
                "names labels",
            ),
            (
                put("SURNAME", "persn".into()),
                1,
                "detection.model.labels.SURNAME",
                "no recogniser finds a kind `persn`",
            ),
            (
                good.replace("SURNAME", "FAMILY"),
                1,
                "detection.model.labels.FAMILY",
                "the model has no such label",
            ),
        ] {
            home.finds_fault(&text, (code, path, what)).await;
            let failed = home.fails_to_start(&["--upstream", &bot.url()]).await;
            assert!(failed.code == code && failed.err.contains(path), "{failed:?}");
        }
        home.configure(
            &put("path", file("none.onnx"))
                .replace("[detection.model.labels]", "on_failure = \"rules\"\n[detection.model.labels]"),
        );
        let gateway = home.serve(&bot).await;
        assert!(gateway.printed().contains("rules and tagger look alone"), "{}", gateway.printed());
        let ready = gateway.admin("/readyz").await;
        assert_eq!((ready.status, ready.text().as_str()), (200, "ready\ndegraded: larger model (load)\n"));
        assert_eq!(fallbacks(&gateway, "load").await, 1.0);
        let status = home.run(&["status", "--data", home.data().to_str().unwrap()]).await;
        assert!(status.out.contains("degraded: larger model (load)"), "{status:?}");
        gateway.chat("sk", &[], &ask("echo", "zorblax ann@mail.example")).await;
        assert_eq!(bot.last().asked(), "zorblax [EMAIL_1]");
        // With the file there a reload is enough.
        std::fs::write(home.path("none.onnx"), fixture("model.onnx")).unwrap();
        gateway.signal("HUP");
        until("the model", async || gateway.admin("/readyz").await.text() == "ready\n").await;
        gateway.chat("sk", &[], &ask("echo", "zorblax ann@mail.example")).await;
        assert!(!bot.last().asked().contains("zorb"), "{}", bot.last().asked());
    }

    #[tokio::test]
    async fn a_model_that_breaks_or_is_too_slow_leaves_the_text_to_the_rules() {
        let (home, bot) = (Home::new(), Bot::new().await);
        home.configure(&section("time_limit = \"10s\""));
        let gateway = home.serve(&bot).await;
        // A token that the model has no row for.
        let answer = gateway.chat("sk", &[], &ask("echo", "zorblax brokentoken ann@mail.example")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(bot.last().asked(), "zorblax brokentoken [EMAIL_1]");
        assert_eq!(gateway.admin("/readyz").await.text(), "ready\ndegraded: larger model (failed)\n");
        assert_eq!(fallbacks(&gateway, "failed").await, 1.0);
        assert_eq!(gateway.metric("chatward_model_unread_texts_total").await, 1.0);
        until("the warning", async || gateway.printed().contains("the larger model did not read every text"))
            .await;
        let printed = gateway.printed();
        assert!(!printed.contains("zorb") && !printed.contains("brokentoken"), "{printed}");
        assert!(printed.contains(&answer.turn()), "{printed}");
        // The next one is read.
        gateway.chat("sk", &[], &ask("echo", "zorblax ann@mail.example")).await;
        assert!(!bot.last().asked().contains("zorb"), "{}", bot.last().asked());
        assert_eq!(gateway.admin("/readyz").await.text(), "ready\n");
        assert_eq!(gateway.stop().await, 0);

        home.configure(&section("time_limit = \"1ms\""));
        let gateway = home.serve(&bot).await;
        let long = format!("{}ann@mail.example", "hello from zorblax, ".repeat(20_000));
        let answer = gateway.chat("sk", &[], &ask("echo", &long)).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(bot.last().asked().ends_with("[EMAIL_1]"));
        assert_eq!(fallbacks(&gateway, "time").await, 1.0);
        assert_eq!(gateway.admin("/readyz").await.text(), "ready\ndegraded: larger model (time)\n");
    }

    #[tokio::test]
    async fn while_it_reads_others_are_served() {
        let (home, bot) = (Home::new(), Bot::new().await);
        home.configure(&section("time_limit = \"20s\""));
        let gateway = home.serve(&bot).await;
        let long = "hello from zorblax, ".repeat(20_000);
        let (one, two) = (ask("echo", &long), ask("echo", &format!("{long}.")));
        let slow = async { tokio::join!(gateway.chat("sk", &[], &one), gateway.chat("sk", &[], &two)) };
        tokio::pin!(slow);
        let mut answered = 0;
        loop {
            tokio::select! {
                answers = &mut slow => {
                    assert_eq!((answers.0.status, answers.1.status), (200, 200));
                    break;
                }
                live = gateway.get("/v1/models", &[("authorization", "Bearer sk")]) => {
                    assert_eq!(live.status, 200);
                    answered += 1;
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            }
        }
        assert!(answered >= 3, "only {answered} others while it read");
    }

    #[tokio::test]
    async fn scan_and_redact_read_along() {
        let home = Home::new();
        home.configure(&section(""));
        std::fs::write(home.path("in.jsonl"), "{\"id\":1,\"text\":\"é zorblax quimtar ann@mail.example\"}\n")
            .unwrap();
        let scanned = home.run(&["scan", "--format", "jsonl", "in.jsonl"]).await;
        assert_eq!(scanned.code, 0, "{scanned:?}");
        let line: Value = serde_json::from_str(scanned.out.lines().next().unwrap()).unwrap();
        let spans: Vec<(u64, u64)> = line["spans"]
            .as_array()
            .unwrap()
            .iter()
            .map(|span| (span["start"].as_u64().unwrap(), span["end"].as_u64().unwrap()))
            .collect();
        assert_eq!(spans, [(2, 17), (18, 34)]);
        let redacted = home.run(&["redact", "in.jsonl"]).await;
        assert!(!redacted.out.contains("zorb") && redacted.out.contains("[EMAIL]"), "{redacted:?}");
        // What it cannot read is a problem, named by its line; the rules' findings are there.
        std::fs::write(home.path("in.jsonl"), "{\"id\":1,\"text\":\"brokentoken ann@mail.example\"}\n")
            .unwrap();
        let broken = home.run(&["redact", "in.jsonl"]).await;
        assert_eq!(broken.code, 3, "{broken:?}");
        assert!(
            broken.out.contains("brokentoken [EMAIL]") && broken.err.contains("left to rules and tagger")
        );
    }

    /// A real model: `cargo xtask test` brings it and names its folder.
    #[tokio::test]
    #[ignore = "needs a model of 15 MB: cargo xtask test brings it"]
    async fn a_real_model_finds_names_and_the_rules_findings_stay() {
        let folder = std::env::var("LARGER_MODEL").unwrap();
        let files = |name: &str| {
            super::super::harness::files(Path::new(&folder)).into_iter().find(|f| f.ends_with(name)).unwrap()
        };
        let (home, bot) = (Home::new(), Bot::new().await);
        let with = |names: bool| {
            format!(
                "[detection]\nnames = {names}\n[detection.model]\npath = \"{}\"\ntokenizer = \"{}\"\nconfig = \"{}\"\n\
                 time_limit = \"60s\"\n[detection.model.labels]\nGIVEN_NAME = \"person_name\"\nSURNAME = \"person_name\"\n",
                files("model_q4.onnx").display(),
                files("tokenizer.json").display(),
                files("config.json").display()
            )
        };
        home.configure(&with(false));
        let gateway = home.serve(&bot).await;
        for (text, hidden) in [
            (
                "Hi, this is Margarete Oyelaran, my card 4111 1111 1111 1111 was declined.",
                &["Margarete", "Oyelaran", "4111"][..],
            ),
            (
                "could you ask tomasz wieczorek to call me back, mail tw@mail.example",
                &["tomasz", "wieczorek", "tw@"],
            ),
            (
                "😀 Ich heiße Jürgen Größmann und meine IBAN ist DE89 3704 0044 0532 0130 00",
                &["Jürgen", "Größmann", "3704"],
            ),
        ] {
            let answer = gateway.chat("sk", &[], &ask("echo", text)).await;
            let asked = bot.last().asked();
            assert!(hidden.iter().all(|word| !asked.contains(word)), "{asked}");
            assert_eq!(answer.content(), text);
        }
        let clean = "where is my order? it should have arrived yesterday";
        gateway.chat("sk", &[], &ask("echo", clean)).await;
        assert_eq!(bot.last().asked(), clean);
        assert_eq!(gateway.admin("/readyz").await.text(), "ready\n");
    }
}
