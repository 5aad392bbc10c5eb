//! The command line. By hand: seven options do not justify a library that an auditor would have to
//! read as well.

use std::ffi::OsString;
use std::path::PathBuf;

pub const HELP: &str = "\
indelible-verify checks receipts, event files, evidence and exports of an
Indelible log. It needs no network and trusts nobody but the key you give it.

Usage: indelible-verify --key VKEY [--keys FILE] [--raw FILE] [--json] FILE...

  FILE          an event file, a receipt, evidence (a page, or JSON), an export
                (NDJSON) or the manifest of any export, beside its files; - is
                standard input, for all but exports
  --key VKEY    the log's verifier key, NAME+ID+KEY, or a file that has it; get it
                from somebody you trust, not from where you got FILE
  --keys FILE   event files of the log's key rotations (a JSON array, or one event
                file), when another key than VKEY signed; may be given repeatedly
  --raw FILE    also check that this file has the raw bytes of the event; goes
                with one FILE only
  --json        one line of JSON for each FILE
  --help        this text
  --version     the version

Exit status: 0 everything holds, 1 something does not hold, 2 could not run.
";

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Args {
    /// Text or path, as given.
    pub key: OsString,
    pub keys: Vec<PathBuf>,
    pub raw: Option<PathBuf>,
    pub json: bool,
    pub files: Vec<PathBuf>,
}

#[derive(Debug, PartialEq, Eq)]
pub enum Parsed {
    Help,
    Version,
    Run(Args),
}

pub fn parse(mut given: impl Iterator<Item = OsString>) -> Result<Parsed, String> {
    let mut args = Args::default();
    let mut key = None;
    let mut only_files = false;
    while let Some(arg) = given.next() {
        let text = arg.to_string_lossy().into_owned();
        if only_files || text == "-" || !text.starts_with('-') {
            args.files.push(arg.into());
            continue;
        }
        let (name, inline) = match text.split_once('=') {
            Some((name, value)) => (name, Some(OsString::from(value))),
            None => (text.as_str(), None),
        };
        let mut value = || {
            let value = inline.clone().or_else(|| given.next()).filter(|value| !value.is_empty());
            value.ok_or_else(|| format!("{name} needs a value"))
        };
        match name {
            "--key" if key.is_none() => key = Some(value()?),
            "--keys" => args.keys.push(value()?.into()),
            "--raw" if args.raw.is_none() => args.raw = Some(value()?.into()),
            "--key" | "--raw" => return Err(format!("{name} is given twice")),
            _ if inline.is_some() => return Err(format!("unknown option {text}")),
            "--json" => args.json = true,
            "--help" | "-h" => return Ok(Parsed::Help),
            "--version" | "-V" => return Ok(Parsed::Version),
            "--" => only_files = true,
            _ => return Err(format!("unknown option {text}")),
        }
    }
    args.key = key.ok_or("--key is missing")?;
    if args.files.is_empty() {
        return Err("no FILE is given".into());
    }
    if args.raw.is_some() && args.files.len() > 1 {
        return Err("--raw goes with one FILE only".into());
    }
    let stdin = args.keys.iter().chain(&args.raw).chain(&args.files).filter(|path| path.as_os_str() == "-").count();
    if stdin > 1 {
        return Err("standard input can be read only once".into());
    }
    Ok(Parsed::Run(args))
}

#[cfg(test)]
#[allow(clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Parsed, String> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn options_and_files_are_told_apart_wherever_they_stand() {
        let expected =
            Args { key: "K".into(), keys: vec!["a".into(), "b".into()], raw: Some("r".into()), json: true, files: vec!["f".into()] };
        assert_eq!(parsed("f --key K --keys a --keys=b --raw=r --json"), Ok(Parsed::Run(expected)));
        let Ok(Parsed::Run(args)) = parsed("--key=K -- --json -") else { panic!("refused") };
        assert_eq!((args.json, args.files), (false, vec!["--json".into(), "-".into()]));
        assert_eq!(parsed("--version --nonsense"), Ok(Parsed::Version));
    }

    #[test]
    fn bad_usage_is_refused_with_what_is_wrong() {
        for (line, why) in [
            ("f", "--key is missing"),
            ("--key K", "no FILE"),
            ("f --key", "--key needs a value"),
            ("f --key=", "--key needs a value"),
            ("f --key K --key L", "twice"),
            ("f g --key K --raw r", "one FILE"),
            ("- --key K --raw -", "only once"),
            ("f --key K --jsno", "unknown option --jsno"),
            ("f --key K --json=1", "unknown option --json=1"),
        ] {
            let Err(error) = parsed(line) else { panic!("{line} is accepted") };
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
