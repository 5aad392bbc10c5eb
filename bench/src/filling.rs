//! Enters a synthetic trail into a running server, and waits until the index has caught up.

use crate::asker::Asker;
use crate::failure::Failure;
use crate::server::{Binary, Server};
use serde_json::Value;
use std::process::Stdio;
use std::time::{Duration, Instant};

/// How often the lag of the index is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const INDEXED_AFTER_MAX: Duration = Duration::from_secs(3600);

/// Enters `events` of the trail of `seed` as fast as they are taken; how long that took.
///
/// # Errors
/// When they are not all taken.
pub fn enter(binary: &Binary, server: &Server, token: &str, events: u64, seed: u64) -> Result<Duration, Failure> {
    let begin = Instant::now();
    let url = format!("http://{}", server.address);
    let mut command = binary.command();
    command.args(["synth", "--into", "--events", &events.to_string(), "--seed", &seed.to_string(), "--url", &url]);
    let status = command.env("INDELIBLE_KEY", token).stdout(Stdio::null()).status().map_err(Failure::io("run `indelible synth`"))?;
    if status.success() { Ok(begin.elapsed()) } else { Err(Failure::Wrong(format!("`indelible synth` ended with {status}"))) }
}

/// Entries that are in the log and in no index.
///
/// # Errors
/// When the server does not say.
pub fn behind(asker: &mut Asker) -> Result<f64, Failure> {
    asker.metric("indelible_search_behind_entries")
}

/// Waits until every payload file is indexed; how long that took.
///
/// # Errors
/// When it takes an hour, or the server does not say.
pub fn indexed(asker: &mut Asker) -> Result<Duration, Failure> {
    let begin = Instant::now();
    loop {
        asker.ask("/v1/remap")?;
        match asker.json()?.get("waiting").and_then(Value::as_u64) {
            Some(0) => return Ok(begin.elapsed()),
            Some(files) if begin.elapsed() > INDEXED_AFTER_MAX => {
                return Err(Failure::Wrong(format!("{files} payload files are still not indexed")));
            }
            Some(_) => std::thread::sleep(LOOK_EVERY),
            None => return Err(Failure::Wrong("the server does not say how many files wait for the index".to_owned())),
        }
    }
}
