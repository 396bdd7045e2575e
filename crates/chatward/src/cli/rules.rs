//! Recognisers: which are in force, and the commands that check and explain them.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context as _;
use chatward_detect::larger::is_of_larger;
use chatward_detect::threat::{self, Reader};
use chatward_detect::{
    Allowed, Bound, Context, Denied, Detector, Lang, Lists, Options, PhraseCollector, Phrases, RuleSource,
    RulesError, rules_check_with, words_file,
};

use super::commands::{environment, say};
use super::{OwnModelsArgs, RulesCommand, exit};
use crate::config::{Detection, FaultSort, Faults, Flags, Listed, Loaded};
use crate::feedback::book::Book;
use crate::feedback::{check as cases, models};
use crate::threats::own as house_rules;
use crate::{explain, larger};

/// What a rule may cost on the worst text made for it, in nanoseconds a byte. Without optimisation everything is slower.
const MOST_NANOSECONDS: u64 = if cfg!(debug_assertions) { 60_000 } else { 2_000 };
/// So long a hostile text is made, in bytes.
const HOSTILE: usize = 16 << 10;

/// Does one of the commands.
pub(super) fn run(command: RulesCommand) -> anyhow::Result<ExitCode> {
    match command {
        RulesCommand::Check { dir, timing, own } => check(dir.as_deref(), timing, &own),
        RulesCommand::Explain { text, previous, lang, config, rules } => {
            let (detector, unusable) = scan_detector(config.as_deref(), rules.as_deref())?;
            for fault in unusable.iter().flat_map(Faults::iter) {
                say(format_args!("note: rules and tagger look alone: {fault}"))?;
            }
            let lang = lang.as_deref().map(Lang::of_tag);
            let context = Context { previous: previous.as_deref(), lang };
            for line in explain::text(&detector, &text, context) {
                say(line)?;
            }
            Ok(ExitCode::from(exit::OK))
        }
    }
}

/// The recognisers that `scan` and `redact` use: those of the configuration, and those of the folder they are told.
pub(crate) fn scan_detector(
    file: Option<&Path>,
    rules: Option<&Path>,
) -> anyhow::Result<(Detector, Option<Faults>)> {
    let mut wish = Loaded::read(file, &environment(), &Flags::default())?.detection()?;
    if let Some(folder) = rules {
        wish.rules = Some(folder.to_owned());
    }
    detector(&wish, true)
}

/// The recognisers in force: the built-in ones, those of the house's folder, less those switched off, and a larger model
/// beside them; or why there is none although one is wanted and `with_model` asks for it.
pub(super) fn detector(wish: &Detection, with_model: bool) -> anyhow::Result<(Detector, Option<Faults>)> {
    let own = wish.rules.as_deref().map(Folder::read).transpose()?.unwrap_or_default();
    let mut sources = Detector::builtin_sources();
    sources.extend(own.sources());
    let mut options = options(wish, &own)?;
    let Some(model) = &wish.model else { return Ok((Detector::compile(&sources, &options)?, None)) };
    let larger = match with_model.then(|| larger::open(model)) {
        Some(Ok(larger)) => larger,
        Some(Err(faults)) if !model.or_rules => return Err(faults.into()),
        without => {
            // Its own rules are not there to be switched off.
            options.disabled.retain(|id| !is_of_larger(id));
            return Ok((Detector::compile(&sources, &options)?, without.and_then(Result::err)));
        }
    };
    match Detector::compile_beside(&sources, &options, &larger) {
        Err(RulesError::Label { label, what }) => {
            let path = format!("detection.model.labels.{label}");
            Err(Faults::one(&path, what, FaultSort::Wrong).into())
        }
        made => Ok((made?, None)),
    }
}

/// What the house wishes of them, with the values of its lists.
fn options(wish: &Detection, own: &Folder) -> anyhow::Result<Options> {
    let allowed = wish.allowed.iter().map(|list| {
        let values =
            if list.values.is_empty() && list.file.is_none() { None } else { Some(phrases(&[list])?) };
        anyhow::Ok(Allowed { kind: list.kind.clone(), values, patterns: list.patterns.clone() })
    });
    let allowed = allowed.collect::<anyhow::Result<_>>()?;
    // All that is denied of one kind is one list.
    let mut by_kind: BTreeMap<&str, Vec<&Listed>> = BTreeMap::new();
    for list in &wish.denied {
        by_kind.entry(list.kind.as_deref().unwrap_or_default()).or_default().push(list);
    }
    let deny = by_kind
        .into_iter()
        .map(|(kind, lists)| anyhow::Ok(Denied { kind: kind.to_owned(), words: phrases(&lists)? }))
        .collect::<anyhow::Result<_>>()?;
    Ok(Options {
        thresholds: wish.thresholds.iter().cloned().collect(),
        disabled: wish.disabled.iter().cloned().collect(),
        allow: wish.allow.clone(),
        allowed,
        deny,
        words: own.lists.clone(),
        without_names: !wish.names,
    })
}

/// The values of these lists and of their files.
fn phrases(lists: &[&Listed]) -> anyhow::Result<Arc<Phrases>> {
    let mut all = PhraseCollector::new(false);
    for list in lists {
        let kind = list.kind.as_deref().unwrap_or("every kind");
        for value in &list.values {
            all.add(value).with_context(|| format!("a value listed for {kind}"))?;
        }
        if let Some(file) = &list.file {
            add_file(&mut all, file)?;
        }
    }
    let kind = lists.first().and_then(|list| list.kind.as_deref()).unwrap_or("every kind");
    Ok(Arc::new(all.finish().with_context(|| format!("the list for {kind}"))?))
}

/// Adds each line of a file. No line of it is shown in an error: it may be a person's name.
fn add_file(all: &mut PhraseCollector, file: &Path) -> anyhow::Result<()> {
    let named = || format!("{}", file.display());
    all.next_file();
    let mut lines = BufReader::with_capacity(1 << 16, File::open(file).with_context(named)?);
    let mut line = String::new();
    while lines.read_line(&mut line).with_context(named)? > 0 {
        all.add(&line).with_context(named)?;
        line.clear();
    }
    Ok(())
}

/// A folder of rule files and the lists of phrases they name.
#[derive(Debug, Default)]
struct Folder {
    files: Vec<(String, String)>,
    lists: Lists,
}

impl Folder {
    fn read(folder: &Path) -> anyhow::Result<Self> {
        let mut files = Vec::new();
        let mut lists = Lists::new();
        let named = || format!("{}", folder.display());
        for entry in std::fs::read_dir(folder).with_context(named)? {
            let path = entry.with_context(named)?.path();
            if path.extension().is_some_and(|ending| ending == "toml") {
                let text = std::fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                // A name that leads elsewhere is a fault of the rule, which is named when the rule is read.
                if let Some((list, exact_case)) = words_file(&text).filter(|(list, _)| !list.contains('/')) {
                    let mut all = PhraseCollector::new(exact_case);
                    let list = folder.join(list);
                    add_file(&mut all, &list)?;
                    let all = all.finish().with_context(|| format!("{}", list.display()))?;
                    lists.insert(name.clone(), Arc::new(all));
                }
                files.push((name, text));
            }
        }
        files.sort();
        Ok(Self { files, lists })
    }

    fn sources(&self) -> impl Iterator<Item = RuleSource<'_>> {
        self.files.iter().map(|(name, text)| RuleSource { name, text })
    }
}

/// Runs the house's cases, and says which are told wrong; how many those are.
fn check_cases(own: &OwnModelsArgs) -> anyhow::Result<usize> {
    let (loaded, data) = own.loaded()?;
    let cases = Book::of(&data).cases()?;
    if cases.is_empty() {
        return Ok(0);
    }
    let reader = models::told(loaded.own_models(), &data)?;
    let wrong = cases::wrong(
        &reader,
        &house_rules::rules(loaded.own_threat_rules().as_deref(), reader.words())?,
        &cases,
    );
    for one in &wrong {
        say(one)?;
    }
    say(format_args!("{} cases, {} not as expected, models {}", cases.len(), wrong.len(), reader.name()))?;
    Ok(wrong.len())
}

/// Checks the rules for attacks: those that come with the program, and those of this folder or else of the configuration. How
/// many faults there are.
fn check_threats(dir: Option<&Path>, own: &OwnModelsArgs) -> anyhow::Result<usize> {
    let folder = match dir {
        Some(dir) => Some(dir.to_owned()),
        None => own.loaded()?.0.own_threat_rules(),
    };
    let files = folder.as_deref().map(house_rules::files).transpose()?.unwrap_or_default();
    let more: Vec<(&str, &str)> = files.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let reader = Reader::new()?;
    let faults = threat::rules::check(&more, reader.words());
    for fault in &faults {
        say(fault)?;
    }
    say(format_args!("{} rules for attacks, {} faults", threat::rules::count() + more.len(), faults.len()))?;
    Ok(faults.len())
}

fn check(dir: Option<&Path>, timing: bool, house: &OwnModelsArgs) -> anyhow::Result<ExitCode> {
    let own = dir.map(Folder::read).transpose()?;
    let (sources, lists) = match &own {
        Some(own) => (own.sources().collect(), own.lists.clone()),
        None => (Detector::builtin_sources(), Lists::new()),
    };
    let reports = rules_check_with(&sources, &lists);
    let mut faults = 0;
    for fault in reports.iter().flat_map(|report| &report.faults) {
        faults += 1;
        say(fault)?;
    }
    if own.is_some() || timing {
        for (source, report) in sources.iter().zip(&reports) {
            let Some(bound) = report.bound.as_ref().filter(|_| report.faults.is_empty()) else { continue };
            let worst = measured(*source, &lists, bound)?;
            say(format_args!(
                "{}: at most {} steps a byte in {} states, {} bytes of checks a start; measured {worst} ns a byte on \
                 the worst of {} hostile texts",
                report.file,
                bound.steps,
                bound.states,
                bound.checked,
                2 * bound.hostile.len(),
            ))?;
            if worst > MOST_NANOSECONDS {
                faults += 1;
                say(format_args!(
                    "{}: pattern: costs {worst} ns a byte on a text made for it, more than {MOST_NANOSECONDS}: begin the \
                     pattern with \\b and a fixed word, repeat less, or check less",
                    report.file
                ))?;
            }
        }
    }
    let tried: usize = reports.iter().map(|report| report.tried).sum();
    say(format_args!("{} rules, {tried} examples and near misses, {faults} faults", reports.len()))?;
    faults += check_threats(dir, house)?;
    faults += check_cases(house)?;
    Ok(ExitCode::from(if faults == 0 { exit::OK } else { exit::FOUND }))
}

/// What one rule costs by itself on the worst of the texts made for it, in nanoseconds of this thread's time a byte.
fn measured(source: RuleSource<'_>, lists: &Lists, bound: &Bound) -> anyhow::Result<u64> {
    let options = Options { without_names: true, words: lists.clone(), ..Options::default() };
    let alone = Detector::compile(&[source], &options)?;
    let mut worst = 0;
    for seed in &bound.hostile {
        for between in ["", " "] {
            let bit = format!("{seed}{between}");
            let text = bit.repeat(HOSTILE / bit.len().max(1) + 1);
            // The first look fills what the thread keeps; of the others the quickest counts.
            let costs = (0..4).map(|_| {
                let begin = thread_time();
                alone.find(&text, Context::default());
                (thread_time() - begin) / (text.len() as u64)
            });
            worst = worst.max(costs.skip(1).min().unwrap_or_default());
        }
    }
    Ok(worst)
}

/// Time this thread has worked, in nanoseconds: what other programs do at the same time plays no part.
fn thread_time() -> u64 {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    let whole = u64::try_from(time.tv_sec).unwrap_or_default();
    whole * 1_000_000_000 + u64::try_from(time.tv_nsec).unwrap_or_default()
}
