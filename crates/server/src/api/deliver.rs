//! From what a door with a protocol of its own gathered to the way in that all doors share.
//!
//! A shipper's request may hold events of several sources; the way in takes one source at a time. So
//! they are admitted source by source, in order within each. If a later one cannot be kept the whole
//! request is answered with that error, and what it sends again is told apart by its ids.

use std::sync::Arc;

use crate::access::KeyId;
use crate::api::error::ApiError;
use crate::api::state::Api;
use crate::door::{Batch, By, Origin, Peer, Told};
use crate::intake::{Decoded, Gathered, SourceName};
use crate::log::sequencer::Outcome;

/// What the protocol says of one event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Which source it is from.
    pub source: SourceName,
    /// Its id, if the protocol has one beside the record.
    pub id: Option<String>,
}

/// Events on their way into the log.
#[derive(Debug)]
pub struct Delivery {
    /// The door in their envelopes.
    pub door: &'static str,
    /// Kind of a source that is new: what the protocol is for, or [`crate::door::UNKNOWN_KIND`].
    pub kind: &'static str,
    /// Who connected.
    pub peer: Peer,
    /// On whose behalf.
    pub by: By,
    /// Under which number the rate is counted: the key's own, or what stands for a connection.
    pub rate: KeyId,
    /// The events. What was refused of them is counted by the door.
    pub gathered: Gathered,
    /// One for each event, in order.
    pub sent: Vec<Sent>,
}

/// Keeps all events of a delivery; one outcome each, in order.
///
/// # Errors
/// When they are not, or not all, kept.
pub async fn deliver(api: &Arc<Api>, delivery: Delivery) -> Result<Vec<Outcome>, ApiError> {
    let events = delivery.gathered.decoded.events.len();
    api.spend(delivery.rate, u32::try_from(events).unwrap_or(u32::MAX).max(1))?;
    let mut outcomes = vec![None; events];
    for (source, places) in by_source(&delivery.sent) {
        let origin = Origin { source, kind: delivery.kind.into(), door: delivery.door };
        let (decoded, told) = part(&delivery, &places);
        let batch = Batch { told, ..Batch::sent(delivery.by.clone(), &delivery.peer) };
        let admitted = api.admission.admit(&origin, batch, delivery.gathered.bytes.clone(), decoded).await?;
        for (place, outcome) in places.into_iter().zip(admitted.committed.outcomes) {
            if let Some(slot) = outcomes.get_mut(place) {
                *slot = Some(outcome);
            }
        }
    }
    outcomes.into_iter().collect::<Option<_>>().ok_or_else(ApiError::lost_task)
}

/// The places of each source's events, the sources in the order in which they come first.
fn by_source(sent: &[Sent]) -> Vec<(SourceName, Vec<usize>)> {
    let mut sources: Vec<(SourceName, Vec<usize>)> = Vec::new();
    let mut last = 0;
    for (place, sent) in sent.iter().enumerate() {
        // Events of one source mostly stand together.
        if sources.get(last).is_none_or(|(name, _)| *name != sent.source) {
            last = sources.iter().position(|(name, _)| *name == sent.source).unwrap_or(sources.len());
        }
        match sources.get_mut(last) {
            Some((_, places)) => places.push(place),
            None => sources.push((sent.source.clone(), vec![place])),
        }
    }
    sources
}

fn part(delivery: &Delivery, places: &[usize]) -> (Decoded, Vec<Told>) {
    let all = &delivery.gathered.decoded.events;
    let events = places.iter().filter_map(|place| all.get(*place).cloned()).collect();
    let told = |place: &usize| Told { id: delivery.sent.get(*place).and_then(|sent| sent.id.clone()), ..Told::default() };
    (Decoded { events, refused: Vec::new() }, places.iter().map(told).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn events_keep_their_order_within_each_source() {
        let sent: Vec<_> = ["a", "b", "b", "a", "c", "b"].map(|name| Sent { source: name.parse().unwrap(), id: None }).into();
        let found: Vec<_> = by_source(&sent).into_iter().map(|(name, places)| (name.to_string(), places)).collect();
        let expected = [("a", vec![0, 3]), ("b", vec![1, 2, 5]), ("c", vec![4])].map(|(name, places)| (name.to_owned(), places));
        assert_eq!(found, expected);
    }
}
