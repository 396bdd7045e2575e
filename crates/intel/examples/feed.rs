//! Reads a feed and says what it comes to: `cargo run --example feed -- FORM FILE [NAME…]`; with names, says which of them
//! are listed.
#![expect(clippy::print_stdout, reason = "what it says is what it is for")]

use std::process::ExitCode;
use std::time::Instant;

use chatward_detect::indicator::{Batch, IndicatorSet, Key, Source, Value};
use chatward_intel::{Form, Item, Options, read, shipped_warnings};
use chatward_message::{Clock as _, SystemClock};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let form = arguments.next().and_then(|name| Form::ALL.into_iter().find(|form| form.name() == name));
    let (Some(form), Some(path)) = (form, arguments.next()) else {
        println!("feed FORM FILE [NAME…]");
        return ExitCode::FAILURE;
    };
    let warnings = shipped_warnings();
    let key = Key::new([7; 16]);
    let mut batch = Batch::whole(key, Source::default(), &warnings);
    let start = Instant::now();
    let result = std::fs::File::open(&path).map_err(Into::into).and_then(|mut file| {
        read(form, &mut file, &Options::default(), &mut |item| {
            if let Item::Indicator(indicator) = item
                && let Err(stopped) = batch.add(&indicator)
            {
                println!("stopped as {}: {}", stopped.name(), indicator.value);
            }
        })
    });
    let summary = match result {
        Ok(summary) => summary,
        Err(fault) => {
            println!("{fault}");
            return ExitCode::FAILURE;
        }
    };
    let (set, difference) = IndicatorSet::empty(key).merged(batch);
    println!("{summary:#?}\n{difference:?} in {:?}", start.elapsed());
    for name in arguments {
        let hit = Value::guess(&name).map(|value| set.find(&value, SystemClock.now()));
        println!("{name}: {hit:?}");
    }
    ExitCode::SUCCESS
}
