//! `indelible-verify`: checks receipts, event files, evidence and exports of an Indelible log with nothing but the log's
//! verifier key.
//!
//! It reads the files it is given, computes, and prints; it opens no socket, writes no file and runs
//! no program. What it prints passes through [`plain`], because whoever made a file chose the text
//! in it.
//!
//! Exit: 0 everything holds, 1 something does not, 2 something could not be tried.

mod args;
mod check;
mod export;
mod input;
mod json;
mod plain;
mod sentences;
mod utc;

use std::io::Write;
use std::process::ExitCode;

use args::{Args, Parsed};
use check::{Outcome, Verifier};

/// Something does not hold.
const DOES_NOT_HOLD: u8 = 1;
/// Bad usage, or something that cannot be read.
const COULD_NOT_RUN: u8 = 2;

fn main() -> ExitCode {
    let parsed = args::parse(std::env::args_os().skip(1));
    let mut out = std::io::stdout().lock();
    let code = match parsed {
        Ok(Parsed::Help) => out.write_all(args::HELP.as_bytes()).map(|()| 0).map_err(|e| e.to_string()),
        Ok(Parsed::Version) => writeln!(out, "indelible-verify {}", env!("CARGO_PKG_VERSION")).map(|()| 0).map_err(|e| e.to_string()),
        Ok(Parsed::Run(args)) => run(&args, &mut out),
        Err(usage) => Err(format!("{usage}; see indelible-verify --help")),
    };
    match code.and_then(|code| out.flush().map(|()| code).map_err(|error| error.to_string())) {
        Ok(code) => ExitCode::from(code),
        Err(why) => {
            // Nothing is left to tell it to if this fails too.
            let _ = writeln!(std::io::stderr(), "indelible-verify: {}", plain::line(&why));
            ExitCode::from(COULD_NOT_RUN)
        }
    }
}

fn run(args: &Args, out: &mut impl Write) -> Result<u8, String> {
    let verifier = Verifier::new(args)?;
    let mut code = 0;
    for file in &args.files {
        let outcome = verifier.check(file);
        code = match (&outcome, code) {
            (Outcome::Wrong(_), _) | (_, DOES_NOT_HOLD) => DOES_NOT_HOLD,
            (Outcome::Unreadable(_), _) => COULD_NOT_RUN,
            (Outcome::Holds(_) | Outcome::Evidence(_) | Outcome::Export(_), code) => code,
        };
        let name = file.to_string_lossy();
        let text = if args.json { json::line(&name, &outcome) } else { sentences::of(&name, &outcome) };
        out.write_all(text.as_bytes()).map_err(|error| format!("cannot write the answer: {error}"))?;
    }
    Ok(code)
}
