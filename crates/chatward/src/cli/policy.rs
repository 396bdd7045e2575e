//! `chatward policy …`: check, test, try out and review who may look.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chatward_message::Class;
use chatward_policy::access::{
    Action, Cases, Fault, Loading, Outcome, Recorded, Rules, Severity, StaffList, replay, rights,
    shipped_cases,
};

use super::commands::{class_of, environment, say, say_error};
use super::rules::scan_detector;
use super::{PolicyCommand, exit};
use crate::config::access::{File, files, load, sources};
use crate::config::{Flags, Loaded};

/// Does one command.
pub(super) fn run(command: PolicyCommand) -> anyhow::Result<ExitCode> {
    match command {
        PolicyCommand::Check { dir, config } => check(dir.as_deref(), config.as_deref()),
        PolicyCommand::Test { dir, config } => test(dir.as_deref(), config.as_deref()),
        PolicyCommand::Try { facts, policies, config } => {
            try_out(&facts, policies.as_deref(), config.as_deref())
        }
        PolicyCommand::Who { class, action, staff, policies, config } => {
            let wanted = (class.as_deref(), action.as_deref());
            who(wanted, staff.as_deref(), policies.as_deref(), config.as_deref())
        }
    }
}

fn check(dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let Loading { rules, faults } = loaded(dir, config)?;
    for fault in &faults {
        say(fault)?;
    }
    let errors = faults.iter().filter(|fault| is_error(fault)).count();
    let Some(rules) = rules else {
        say(format_args!("{errors} errors, {} warnings: this set would not be used", faults.len() - errors))?;
        return Ok(ExitCode::from(exit::FOUND));
    };
    let (all, own) = rules.count();
    say(format_args!(
        "{all} policies, {own} of the house, {} warnings (set {})",
        faults.len(),
        rules.hash()
    ))?;
    Ok(ExitCode::from(exit::OK))
}

fn test(dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let tests: Vec<File> = match dir {
        Some(dir) => read(&dir.join("tests"), &["toml", "json"])?,
        None => Vec::new(),
    };
    let own = sources(&tests);
    let cases = match Cases::read(if dir.is_some() { &own } else { shipped_cases() }) {
        Ok(cases) => cases,
        Err(error) => {
            say(error)?;
            return Ok(ExitCode::from(exit::FOUND));
        }
    };
    // The shipped tests are about the shipped policies, whatever the configuration adds.
    let loading = if dir.is_some() { loaded(dir, config)? } else { Rules::shipped() };
    let Some(rules) = usable(loading)? else { return Ok(ExitCode::from(exit::FOUND)) };
    let faults = cases.run(&rules);
    for fault in &faults {
        say(fault)?;
    }
    say(format_args!("{} cases, {} failed (set {})", cases.len(), faults.len(), rules.hash()))?;
    // No test at all proves nothing.
    let good = faults.is_empty() && !cases.is_empty();
    Ok(ExitCode::from(if good { exit::OK } else { exit::FOUND }))
}

fn try_out(facts: &Path, policies: Option<&Path>, config: Option<&Path>) -> anyhow::Result<ExitCode> {
    let recorded = match recorded(facts)? {
        Ok(recorded) => recorded,
        Err(message) => {
            say_error(format_args!("chatward: {message}"));
            return Ok(ExitCode::from(exit::FOUND));
        }
    };
    let Some(in_force) = usable(loaded(None, config)?)? else { return Ok(ExitCode::from(exit::FOUND)) };
    let found = match policies {
        None => replay(recorded, None, &in_force),
        Some(dir) => {
            let Some(changed) = usable(loaded(Some(dir), config)?)? else {
                return Ok(ExitCode::from(exit::FOUND));
            };
            replay(recorded, Some(&in_force), &changed)
        }
    };
    for change in &found.changes {
        let facts = &change.recorded.facts;
        say(format_args!(
            "line {}: {facts}: {} → {}",
            change.at + 1,
            shown(&change.before),
            shown(&change.after)
        ))?;
    }
    say(format_args!(
        "{} questions: {} would now be allowed, {} would now be refused, {} refused for another reason",
        found.asked, found.newly_allowed, found.newly_refused, found.other_reason
    ))?;
    Ok(ExitCode::from(if found.changes.is_empty() { exit::OK } else { exit::FOUND }))
}

fn shown(outcome: &Outcome) -> String {
    let list =
        |names: Vec<&str>| if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
    let by = list(outcome.by.iter().map(|id| &**id).collect());
    if outcome.allowed {
        format!("allowed{by}")
    } else {
        format!("refused{}", list(outcome.reasons.iter().map(|code| code.as_str()).collect()))
    }
}

/// The recorded decisions of a file, or which line is none.
fn recorded(file: &Path) -> anyhow::Result<Result<Vec<Recorded>, String>> {
    let named = || format!("{}", file.display());
    let lines = BufReader::new(std::fs::File::open(file).with_context(named)?).lines();
    let mut all = Vec::new();
    for (at, line) in lines.enumerate() {
        let line = line.with_context(named)?;
        match serde_json::from_str(&line) {
            Ok(recorded) => all.push(recorded),
            Err(error) => {
                return Ok(Err(format!("{}:{}: not a recorded decision: {error}", file.display(), at + 1)));
            }
        }
    }
    Ok(Ok(all))
}

fn who(
    (class, action): (Option<&str>, Option<&str>),
    staff: Option<&Path>,
    policies: Option<&Path>,
    config: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let unknown = |what: &str, word: &str, words: Vec<&str>| {
        say_error(format_args!("chatward: there is no {what} `{word}`: take one of {}", words.join(", ")));
        Ok(ExitCode::from(exit::USAGE))
    };
    let class = match class.map(|word| (word, Class::ALL.into_iter().find(|class| class.name() == word))) {
        Some((word, None)) => return unknown("class", word, Class::ALL.map(Class::name).to_vec()),
        found => found.and_then(|(_, class)| class),
    };
    let action = match action.map(|word| (word, Action::named(word))) {
        Some((word, None)) => {
            return unknown("action", word, Action::ALL.iter().map(|action| action.name()).collect());
        }
        found => found.and_then(|(_, action)| action),
    };
    let list = match staff.map(staff_list).transpose()? {
        None => StaffList::one_of_each(),
        Some(Ok(list)) => list,
        Some(Err(message)) => {
            say_error(format_args!("chatward: {message}"));
            return Ok(ExitCode::from(exit::FOUND));
        }
    };
    let Some(rules) = usable(loaded(policies, config)?)? else { return Ok(ExitCode::from(exit::FOUND)) };
    for (name, actor) in list.actors() {
        let rights = rights(&rules, &actor, action, class);
        if rights.is_empty() {
            say(format_args!("{name}: nothing"))?;
        }
        for right in rights {
            let class = right.class.map(|class| format!(" {}", class.name())).unwrap_or_default();
            for demand in &right.demands {
                say(format_args!("{name}: {}{class}: {demand}", right.action.name()))?;
            }
        }
    }
    Ok(ExitCode::from(exit::OK))
}

fn staff_list(file: &Path) -> anyhow::Result<Result<StaffList, String>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let list = if file.extension().is_some_and(|ending| ending == "json") {
        serde_json::from_str(&text).map_err(|error| error.to_string())
    } else {
        toml::from_str(&text).map_err(|error| error.to_string())
    };
    Ok(list.map_err(|error| format!("{}: {error}", file.display())))
}

/// The shipped policies with those of a folder: the named one, else that of the configuration, else none.
fn loaded(dir: Option<&Path>, config: Option<&Path>) -> anyhow::Result<Loading> {
    let raw = Loaded::read(config, &environment(), &Flags::default())?;
    let Some(dir) = dir.map(Path::to_owned).or_else(|| raw.policies()) else { return Ok(Rules::shipped()) };
    let (detector, _) = scan_detector(config, None)?;
    Ok(load(&read(&dir, &["cedar"])?, &class_of(&detector)))
}

fn read(dir: &Path, endings: &[&str]) -> anyhow::Result<Vec<File>> {
    files(dir, endings).map_err(|(path, error): (PathBuf, _)| {
        anyhow::Error::from(error).context(format!("{}", path.display()))
    })
}

/// The set, or nothing after its errors were said.
fn usable(loading: Loading) -> anyhow::Result<Option<Arc<Rules>>> {
    for fault in loading.faults.iter().filter(|fault| is_error(fault)) {
        say_error(fault);
    }
    Ok(loading.rules.map(Arc::new))
}

fn is_error(fault: &Fault) -> bool {
    fault.lint.severity() == Severity::Error
}

#[cfg(test)]
mod tests {
    use chatward_policy::access::shipped;

    use super::*;

    const OWN: &str = "@id(\"trainer-sees-identity\")\npermit (principal in Role::\"trainer\", action == Action::\"reveal\", resource in Class::\"identity\")\nwhen { context.purpose == Purpose::\"training\" };\n";
    const CASE: &str = "[[case]]\nactor = [\"trainer\"]\naction = [\"reveal\"]\npurpose = [\"training\"]\nexpect = \"allowed\"\n";

    fn code(command: PolicyCommand) -> String {
        format!("{:?}", run(command).unwrap_or_else(|error| panic!("{error:#}")))
    }

    fn is(code: u8) -> String {
        format!("{:?}", ExitCode::from(code))
    }

    fn folder(policy: &str, case: &str) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("own.cedar"), policy).unwrap();
        std::fs::create_dir(folder.path().join("tests")).unwrap();
        std::fs::write(folder.path().join("tests/own.toml"), case).unwrap();
        folder
    }

    #[test]
    fn each_outcome_has_its_exit_code() {
        let (config, none) = (None, None);
        let check = |dir: Option<&Path>| PolicyCommand::Check { dir: dir.map(Path::to_owned), config: None };
        let test = |dir: Option<&Path>| PolicyCommand::Test { dir: dir.map(Path::to_owned), config: None };
        let good = folder(OWN, CASE);
        let bad = folder(&OWN.replace("trainer\"", "boss\""), &CASE.replace("allowed", "refused"));
        assert_eq!(code(check(none)), is(exit::OK));
        assert_eq!(code(check(Some(good.path()))), is(exit::OK));
        assert_eq!(code(check(Some(bad.path()))), is(exit::FOUND));
        assert_eq!(code(test(None)), is(exit::OK));
        assert_eq!(code(test(Some(good.path()))), is(exit::OK));
        std::fs::write(good.path().join("tests/own.toml"), CASE.replace("allowed", "refused")).unwrap();
        assert_eq!(code(test(Some(good.path()))), is(exit::FOUND));
        std::fs::write(good.path().join("tests/own.toml"), "").unwrap();
        assert_eq!(code(test(Some(good.path()))), is(exit::FOUND), "no test at all");
        let who = |class: &str| PolicyCommand::Who {
            class: Some(class.to_owned()),
            action: None,
            staff: None,
            policies: None,
            config: config.clone(),
        };
        assert_eq!(code(who("identity")), is(exit::OK));
        assert_eq!(code(who("identities")), is(exit::USAGE));
        let nowhere = check(Some(Path::new("no/such/folder")));
        assert!(run(nowhere).unwrap_err().chain().any(|cause| cause.is::<std::io::Error>()));
    }

    #[test]
    fn recorded_decisions_are_tried_against_a_folder() {
        let own = folder(OWN, CASE);
        let rules = Rules::shipped().rules.unwrap();
        let cases =
            Cases::read(&[chatward_policy::access::PolicySource { name: "a.toml", text: CASE }]).unwrap();
        let lines: Vec<String> = cases
            .facts()
            .map(|facts| Recorded { facts: facts.clone(), outcome: rules.judge(facts) })
            .map(|recorded| serde_json::to_string(&recorded).unwrap())
            .collect();
        let file = own.path().join("facts.jsonl");
        std::fs::write(&file, lines.join("\n")).unwrap();
        let again = |policies: Option<&Path>| PolicyCommand::Try {
            facts: file.clone(),
            policies: policies.map(Path::to_owned),
            config: None,
        };
        assert_eq!(code(again(None)), is(exit::OK));
        assert_eq!(code(again(Some(own.path()))), is(exit::FOUND));
        std::fs::write(&file, "{}\n").unwrap();
        assert_eq!(code(again(None)), is(exit::FOUND));
        assert!(recorded(&file).unwrap().unwrap_err().contains("facts.jsonl:1: "));
    }

    #[test]
    fn the_shipped_files_are_those_of_the_repository() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../policies");
        let names = |files: &[File]| files.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
        let mut embedded: Vec<String> = shipped().iter().map(|file| file.name.to_owned()).collect();
        embedded.sort();
        assert_eq!(names(&read(&folder, &["cedar"]).unwrap()), embedded);
        let mut embedded: Vec<String> = shipped_cases().iter().map(|file| file.name.to_owned()).collect();
        embedded.sort();
        assert_eq!(names(&read(&folder.join("tests"), &["toml", "json"]).unwrap()), embedded);
    }
}
