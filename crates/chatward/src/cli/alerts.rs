//! `chatward alerts …`

use std::process::ExitCode;

use chatward_message::{Clock as _, SystemClock, TenantId};

use super::commands::{load_without_model, say, say_error};
use super::{ConfigArgs, exit};
use crate::config::Flags;

/// Tells every receiver a test. Nothing is kept for later: who runs this wants to know now.
pub(super) fn test(args: ConfigArgs) -> anyhow::Result<ExitCode> {
    let file = args.config.or(args.file);
    let (config, _) = load_without_model(file.as_deref(), &Flags::default())?;
    if config.alerts.sinks.is_empty() {
        say(format_args!("no receivers: [[alerts.sinks]] is empty"))?;
        return Ok(ExitCode::from(exit::OK));
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (tenant, host) = (TenantId::default_tenant().to_string(), crate::alerts::host());
    let outcomes = runtime.block_on(crate::alerts::test(&config.alerts, (&tenant, &host), SystemClock.now()));
    let mut failed = false;
    for (name, outcome) in outcomes {
        match outcome {
            Ok(()) => say(format_args!("{name}: told"))?,
            Err(error) => {
                failed = true;
                say_error(format_args!("{name}: {error}"));
            }
        }
    }
    Ok(ExitCode::from(if failed { exit::IO } else { exit::OK }))
}
