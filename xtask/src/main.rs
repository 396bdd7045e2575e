//! What the project does to itself. Plain programs, no build magic: `cargo xtask` lists the verbs.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a tool that talks to the person who runs it")]

mod arrows;
mod calibrate;
// The trainer's own, so that others are measured with the very disguises it measures our models with.
#[path = "../../trainer/src/chance.rs"]
mod chance;
mod check;
mod cross;
mod data;
mod detection;
#[path = "../../trainer/src/threats/disguise.rs"]
mod disguise;
mod http;
mod lists;
mod load;
mod mutants;
mod postgres;
mod process;
mod prove;
mod replay;
mod results;
mod score;
mod server;
mod source;
mod speed;
mod test;
mod tools;
mod train;
mod vendor;
mod versus;

use std::process::ExitCode;

use anyhow::Result;

const HELP: &str = "\
cargo xtask VERB

  check                formatting, lints, the arrows between the rooms, licences, generated files
  test [STEP …]        check, then every test there is, at counts that fit a coffee; installs what is missing as root
  postgres COMMAND …   runs it with a PostgreSQL server beside it, as the tests have one: CHATWARD_TEST_POSTGRES
  prove [PART …]       the full counts; resumable; figures go to bench/RESULTS.md
                       parts: kill tamper stream consents rights channel widget fuzz load speed hostile score versus
                       versus-threats replay mutants
                       (all without a name)
  load [ROUNDS] [--minutes N]   the load suite beside nginx and the hyper pass-through   (*)
                       (3 rounds), then N minutes under load with an eye on the memory;
                       DUR=1 in the environment makes each case short
  speed [MB]           scan speed on generated JSONL (1,000 MB)                          (*)
  score                detection bars on the development data                            (*)
  versus               Presidio and Rampart on the same documents in the same run        (*)
  versus threats [N]   promptbadger, stackone-defender and vard on the same messages     (*)
                       (every Nth of them) in the same run
  hostile              texts made to be slow: time grows with the text and no faster
  calibrate            makes models/calibration.toml: from scores to probabilities       (*)
  lists [MILLIONS]     what a list of so many phrases costs (5)
  detection [--model FILE] [--without-speed]   every bar of detection, names included,     (*)
                       with a model that did not learn from what is scored
  cross-validate [--passes N]   what the tagger loses on a corpus it did not learn from,   (*)
                       for every larger corpus; resumable
  train [--for-scoring] [--without CORPUS]   makes models/names.bin and its card          (*)
                       --for-scoring leaves out every sentence that stands in a scored text;
                       --without leaves out a corpus and says how the rest does on it
  train-threats [--quick]   makes models/threats.bin and says what it finds of texts it did not learn from   (*)
                       --quick leaves out the disguises and the sources left out in turn
  train-threats --larger [--quick]
                       makes models/threats-minilm.json, the head for a sentence model, and says what it adds      (*)
  families             makes trainer/families/en.txt.gz anew (Python 3.12 or later)
  replay [LIMIT]       real conversations through a running gateway                      (*)
  pictures [DIR]       twelve key pages, light and dark, narrow and wide, to look at (default: target/pictures)
  vendor [--write]     compares the files of others that pages load with their packages (static/vendor.lock), or writes them
  generate-jsonl MB FILE   JSONL made of real customer texts, for speed                  (*)

(*) needs the tools and data of CHATWARD_SHARED (default: ../shared)";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("xtask: {e:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &[String]) -> Result<()> {
    let rest = args.get(1..).unwrap_or_default();
    let number = |default: u64| rest.first().map_or(Ok(default), |n| n.parse());
    match args.first().map(String::as_str) {
        Some("check") => check::run(),
        Some("test") => test::run(rest),
        Some("postgres") => postgres::run(rest),
        Some("prove") => prove::run(rest),
        Some("load") => match rest {
            [] => load::run(3, 0),
            [rounds] => load::run(rounds.parse()?, 0),
            [flag, minutes] if flag == "--minutes" => load::run(3, minutes.parse()?),
            [rounds, flag, minutes] if flag == "--minutes" => load::run(rounds.parse()?, minutes.parse()?),
            _ => anyhow::bail!("load [ROUNDS] [--minutes N]"),
        },
        Some("speed") => speed::run(number(1000)?),
        Some("score") => score::run(),
        Some("versus") => match rest {
            [] => versus::run(),
            [what] if what == "threats" => versus::threats::run(1),
            [what, every] if what == "threats" => versus::threats::run(every.parse()?),
            _ => anyhow::bail!("versus [threats [N]]"),
        },
        Some("hostile") => speed::hostile(),
        Some("calibrate") => calibrate::run(),
        Some("lists") => lists::run(number(5)?),
        Some("detection") => detection::run(rest),
        Some("cross-validate") => match rest {
            [] => cross::run(6),
            [flag, passes] if flag == "--passes" => cross::run(passes.parse()?),
            _ => anyhow::bail!("cross-validate [--passes N]"),
        },
        Some("train") => train::run(rest),
        Some("train-threats") => train::threats(rest),
        Some("families") => train::families(),
        Some("replay") => replay::run(number(u64::MAX)?),
        Some("pictures") => test::pictures(rest.first().map(String::as_str)),
        Some("vendor") => match rest {
            [] => vendor::run(false),
            [flag] if flag == "--write" => vendor::run(true),
            _ => anyhow::bail!("vendor [--write]"),
        },
        Some("generate-jsonl") => match rest {
            [megabytes, file] => speed::generate(megabytes.parse()?, file.as_ref()).map(drop),
            _ => anyhow::bail!("generate-jsonl MB FILE"),
        },
        None | Some("help" | "--help" | "-h") => {
            println!("{HELP}");
            Ok(())
        }
        Some(other) => anyhow::bail!("no verb `{other}`\n\n{HELP}"),
    }
}
