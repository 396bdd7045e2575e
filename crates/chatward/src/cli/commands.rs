//! What each command does.

use std::process::ExitCode;

use super::{Command, exit};

/// Does one command.
pub(super) fn run(_command: Command) -> anyhow::Result<ExitCode> {
    Ok(ExitCode::from(exit::INTERNAL))
}

/// Turns the outcome into the exit code and says what went wrong.
pub(super) fn finish(outcome: anyhow::Result<ExitCode>) -> ExitCode {
    outcome.unwrap_or(ExitCode::from(exit::INTERNAL))
}
