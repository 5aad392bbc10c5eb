//! The command line: one file a command. The last step of the way: it may call everything, and
//! nothing calls it.
//!
//! Exit codes, the same for every command: 0 done, and what was checked holds; 1 done, and what was
//! checked does not hold (`verify`), or not everything was taken (`import`); 2 could not be done.
//! Data goes to standard output, everything else to standard error.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod backup;
mod connection;
mod count;
pub mod data_dir;
mod demo;
mod evidence;
mod export;
pub mod failure;
mod forward;
mod get;
mod hit;
mod identity;
mod import;
mod init;
mod key;
mod maps;
mod member;
mod mirror;
mod new_key;
mod ocsf;
mod place;
mod receipt;
mod remap;
mod restore;
mod routine;
pub mod safe_text;
mod saved;
mod search;
mod serve;
pub mod server;
mod source;
mod sources;
mod stopped;
mod synth;
mod table;
mod tail;
mod trail_copy;
mod verify;
mod who;

use failure::Failure;

/// An audit log for identity and access that cannot be changed without being caught.
#[derive(Debug, Parser)]
#[command(name = "indelible", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Start with:\n  indelible serve --demo\n\nEvery command has its own --help with an example.")]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Serve),
    Init(init::Init),
    Key(key::Key),
    Connection(connection::Connection),
    Identity(identity::Identity),
    Sources(sources::Sources),
    Search(search::Search),
    Evidence(evidence::Evidence),
    Count(count::Count),
    Who(who::Who),
    Routine(routine::Routine),
    Remap(remap::Remap),
    Saved(saved::Saved),
    Forward(forward::Forward),
    Export(export::Export),
    Import(import::Import),
    Get(get::Get),
    Receipt(receipt::Receipt),
    Tail(tail::Tail),
    Verify(verify::Verify),
    Mirror(mirror::Mirror),
    Backup(backup::Backup),
    Restore(restore::Restore),
    Source(source::Source),
    Ocsf(ocsf::Ocsf),
    Synth(synth::Make),
}

/// Did what was checked hold?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    /// Yes, or there was nothing to check.
    Holds,
    /// No; the command has said what and where.
    DoesNotHold,
}

impl Command {
    fn run(self, out: &mut dyn Write) -> Result<Answer, Failure> {
        match self {
            Self::Serve(command) => command.run(out),
            Self::Init(command) => command.run(out),
            Self::Key(command) => command.run(out),
            Self::Connection(command) => command.run(out),
            Self::Identity(command) => command.run(out),
            Self::Sources(command) => command.run(out),
            Self::Search(command) => command.run(out),
            Self::Evidence(command) => command.run(out),
            Self::Count(command) => command.run(out),
            Self::Who(command) => command.run(out),
            Self::Routine(command) => command.run(out),
            Self::Remap(command) => command.run(out),
            Self::Saved(command) => command.run(out),
            Self::Forward(command) => command.run(out),
            Self::Export(command) => command.run(out),
            Self::Import(command) => command.run(out),
            Self::Get(command) => command.run(out),
            Self::Receipt(command) => command.run(out),
            Self::Tail(command) => command.run(out),
            Self::Verify(command) => command.run(out),
            Self::Mirror(command) => command.run(out),
            Self::Backup(command) => command.run(out),
            Self::Restore(command) => command.run(out),
            Self::Source(command) => command.run(out),
            Self::Ocsf(command) => command.run(out),
            Self::Synth(command) => command.run(out),
        }
    }
}

/// Reads the command line, does what it says, and gives the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = io::stdout();
    let done = cli.command.run(&mut out).and_then(|answer| Ok(out.flush().map(|()| answer)?));
    match done {
        Ok(Answer::Holds) => ExitCode::SUCCESS,
        Ok(Answer::DoesNotHold) => ExitCode::from(1),
        // Whoever read our output has heard enough: `indelible tail | head`.
        Err(failure) if failure.is_closed_output() => ExitCode::SUCCESS,
        Err(failure) => {
            // Standard error that cannot be written leaves the exit code to say it.
            let _ = writeln!(io::stderr(), "error: {}", safe_text::escape(&failure.to_string()));
            ExitCode::from(2)
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_shows_an_example() {
        for command in Cli::command().get_subcommands() {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(help.contains(&format!("indelible {}", command.get_name())), "{}", command.get_name());
            assert!(command.get_about().is_some(), "{}", command.get_name());
        }
    }
}
