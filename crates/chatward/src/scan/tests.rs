//! The commands as a whole, on files.

use std::fs;
use std::path::{Path, PathBuf};

use super::{redact, run};
use crate::cli::{InputFormat, OutputFormat, ScanArgs};

const OK: &str = "ExitCode(unix_exit_status(0))";
const FOUND: &str = "ExitCode(unix_exit_status(1))";
const USAGE: &str = "ExitCode(unix_exit_status(2))";
const UNREAD: &str = "ExitCode(unix_exit_status(3))";

fn args(output: &Path, paths: &[&Path]) -> ScanArgs {
    ScanArgs {
        output: Some(output.to_owned()),
        format: Some(OutputFormat::Jsonl),
        quiet: true,
        paths: paths.iter().map(PathBuf::from).collect(),
        ..ScanArgs::default()
    }
}

fn scanned(args: &ScanArgs) -> String {
    format!("{:?}", run(args).unwrap())
}

fn redacted(args: &ScanArgs) -> String {
    format!("{:?}", redact(args).unwrap())
}

#[test]
fn jsonl_keeps_order_and_places_findings_in_code_points() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out"));
    let lines = "{\"id\":7,\"text\":\"hello\",\"spans\":[1]}\r\n\n{\"id\":\"b\",\"text\":\"😀 mail anna@example.org now\"}\n\
                 {\"id\":\"broken\",\"text\":4}\nnonsense\n{\"id\":\"twice\",\"text\":\"a\",\"text\":\"b\"}\n{\"text\":\"no id\"}";
    fs::write(&input, lines).unwrap();
    assert_eq!(scanned(&args(&output, &[&input])), UNREAD);
    let out = fs::read_to_string(&output).unwrap();
    let out: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let ids: Vec<String> = out.iter().map(|line| line["id"].to_string()).collect();
    assert_eq!(ids, ["7", "\"b\"", "7"]);
    let span = &out[1]["spans"][0];
    assert_eq!((span["start"].as_u64(), span["end"].as_u64()), (Some(7), Some(23)));
    assert_eq!((&span["type"], out[0]["spans"].as_array().map(Vec::len)), (&"EMAIL".into(), Some(0)));
}

#[test]
fn redacted_jsonl_is_the_same_but_for_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.jsonl"), folder.path().join("out.jsonl"));
    let line = |value: &str| {
        format!("{{ \"x\": [1, 2],\"text\" : \"see caf\\u00e9 menu\\n{value}, ok\" , \"id\":null}}\n")
    };
    let quiet = "{\"id\":1,\"text\":\"nothing \\/ here\"}";
    fs::write(&input, line("anna@example.org") + quiet).unwrap();
    assert_eq!(redacted(&args(&output, &[&input])), OK);
    assert_eq!(fs::read_to_string(&output).unwrap(), line("[EMAIL]") + quiet);
}

#[test]
fn the_number_of_workers_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    let line = |n: usize| match n % 7 {
        0 => format!("{{\"id\":{n},\"text\":\"write to user{n}@example.org\"}}\n"),
        1 => "broken\n".to_owned(),
        _ => format!("{{\"id\":{n},\"text\":\"just words, number {n}\"}}\n"),
    };
    fs::write(&input, (0..20_000).map(line).collect::<String>()).unwrap();
    let outputs = [1, 5].map(|jobs| {
        let output = folder.path().join(format!("out{jobs}"));
        let args = ScanArgs { jobs: std::num::NonZeroUsize::new(jobs), ..args(&output, &[&input]) };
        assert_eq!(scanned(&args), UNREAD);
        fs::read_to_string(output).unwrap()
    });
    assert_eq!(outputs[0], outputs[1]);
    assert_eq!(outputs[0].lines().count(), (0..20_000).filter(|n| n % 7 != 1).count());
}

#[test]
fn csv_cells_are_replaced_and_everything_else_is_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.csv"), folder.path().join("out.csv"));
    let table = |a: &str, b: &str| {
        format!("\u{feff}\"name\",mail,note\r\n1, {a} ,\"say \"\"hi\"\", {b}\"\r\n2,,\"on two\nlines\"\r\n,,")
    };
    fs::write(&input, table("anna@example.org", "bob@example.org")).unwrap();
    assert_eq!(redacted(&args(&output, &[&input])), OK);
    assert_eq!(fs::read_to_string(&output).unwrap(), table("[EMAIL]", "[EMAIL]"));
    assert_eq!(scanned(&ScanArgs { fail_on_findings: true, ..args(&output, &[&input]) }), FOUND);
    let first: serde_json::Value =
        serde_json::from_str(fs::read_to_string(&output).unwrap().lines().next().unwrap()).unwrap();
    assert_eq!(
        (first["row"].as_u64(), first["column"].as_u64(), &first["name"]),
        (Some(2), Some(2), &"mail".into())
    );
}

#[test]
fn text_is_placed_by_line_and_byte() {
    let folder = tempfile::tempdir().unwrap();
    let (input, output) = (folder.path().join("in.txt"), folder.path().join("out"));
    let filler = "nothing happened today\n".repeat(3) + "\n";
    let filler = filler.repeat(40_000 / 4);
    let text = format!("{filler}é: anna@example.org\n{filler}");
    fs::write(&input, &text).unwrap();
    assert_eq!(scanned(&args(&output, &[&input])), OK);
    let found = fs::read_to_string(&output).unwrap();
    let found: Vec<serde_json::Value> =
        found.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(found.len(), 1);
    let start = text.find("anna").unwrap();
    assert_eq!(found[0]["start_byte"].as_u64(), Some(start as u64));
    assert_eq!(found[0]["end_byte"].as_u64(), Some((start + "anna@example.org".len()) as u64));
    assert_eq!((found[0]["line"].as_u64(), found[0]["column"].as_u64()), (Some(40_001), Some(4)));
    let copy = folder.path().join("copy.txt");
    assert_eq!(redacted(&args(&copy, &[&input])), OK);
    assert_eq!(fs::read_to_string(&copy).unwrap(), text.replace("anna@example.org", "[EMAIL]"));
}

/// Three files in two folders.
fn folder_of_three() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir_all(logs.join("old")).unwrap();
    for (name, who) in [("a.txt", "anna"), ("old/b.txt", "bob"), ("z.txt", "zoe")] {
        fs::write(logs.join(name), format!("from {who}@example.org\n")).unwrap();
    }
    (folder, logs)
}

#[test]
fn a_stopped_run_goes_on_as_if_it_had_not_stopped() {
    let (folder, logs) = folder_of_three();
    let output = folder.path().join("found.jsonl");
    let again = ScanArgs { resume: true, ..args(&output, &[&logs]) };
    assert_eq!(scanned(&again), OK);
    let whole = fs::read_to_string(&output).unwrap();
    assert_eq!(whole.lines().count(), 3);
    // Killed in the middle of the second file: its entry is missing, half a line is there.
    let journal = folder.path().join("found.jsonl.chatward-journal");
    let entries = fs::read_to_string(&journal).unwrap();
    let kept: String = entries.split_inclusive('\n').take(2).collect();
    fs::write(&journal, kept + "{\"file\":\"half").unwrap();
    fs::write(&output, &whole[..whole.find('\n').unwrap() + 9]).unwrap();
    assert_eq!(scanned(&again), OK);
    assert_eq!(fs::read_to_string(&output).unwrap(), whole);
    assert_eq!(fs::read_to_string(&journal).unwrap(), entries);
    // A file that changed is read again, and everything after it.
    fs::write(logs.join("old/b.txt"), "nobody any more\n").unwrap();
    assert_eq!(scanned(&again), OK);
    let now = fs::read_to_string(&output).unwrap();
    assert!(now.contains("a.txt") && now.contains("z.txt") && !now.contains("b.txt"), "{now}");
}

#[test]
fn a_finished_file_is_not_read_again() {
    let (folder, logs) = folder_of_three();
    let output = folder.path().join("copy");
    let again = ScanArgs { resume: true, ..args(&output, &[&logs]) };
    assert_eq!(redacted(&again), OK);
    assert_eq!(fs::read_to_string(output.join("old/b.txt")).unwrap(), "from [EMAIL]\n");
    // Told apart from a fresh copy by a change of the same length.
    fs::write(output.join("a.txt"), "FROM [EMAIL]\n").unwrap();
    fs::remove_file(output.join("z.txt")).unwrap();
    assert_eq!(redacted(&again), OK);
    assert_eq!(fs::read_to_string(output.join("a.txt")).unwrap(), "FROM [EMAIL]\n");
    assert_eq!(fs::read_to_string(output.join("z.txt")).unwrap(), "from [EMAIL]\n");
    assert_eq!(redacted(&args(&output, &[&logs])), OK);
    assert_eq!(fs::read_to_string(output.join("a.txt")).unwrap(), "from [EMAIL]\n");
}

#[test]
fn wrong_usage_and_missing_files_have_their_codes() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.txt");
    fs::write(&input, "from anna@example.org").unwrap();
    assert_eq!(scanned(&args(&input, &[&input])), USAGE);
    assert_eq!(fs::read_to_string(&input).unwrap(), "from anna@example.org");
    let output = folder.path().join("out");
    let missing = folder.path().join("missing");
    assert_eq!(scanned(&args(&output, &[&missing, &input])), UNREAD);
    assert_eq!(fs::read_to_string(&output).unwrap().lines().count(), 1);
    let jsonl = ScanArgs { input_format: Some(InputFormat::Jsonl), ..args(&output, &[&input]) };
    assert_eq!(scanned(&jsonl), UNREAD);
    assert_eq!(scanned(&args(&folder.path().join("no/such/folder"), &[&input])), UNREAD);
}

/// What is found in one file of a folder, as `file:type`.
fn with_file(output: &Path) -> Vec<String> {
    let found = fs::read_to_string(output).unwrap();
    let lines = found.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let mut all = Vec::new();
    for line in lines {
        let file =
            Path::new(line["file"].as_str().unwrap()).file_name().unwrap().to_string_lossy().into_owned();
        let spans = line["spans"].as_array().cloned().unwrap_or_else(|| vec![line.clone()]);
        all.extend(spans.iter().map(|span| format!("{file}:{}", span["type"].as_str().unwrap())));
    }
    all
}

#[test]
fn names_are_found_in_every_format_of_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    fs::create_dir_all(logs.join("old")).unwrap();
    fs::write(logs.join("a.csv"), "id,message,name\n1,my sister Emma Watkins lives in Toronto,austin\n")
        .unwrap();
    fs::write(logs.join("b.jsonl"), "{\"id\":1,\"text\":\"hi im sarah jones\"}\n").unwrap();
    fs::write(logs.join("old/c.txt"), "Ich heiße Jürgen Müller.\n").unwrap();
    let output = folder.path().join("found");
    assert_eq!(scanned(&args(&output, &[&logs])), OK);
    assert_eq!(
        with_file(&output),
        ["a.csv:PERSON", "a.csv:LOCATION", "a.csv:PERSON", "b.jsonl:PERSON", "c.txt:PERSON"]
    );
    // The name above the cell is what was asked: a town's name is a person's there.
    assert!(fs::read_to_string(&output).unwrap().contains("\"column\":3,\"name\":\"name\""));
    let config = folder.path().join("chatward.toml");
    fs::write(&config, "[detection]\nnames = false\n").unwrap();
    let without = ScanArgs { config: Some(config), ..args(&output, &[&logs]) };
    assert_eq!(scanned(&without), OK);
    assert!(with_file(&output).iter().all(|found| !found.ends_with("LOCATION")));
    let copy = folder.path().join("copy");
    assert_eq!(redacted(&args(&copy, &[&logs])), OK);
    assert_eq!(
        fs::read_to_string(copy.join("a.csv")).unwrap(),
        "id,message,name\n1,my sister [NAME] lives in [PLACE],[NAME]\n"
    );
}

#[test]
fn findings_are_explained_where_that_is_wanted() {
    let folder = tempfile::tempdir().unwrap();
    let input = folder.path().join("in.jsonl");
    fs::write(
        &input,
        "{\"id\":1,\"text\":\"é card 4111 1111 1111 1111\"}\n{\"id\":2,\"text\":\"nothing\"}\n",
    )
    .unwrap();
    let output = folder.path().join("out");
    let explaining = ScanArgs { explain: true, ..args(&output, &[&input]) };
    assert_eq!(scanned(&explaining), OK);
    let text = fs::read_to_string(&output).unwrap();
    let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    let span = &first["spans"][0];
    let why = &span["explain"];
    assert_eq!(
        (&why["rule"], &why["checks"][0], &why["check"]),
        (&"card".into(), &"card".into(), &"holds".into())
    );
    let number = |name: &str| why[name].as_f64().unwrap();
    assert!(
        (number("base") + number("context") - number("raw")).abs() < 1e-3
            && number("raw") >= number("threshold")
    );
    assert!((number("calibrated") - span["score"].as_f64().unwrap()).abs() < 0.006);
    for rival in why["rivals"].as_array().unwrap() {
        assert!(rival["start"].as_u64().unwrap() < span["end"].as_u64().unwrap());
        assert!(rival["outcome"] != "reported" && rival["end"].as_u64().unwrap() <= 26);
    }
    // No value that was found stands in an explanation.
    assert!(!why.to_string().contains("4111"), "{why}");
    let table = ScanArgs { format: Some(OutputFormat::Table), ..explaining };
    assert_eq!(scanned(&table), OK);
    let table_text = fs::read_to_string(&output).unwrap();
    assert!(table_text.contains("    rule card, pattern 1, check card holds\n"), "{table_text}");
    assert!(!table_text.contains("4111"));
    assert_eq!(redacted(&ScanArgs { explain: true, ..args(&output, &[&input]) }), USAGE);
}
