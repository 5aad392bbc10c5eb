//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;
use indelible::cli::server::ServerArgs;

use crate::rows::Format;

/// Ask SQL of what an Indelible log means
///
/// Reads the lake (docs/LAKE.md) and changes nothing: SELECT, EXPLAIN, SHOW and DESCRIBE. Prints the rows, and on
/// standard error how much of the log they cover. The view `events` has every column; --views lists the others. Exit
/// code 1: entries that could be in the lake are not, so rows may be missing.
#[derive(Debug, Parser)]
#[command(name = "indelible-sql", version)]
#[command(
    after_help = "Examples:\n  indelible-sql --data /var/lib/indelible \"SELECT actor, count(*) FROM authentication WHERE status = 'Failure' GROUP BY actor\"\n  indelible-sql --url https://log.example -f report.sql --format csv -o report.csv\n  indelible-sql --views"
)]
pub struct Args {
    /// The query; without one and without --file it is read from standard input
    pub query: Option<String>,
    /// Read the query from this file
    #[arg(short, long, value_name = "FILE", conflicts_with = "query")]
    pub file: Option<PathBuf>,
    /// Data directory, also of a running server, instead of --url
    #[arg(long, value_name = "DIR")]
    pub data: Option<PathBuf>,
    #[command(flatten)]
    pub server: ServerArgs,
    /// Where files of a server are kept for the next query [default: indelible/lake in the user's cache directory]
    #[arg(long, value_name = "DIR")]
    pub cache: Option<PathBuf>,
    /// How rows are written; json: an object a line; csv: cells safe for spreadsheets; arrow: an IPC stream
    #[arg(long, value_enum, default_value = "table")]
    pub format: Format,
    /// Write the rows to this file, which appears when all of them are there
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Longest that the query may take: 500ms, 60s, 5m, 1h
    #[arg(long, default_value = "60s", value_name = "TIME", value_parser = time)]
    pub timeout: Duration,
    /// Most memory for what the query holds: 256MiB, 1GiB; nothing is put on disk instead
    #[arg(long, default_value = "1GiB", value_name = "BYTES", value_parser = memory)]
    pub memory: usize,
    /// List the views with their columns
    #[arg(long)]
    pub views: bool,
}

/// The number and the unit of an amount.
fn amount(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(digits)?;
    number.parse().ok().filter(|number| *number > 0).map(|number| (number, unit))
}

fn time(text: &str) -> Result<Duration, String> {
    let read = amount(text).and_then(|(number, unit)| match unit {
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        "m" => number.checked_mul(60).map(Duration::from_secs),
        "h" => number.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    });
    read.ok_or_else(|| "write it like 500ms, 60s, 5m or 1h".to_owned())
}

fn memory(text: &str) -> Result<usize, String> {
    let read = amount(text).and_then(|(number, unit)| {
        let shift = match unit {
            "KiB" => 10,
            "MiB" => 20,
            "GiB" => 30,
            _ => return None,
        };
        usize::try_from(number.checked_mul(1 << shift)?).ok()
    });
    read.ok_or_else(|| "write it like 64MiB or 2GiB".to_owned())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn the_command_line_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn amounts_need_a_number_above_zero_and_a_known_unit() {
        assert_eq!(time("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(time("60s"), Ok(Duration::from_secs(60)));
        assert_eq!(time("5m"), time("300s"));
        assert_eq!(time("1h"), time("60m"));
        assert_eq!(memory("1GiB"), memory("1024MiB"));
        assert_eq!(memory("64KiB"), Ok(65_536));
        for wrong in ["", "5", "s", "0s", "-1s", "5 s", "5d", "99999999999999999999s", "18446744073709551615h", "1.5h", "５s"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
        for wrong in ["", "1", "GiB", "0GiB", "1GB", "18446744073709551615GiB"] {
            assert!(memory(wrong).is_err(), "{wrong}");
        }
    }
}
