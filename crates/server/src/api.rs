//! The HTTP API: events in, events and proofs out, and the C2SP read API of the tree.
//!
//! ```text
//! serve ── connection limits, TLS, deadlines
//!   └─ router ── one table of routes (route.rs): method, path, who may
//!        └─ dispatch ── credential → rate → handler → answer, counted
//! ```
//!
//! INVARIANT: every route stands in [`ROUTES`], and who may use it is decided there, once, before
//! its handler runs. A handler decides only what the table cannot know: whether this key may send
//! events from that source.
//!
//! Every error has one shape, `{"error":{"code","message"}}`; the message says what happened, to
//! what, and what to do. Text that came from outside leaves only with control, C1 and bidirectional
//! characters escaped (`inert`).
//!
//! Absent on purpose: cookies, sessions and CORS (no browser talks to this API across origins), and
//! trust in `X-Forwarded-For`: the peer in an envelope is the address that connected.

mod answer;
mod auth;
mod byte_range;
mod caller;
mod completeness;
mod connections;
mod counts;
mod deliver;
mod directory;
mod dispatch;
mod elastic;
mod entry_json;
mod error;
mod events;
mod evidence;
mod export;
mod forward;
mod grpc;
mod hec;
mod hook;
mod inert;
mod ingest;
mod instant;
mod investigate;
mod issuer_keys;
mod keys;
mod kubernetes;
mod lake;
mod limits;
mod metrics;
mod noted;
mod operate;
mod otlp;
mod protocol;
mod query;
mod readable;
mod receive;
mod remap;
mod route;
mod saved;
mod search;
mod sender;
mod serve;
mod sources;
mod ssf;
mod state;
mod tail;
mod trail;
mod tree;

pub use crate::store::proofs::{event_file, receipt};
pub use connections::check_connection;
pub use counts::Wanted as CountsWanted;
pub use dispatch::router;
pub use evidence::{EvidenceAsk, EvidenceError, Redaction, make as make_evidence};
pub use instant::{format_rfc3339, parse_rfc3339};
pub use investigate::{Inquired, history_of, investigate};
pub use limits::ApiLimits;
pub use route::{Endpoint, Needs, ROUTES, Route};
pub use search::{counted_page, page};
pub use serve::{serve, tls_acceptor};
pub use state::ApiState;
