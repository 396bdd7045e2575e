use super::*;
use proptest::prelude::*;

fn class_of(kind: &str) -> Option<Class> {
    match kind {
        "email" => Some(Class::Identity),
        "card_code" => Some(Class::PaymentNeverKept),
        _ => None,
    }
}

fn load(text: &str) -> Result<Loaded, Faults> {
    Loaded::from_text(text, &[], &Flags::default())
}

fn check(text: &str) -> Result<Config, Faults> {
    load(text)?.check(&class_of)
}

fn paths(text: &str) -> Vec<String> {
    check(text).unwrap_err().iter().map(|fault| fault.path.clone()).collect()
}

#[test]
fn nothing_at_all_is_a_good_configuration() {
    let config = check("").unwrap();
    assert!(config.server.listen.ip().is_loopback() && config.upstreams.is_empty());
    assert_eq!(config.tls, Tls::Off);
    assert!(config.deviations().is_empty() && config.hash().len() == 12);
    assert!(config.server.keys.ends_with("chatward-keys"));
}

#[test]
fn unknown_keys_and_wrong_types_are_all_named_with_their_paths() {
    let text = "servr = 1\n[server]\nlisten = 5\nhurry = true\nheader_timeout = \"soon\"\n[upstreams.main]\nurl = \"https://a.example\"\nbasis = \"whim\"\n[[callers]]\nname = \"a\"\n[[callers]]\nkey = 1\n[log]\nlevel = \"loud\"";
    let mut found = paths(text);
    found.sort();
    let wanted = [
        "callers[1].key",
        "log.level",
        "server.header_timeout",
        "server.hurry",
        "server.listen",
        "servr",
        "upstreams.main.basis",
    ];
    assert_eq!(found, wanted);
}

#[test]
fn every_fault_of_meaning_is_named_at_once() {
    let text = "[server]\nlisten = \"nowhere\"\nmax_body_bytes = 1\n[tls]\nmode = \"files\"\ncert = \"c.pem\"\ndomains = [\"a.example\"]\n[upstreams.main]\n[upstreams.two]\nurl = \"https://u:p@b.example/v1\"\n[[handling]]\nkind = \"card_code\"\nto = \"bot\"\noperator = \"pass\"\n[[handling]]\nkind = \"nothing\"\nto = \"bot\"\noperator = \"pass\"\n[detection.thresholds]\nemail = 1.5";
    let wanted = [
        "detection.thresholds.email",
        "handling[0].operator",
        "handling[1].kind",
        "server.listen",
        "server.max_body_bytes",
        "tls.domains",
        "tls.key",
        "upstreams.main.url",
        "upstreams.two.url",
    ];
    assert_eq!(paths(text), wanted);
    assert!(!check(text).unwrap_err().to_string().contains("u:p"));
}

#[test]
fn a_public_address_needs_tls_or_the_dangerous_name() {
    let faults = check("server.listen = \"0.0.0.0:80\"").unwrap_err();
    assert!(faults.only(FaultSort::Unsafe));
    assert!(check("server.listen = \"0.0.0.0:80\"\nserver.unsafe_plain_http = true").is_ok());
    assert!(check("server.listen = \"0.0.0.0:443\"\ntls.mode = \"development\"").is_ok());
    assert!(check("server.private_listen = \"0.0.0.0:81\"\nserver.unsafe_plain_http = true").is_err());
    assert!(check("upstreams.a.url = \"http://bot.example/v1\"").unwrap_err().only(FaultSort::Unsafe));
    assert!(check("upstreams.a.url = \"http://[::1]:9/v1\"").is_ok());
}

#[test]
fn keys_never_lie_inside_the_data() {
    for keys in ["d", "d/k", "d/../d/k", "./d/k"] {
        assert_eq!(
            paths(&format!("server.data = \"d\"\nserver.keys = \"{keys}\"")),
            ["server.keys"],
            "{keys}"
        );
    }
    assert!(check("server.data = \"d\"\nserver.keys = \"d-keys\"").is_ok());
    assert_eq!(keys_beside(Path::new("/a/chatward-data")), Path::new("/a/chatward-keys"));
    assert_eq!(keys_beside(Path::new("/a/x")), Path::new("/a/x-keys"));
}

#[test]
fn flags_win_over_the_environment_and_that_over_the_file() {
    let env = |value: &str| vec![("CHATWARD__SERVER__LISTEN".to_owned(), value.to_owned())];
    let file = "server.listen = \"127.0.0.1:1\"";
    let flags = Flags { listen: Some("127.0.0.1:3".parse().unwrap()), ..Flags::default() };
    let port = |loaded: &Loaded| loaded.check(&class_of).unwrap().server.listen.port();
    assert_eq!(port(&Loaded::from_text(file, &[], &Flags::default()).unwrap()), 1);
    assert_eq!(port(&Loaded::from_text(file, &env("127.0.0.1:2"), &Flags::default()).unwrap()), 2);
    let all = Loaded::from_text(file, &env("127.0.0.1:2"), &flags).unwrap();
    assert_eq!(port(&all), 3);
    let explained = all.explain();
    let line = explained.iter().find(|e| e.path == "server.listen").unwrap();
    assert_eq!((line.origin, line.value.as_str()), (Origin::Flag, "\"127.0.0.1:3\""));
    assert!(explained.iter().any(|e| e.path == "log.level" && e.origin == Origin::Default));
}

#[test]
fn the_environment_takes_numbers_lists_and_texts_that_look_like_numbers() {
    let env: Vec<(String, String)> = [
        ("CHATWARD__SERVER__MAX_MESSAGES", "7"),
        ("CHATWARD__DETECTION__ALLOW", "[\"a\", \"b\"]"),
        ("CHATWARD__UPSTREAMS__MAIN__URL", "https://a.example/v1"),
        ("CHATWARD__SERVER__DATA", "2026"),
        ("CHATWARD_OTHER", "x"),
    ]
    .map(|(a, b)| (a.to_owned(), b.to_owned()))
    .into();
    let loaded = Loaded::from_text("", &env, &Flags::default()).unwrap();
    let config = loaded.check(&class_of).unwrap();
    assert_eq!(config.server.max_messages, 7);
    assert_eq!(config.detection.allow, ["a", "b"]);
    assert!(config.server.data.ends_with("2026"));
    let bad = [("CHATWARD__SERVER__NO".to_owned(), "1".to_owned())];
    let faults = Loaded::from_text("", &bad, &Flags::default()).unwrap_err();
    assert_eq!(faults.iter().next().unwrap().path, "server.no");
}

#[test]
fn the_upstream_flag_is_enough() {
    let flags = Flags { upstream: Some("http://127.0.0.1:9/v1".into()), ..Flags::default() };
    let config = Loaded::from_text("", &[], &flags).unwrap().check(&class_of).unwrap();
    assert_eq!(&*config.upstreams.for_model("any").unwrap().name, "main");
}

#[test]
fn models_go_to_the_longest_pattern() {
    let config = check(
        "[upstreams.a]\nurl = \"https://a.example\"\nmodels = [\"gpt-*\"]\n[upstreams.b]\nurl = \"https://b.example\"\nmodels = [\"gpt-5*-mini\"]\n[upstreams.c]\nurl = \"https://c.example\"\ndefault = true",
    )
    .unwrap();
    let name = |model: &str| config.upstreams.for_model(model).map(|u| u.name.to_string());
    assert_eq!(name("gpt-4").as_deref(), Some("a"));
    assert_eq!(name("gpt-5.2-mini").as_deref(), Some("b"));
    assert_eq!(name("llama").as_deref(), Some("c"));
}

#[test]
fn bots_keys_come_from_files_and_stay_hidden() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key");
    std::fs::write(&file, "sk-canary\n").unwrap();
    let text = format!("[upstreams.a]\nurl = \"https://a.example\"\nkey_file = \"{}\"", file.display());
    let config = check(&text).unwrap();
    assert_eq!(config.upstreams.iter().next().unwrap().key.as_ref().unwrap().expose(), "sk-canary");
    assert!(!format!("{config:?}").contains("canary"));
    assert_eq!(paths(&text.replace("/key\"", "/none\"")), ["upstreams.a.key_file"]);
}

#[test]
fn callers_have_hashed_keys_and_explain_hides_them() {
    let (_, hash) = crate::caller::new_key().unwrap();
    let text = format!("[[callers]]\nname = \"shop\"\nkey_hash = \"{hash}\"\ntrusted = true");
    assert!(check(&text).unwrap().callers[0].trusted);
    let shown: String =
        load(&text).unwrap().explain().iter().map(|e| format!("{}={}\n", e.path, e.value)).collect();
    assert!(shown.contains("callers[0].key_hash=(hidden)") && !shown.contains(&hash.to_string()[7..20]));
    assert_eq!(paths(&format!("{text}\n{text}")), ["callers[1].key_hash", "callers[1].name"]);
}

#[test]
fn deviations_are_named_and_change_the_hash() {
    let config = check("[detection]\ndisabled = [\"vin\"]\n[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"hash\"").unwrap();
    assert_eq!(
        config.deviations(),
        ["handling: kind email to bot: hash", "detection: recogniser vin is off"]
    );
    assert_ne!(config.hash(), check("").unwrap().hash());
}

#[test]
fn lists_of_values_hold_something_and_their_files_are_there() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("staff.txt");
    std::fs::write(&file, "Ann Lee\n").unwrap();
    let good = format!(
        "[[detection.allowed]]\nkind = \"email\"\nvalues = [\"help@house.example\"]\n[[detection.allowed]]\npatterns = [\"x*\"]\n\
         [[detection.denied]]\nkind = \"email\"\nfile = \"{}\"\n[detection.thresholds]\npayment = 0.4",
        file.display()
    );
    let config = check(&good).unwrap();
    assert_eq!(config.detection.allowed[0].values, ["help@house.example"]);
    assert_eq!(config.detection.denied[0].file.as_ref(), Some(&file));
    assert_eq!(config.deviations(), ["detection: threshold of payment is 0.4"]);
    let shown: String = load(&good)
        .unwrap()
        .explain()
        .iter()
        .map(|e| format!("{} = {} # {}\n", e.path, e.value, e.origin))
        .collect();
    assert!(shown.contains("detection.thresholds.payment = 0.4") && shown.contains("# file"), "{shown}");
    let bad = "[[detection.allowed]]\nkind = \"email\"\n[[detection.denied]]\nvalues = [\"a\", \" \"]\n[[detection.denied]]\nkind = \"email\"\nfile = \"no/such\"";
    assert_eq!(
        paths(bad),
        [
            "detection.allowed[0]",
            "detection.denied[0].kind",
            "detection.denied[0].values[1]",
            "detection.denied[1].file"
        ]
    );
    assert_eq!(
        paths("[[detection.denied]]\nkind = \"email\"\npatterns = [\"x\"]"),
        ["detection.denied[0].patterns"]
    );
}

#[test]
fn what_only_the_next_start_changes_is_named() {
    let new = check("server.listen = \"127.0.0.1:9\"\nserver.max_messages = 5").unwrap();
    assert_eq!(check("").unwrap().differing(&new), ["server.listen"]);
}

#[test]
fn the_sample_is_a_good_configuration_and_names_every_section() {
    let sample =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/chatward.toml")).unwrap();
    let loaded = load(&sample).unwrap();
    if let Err(faults) = loaded.check(&class_of) {
        // The sample names key files and certificates that are not here.
        assert!(faults.iter().all(|f| f.path.ends_with("key_file")), "{faults}");
    }
    for section in [
        "server",
        "tls",
        "callers",
        "upstreams",
        "handling",
        "detection",
        "files",
        "limits",
        "log",
        "refusal",
        "metadata",
    ] {
        assert!(sample.contains(&format!("[{section}")), "{section}");
    }
}

#[test]
fn the_schema_in_the_repository_is_the_one_of_the_code() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/config.schema.json");
    let written = std::fs::read_to_string(path).unwrap_or_default();
    // As values: what tests are built with keeps maps in another order. `cargo xtask check` compares the bytes.
    let read = |text: &str| serde_json::from_str::<serde_json::Value>(text).ok();
    let written = read(&written);
    assert!(
        written.is_some() && written == read(&schema()),
        "docs/config.schema.json is old: run `chatward internal generate-docs docs`"
    );
}

#[test]
fn patterns_match_the_whole_name() {
    for (pattern, text, fits) in [
        ("a", "a", true),
        ("a", "ab", false),
        ("*", "", true),
        ("a*", "abc", true),
        ("*c", "abc", true),
        ("a*c", "abbc", true),
        ("a*c", "ac", true),
        ("a*a", "a", false),
        ("a*b*c", "a-b-c", true),
        ("a*b*c", "acb", false),
    ] {
        assert_eq!(glob(pattern, text), fits, "{pattern} {text}");
    }
}

proptest! {
    /// No text, however broken, does anything but load or name its faults.
    #[test]
    fn any_text_is_taken_or_refused(text in "[a-z0-9_.=\\[\\]\" \n{}-]{0,200}") {
        if let Ok(loaded) = load(&text) {
            let _ = loaded.check(&class_of);
        }
    }
}

#[test]
fn the_policies_of_the_house_are_checked_with_the_rest() {
    let config = check("").unwrap();
    assert_eq!((config.access.policies, config.access.rules.count().1), (None, 0));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.cedar");
    let text = format!("[access]\npolicies = {:?}", folder.path().display().to_string());
    let policy = "\n@id(\"x\") permit (principal in Role::\"trainer\", action == Action::\"reveal\", resource) when { resource has kind && resource.kind == \"email\" };";
    std::fs::write(&file, policy).unwrap();
    let config = check(&text).unwrap();
    assert_eq!(config.access.rules.count().1, 1);
    assert!(config.deviations().iter().any(|line| line.starts_with("access: 1 policies of the house")));
    for (from, to, says) in
        [("trainer", "trainee", "own.cedar:2: error: "), ("email", "emial", "no recogniser finds this kind")]
    {
        std::fs::write(&file, policy.replace(from, to)).unwrap();
        let faults = check(&text).unwrap_err();
        let fault = faults.iter().next().unwrap();
        assert_eq!((fault.path.as_str(), fault.sort), ("access.policies", FaultSort::Wrong));
        assert!(fault.message.contains(says), "{}", fault.message);
    }
    let faults = check("[access]\npolicies = \"no/such/folder\"").unwrap_err();
    assert!(faults.only(FaultSort::Unreadable));
}

#[test]
fn a_class_that_is_kept_needs_a_purpose() {
    let short = "[purposes.service]\nkeep = { interaction = \"9d\", payment = \"9d\" }\n";
    assert_eq!(paths(short), ["purposes"]);
    let dropped = "[[handling]]\nclass = \"identity\"\nto = \"kept\"\noperator = \"drop\"\n";
    assert!(check(&format!("{short}{dropped}")).is_ok());
    let other = "[purposes.quality]\nbasis = \"legitimate-interest\"\nkeep = { interaction = \"9d\", identity = \"9d\" }\n";
    assert!(check(&format!("{short}{other}")).is_ok());
    assert_eq!(
        paths("[purposes.quality]\nkeep.secret = \"9d\"\ntext.en = \"May we?\""),
        ["purposes.quality.keep.secret"]
    );
}

#[test]
fn special_categories_need_a_ground_and_the_time_of_the_text() {
    let service = |special: &str, time: &str| {
        format!(
            "[purposes.service]\n{special}keep = {{ interaction = \"9d\", payment = \"9d\", identity = \"9d\", special = \"{time}\" }}\n"
        )
    };
    assert_eq!(paths(&service("", "9d")), ["purposes.service.keep.special"]);
    let care = "special = \"health-care\"\n";
    assert!(check(&service(care, "9d")).is_ok());
    assert_eq!(paths(&service(care, "8d")), ["purposes.service.keep.special"]);
    let token = "[[handling]]\nclass = \"special\"\nto = \"bot\"\noperator = \"token\"\n";
    assert!(check(&format!("{}{token}", service(care, "8d"))).is_ok());
}

#[test]
fn what_the_bot_is_told_is_kept_word_for_word() {
    let row = |to: &str, operator: &str| {
        format!("[[handling]]\nclass = \"interaction\"\nto = \"{to}\"\noperator = \"{operator}\"\n")
    };
    assert_eq!(paths(&row("kept", "generalise")), ["handling[0]"]);
    assert!(check(&(row("kept", "generalise") + &row("bot", "generalise"))).is_ok());
    let email = "[[handling]]\nkind = \"email\"\nto = \"kept\"\noperator = \"drop\"\n";
    assert!(check(email).is_ok(), "the bot has a placeholder");
    let clear = "[[handling]]\nkind = \"email\"\nto = \"bot\"\noperator = \"pass\"\n";
    assert_eq!(paths(&format!("{email}{clear}")), ["handling[0]"]);
}

#[test]
fn a_recipient_has_an_address_and_a_secret_that_signs() {
    let crm = |rest: &str| format!("[recipients.crm]\n{rest}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("secret");
    let secret = format!("secret_file = {:?}\n", file.display().to_string());
    let url = "url = \"https://crm.example/hooks\"\n";
    std::fs::write(&file, "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwAAECAwQFBgc=\n").unwrap();
    let config = check(&crm(&format!("{url}{secret}"))).unwrap();
    assert_eq!(config.recipients[0].tell, [Tell::Erased, Tell::Corrected, Tell::Restricted]);
    assert_eq!(paths(&crm(&secret)), ["recipients.crm.url"]);
    let plain = "url = \"http://crm.example/hooks\"\n";
    assert_eq!(paths(&crm(&format!("{plain}{secret}"))), ["recipients.crm.url"]);
    assert!(check(&crm(&format!("{plain}{secret}unsafe_plain_http = true"))).is_ok());
    assert!(!paths(&crm(url)).is_empty(), "nothing signs it");
    std::fs::write(&file, "whsec_short").unwrap();
    assert!(!paths(&crm(&format!("{url}{secret}"))).is_empty());
}

#[test]
fn a_feed_says_where_it_is_and_in_which_form() {
    let feed = |rest: &str| format!("[[intel.feeds]]\nname = \"list\"\n{rest}");
    let good = "form = \"lines\"\nurl = \"https://feeds.example/x\"\n";
    let config = check(&feed(good)).unwrap();
    assert_eq!((config.intel.feeds.len(), config.intel.feeds[0].every.as_secs()), (1, 3600));
    let of = |more: &str| paths(&feed(&format!("{good}{more}")));
    assert_eq!(paths(&feed("url = \"https://feeds.example/x\"\n")), ["intel.feeds[0].form"]);
    assert_eq!(paths(&feed("form = \"lines\"\n")), ["intel.feeds[0].url"]);
    assert_eq!(of("file = \"x\"\n"), ["intel.feeds[0].url"]);
    assert_eq!(of("every = \"1s\"\n"), ["intel.feeds[0].every"]);
    assert_eq!(of("stale_after = \"1m\"\n"), ["intel.feeds[0].stale_after"]);
    assert_eq!(of("max_lost = 101\n"), ["intel.feeds[0]"]);
    assert_eq!(of("tlp = \"pink\"\n"), ["intel.feeds[0].tlp"]);
    assert_eq!(of("key_env = \"NO_SUCH_VARIABLE\"\n"), ["intel.feeds[0].key_env"]);
    assert_eq!(
        of("[[intel.feeds]]\nname = \"own\"\nform = \"lines\"\nfile = \"x\"\n"),
        ["intel.feeds[1].name"]
    );
    assert_eq!(of(&feed(good)), ["intel.feeds[1].name"]);
    let plain = "form = \"lines\"\nurl = \"http://feeds.example/x\"\n";
    assert_eq!(paths(&feed(plain)), ["intel.feeds[0].url"]);
    let config = check(&feed(&format!("{plain}unsafe_plain_http = true\n"))).unwrap();
    assert!(config.deviations().iter().any(|line| line.contains("intel.feeds list")));
    assert_eq!(paths(&feed("form = \"taxii\"\nfile = \"x\"\n")), ["intel.feeds[0].file"]);
    assert_eq!(paths("[intel]\nown_domains = [\"no domain\"]\n"), ["intel.own_domains[0]"]);
}

#[test]
fn every_sign_of_a_file_is_described() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/files.md")).unwrap();
    for (info, means) in chatward_attach::all_signs() {
        let line = format!("| `{}` | {} | {means} |", info.id, info.severity.name());
        assert!(page.contains(&line), "docs/files.md has no line {line:?}");
    }
}
