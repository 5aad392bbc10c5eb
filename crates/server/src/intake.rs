//! From bytes on a door to raw events. Knows nothing of the log.
//!
//! ```text
//! request ── body.rs ──► decoded bytes ── shape.rs ──► events and refusals, in input order
//!            gzip, zstd,                  one value, array,        │
//!            cap, ratio                   wrapper or lines         └─ record_id.rs, idempotency.rs
//!
//! stream ── frames.rs ──► messages ── source_choice.rs ──► the source of each
//!            RFC 6587, lines            address, certificate_names.rs, syslog_header.rs
//! ```
//!
//! `shape.rs` reads what has no protocol of its own. A door that speaks one has its own decoder:
//! `hec.rs` (Splunk), `bulk.rs` (Elasticsearch), `otlp.rs` (OpenTelemetry), `pubsub.rs` and
//! `wrapper.rs` (webhooks). All give the same form: events as ranges of one buffer ([`Gathered`]).
//!
//! What a door may refuse is listed in [`limits`], and each refusal is counted by [`Refusals`]: at
//! most one record for each source, reason and minute. Everything here is pure: time is passed in.
//!
//! Absent on purpose: a JSON document model. A raw event is a range of the body; its bytes are
//! never parsed into values and written again, so they cannot change on the way in.

pub mod body;
pub mod bulk;
pub mod certificate_names;
pub mod file_places;
pub mod frames;
mod gather;
pub mod hec;
pub mod idempotency;
mod json;
pub mod limits;
mod member;
pub mod otlp;
pub mod pubsub;
pub mod record_id;
pub mod refusals;
pub mod shape;
pub mod source_choice;
pub mod source_name;
pub mod stream_batch;
pub mod syslog_header;
pub mod tape;
pub mod wildcard;
pub mod wrapper;

pub use body::{BodyDecoder, BodyError, Encoding};
pub use certificate_names::certificate_names;
pub use file_places::{FileId, InvalidPlaces, Place, Places};
pub use frames::{Frame, Frames, Framing};
pub use gather::Gathered;
pub use idempotency::{IdempotencyKey, InvalidIdempotencyKey};
pub use record_id::{RecordId, record_id};
pub use refusals::{RefusalRecord, Refusals};
pub use shape::{Decoded, Media, RawEvent, RefusalCode, Refused, ShapeError, decode};
pub use source_choice::{InvalidNetwork, Network, Sender, SourceChoice, SourceRule};
pub use source_name::{InvalidSourceName, SourceName};
pub use stream_batch::StreamBatch;
pub use syslog_header::SyslogHeader;
pub use wildcard::Wildcard;
