//! A small incident to look at: a privileged account changes one access policy after another, among
//! a day's routine. Written by us, from nothing; its story is in demo/README.md.

use std::path::Path;
use std::sync::Arc;

use crate::cli::failure::Failure;
use crate::cli::import::local_door::LocalDoor;
use crate::intake::{IdempotencyKey, Media, SourceName};
use crate::store::trail::Trail;

/// One source of the demo.
struct Told {
    name: &'static str,
    kind: &'static str,
    media: Media,
    events: &'static str,
}

const SOURCES: [Told; 5] = [
    Told { name: "okta-corp", kind: "okta", media: Media::Any, events: include_str!("../../../../demo/okta-corp.ndjson") },
    Told { name: "aws-prod", kind: "aws_cloudtrail", media: Media::Any, events: include_str!("../../../../demo/aws-prod.ndjson") },
    Told { name: "github-corp", kind: "github", media: Media::Any, events: include_str!("../../../../demo/github-corp.ndjson") },
    Told { name: "entra-id", kind: "entra", media: Media::Any, events: include_str!("../../../../demo/entra-id.ndjson") },
    Told { name: "bastion-1", kind: "linux", media: Media::TextPlain, events: include_str!("../../../../demo/bastion-1.log") },
];
/// The source of each event, in order of time.
const ORDER: &str = include_str!("../../../../demo/order.txt");

/// Loads the incident, event after event as it happened, unless it is there. A load that was cut short
/// goes on: each event has an idempotency key of its own.
///
/// # Errors
/// The log did not keep it.
pub fn load(trail: &Arc<Trail>) -> Result<(), Failure> {
    if trail.view().size > ORDER.lines().count() as u64 {
        return Ok(());
    }
    let mut sources = Vec::new();
    for told in SOURCES {
        let name: SourceName = told.name.parse()?;
        sources.push((told.name, told.media, LocalDoor::new(trail, "demo", &name, told.kind), told.events.lines()));
    }
    for (number, name) in ORDER.lines().enumerate() {
        let source = sources.iter_mut().find(|(known, ..)| *known == name);
        let (_, media, source, events) =
            source.ok_or_else(|| Failure::new(format!("the demo names a source {name:?} that it does not have")))?;
        let event = events.next().ok_or_else(|| Failure::new(format!("the demo has too few events of {name}")))?;
        let key: IdempotencyKey = format!("demo-{number}").parse()?;
        source.keep(event.as_bytes(), *media, Some(key))?;
    }
    Ok(())
}

/// What to do with it.
pub fn what_to_try(url: &str, data: &Path, trail: &Trail, admin_key: Option<&str>) -> String {
    let size = trail.view().size;
    let policy = index_of(trail, b"\"StopLogging\"", b"\"AccessDenied\"").unwrap_or(0);
    let key = admin_key.unwrap_or("<the admin key, shown at the first start; another: indelible key reset-admin>");
    format!(
        "\n\
         {size} entries of a day and a night at a company that does not exist: routine, and from 02:13 UTC on\n\
         one account that takes over. In another terminal:\n\n\
         export INDELIBLE_URL={url}\n\
         export INDELIBLE_KEY={key}\n\n\
         indelible tail -n 40                        # how it ended\n\
         indelible get {policy}                           # the trail of AWS is switched off\n\
         indelible get {policy} --proof > event.json      # the same, to be checked by anyone, offline:\n\
         indelible-verify event.json --key '{vkey}'\n\
         indelible verify --data {data}    # everything on disk, byte for byte\n\n\
         Then change one byte below {data} and verify again. The story: demo/README.md\n\n",
        vkey = trail.view().state.vkey,
        data = data.display(),
    )
}

/// Index of the first event that holds `with` and not `without`.
fn index_of(trail: &Trail, with: &[u8], without: &[u8]) -> Option<u64> {
    let holds = |raw: &[u8], part: &[u8]| raw.windows(part.len()).any(|window| window == part);
    let entries = trail.reader().entries(0, ORDER.lines().count() + 16).ok()?;
    entries.iter().find(|entry| holds(&entry.raw, with) && !holds(&entry.raw, without)).map(|entry| entry.index)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn the_order_names_each_event_of_each_source_once() {
        for told in SOURCES {
            let named = ORDER.lines().filter(|name| *name == told.name).count();
            assert_eq!(named, told.events.lines().count(), "{}", told.name);
        }
        assert!(ORDER.lines().all(|name| SOURCES.iter().any(|told| told.name == name)));
    }
}
