//! `chatward staff …` and `chatward programs …`: accounts, by whoever has the machine.

use std::io::{self, Write as _};
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::commands::{answered, say, say_error, tell};
use super::{AccountArgs, DataArgs, ProgramsCommand, StaffCommand, exit};
use crate::control::{Answer, Deed, Request};
use crate::identity::secret::SecretText;

/// Does one command about people.
pub(super) fn people(command: StaffCommand) -> anyhow::Result<ExitCode> {
    let deed = |AccountArgs { id, at }: AccountArgs, deed| tell(&at, Request::Staff { id, deed });
    match command {
        StaffCommand::Invite { name, role, at } => {
            tell(&at, Request::StaffInvite { name: SecretText::new(name), roles: role })
        }
        StaffCommand::List(at) => list(&at),
        StaffCommand::Lock(of) => deed(of, Deed::Lock),
        StaffCommand::Unlock(of) => deed(of, Deed::Unlock),
        StaffCommand::Close(of) => deed(of, Deed::Close),
        StaffCommand::InviteAgain(of) => deed(of, Deed::InviteAgain),
    }
}

/// Does one command about programs.
pub(super) fn programs(command: ProgramsCommand) -> anyhow::Result<ExitCode> {
    match command {
        ProgramsCommand::Make { name, at } => tell(&at, Request::ProgramMake { name: SecretText::new(name) }),
        ProgramsCommand::List(at) => tell(&at, Request::ProgramList),
        ProgramsCommand::Key { id, scope, days, at } => {
            tell(&at, Request::ProgramKey { id, scopes: scope, days })
        }
        ProgramsCommand::Revoke { id, at } => tell(&at, Request::ProgramRevoke { id }),
    }
}

/// A large house comes in several answers.
fn list(at: &DataArgs) -> anyhow::Result<ExitCode> {
    let mut after = None;
    loop {
        let answer = answered(at, Request::StaffList { after })?;
        shown(&answer)?;
        match answer {
            Answer::Staff { next: Some(next), .. } => after = Some(next),
            Answer::Refused { code, message } => {
                say_error(format_args!("chatward: {code}: {message}"));
                return Ok(ExitCode::from(exit::BUSY));
            }
            _ => return Ok(ExitCode::from(exit::OK)),
        }
    }
}

/// Shows an answer about accounts.
pub(super) fn shown(answer: &Answer) -> io::Result<()> {
    match answer {
        Answer::Invited { id, token } => {
            once("The invitation, shown only now; it counts once, for three days:", token)?;
            say(format_args!("account {id}"))
        }
        Answer::Key { id, key } => {
            once("The key, shown only now:", key)?;
            say(format_args!("program {id}"))
        }
        Answer::Staff { people, .. } => people.iter().try_for_each(|person| {
            let roles: Vec<&str> = person.roles.iter().map(|role| role.name()).collect();
            say(format_args!(
                "{}  {}  {}  {}",
                person.id,
                person.state,
                roles.join(","),
                person.name.expose()
            ))
        }),
        Answer::Programs { programs } => programs.iter().try_for_each(|program| {
            say(format_args!("{}  {} keys  {}", program.id, program.keys, program.name.expose()))
        }),
        _ => Ok(()),
    }
}

/// A secret, to whoever asked for it.
fn once(what: &str, secret: &SecretText) -> io::Result<()> {
    let text = Zeroizing::new(format!("{what} {}\n", secret.expose()));
    io::stdout().write_all(text.as_bytes())
}
