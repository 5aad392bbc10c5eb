//! Who may do what: API keys, what they are allowed, and how fast they may ask.
//!
//! First step of the way: everything after it trusts a [`Credential`] that this module made, and
//! nothing else. Pure: no clock, no randomness, no storage of its own; the caller passes in the
//! time, the random bytes and the [`KeyRecord`] that the fold of acts holds for a key id.
//!
//! Webhooks have no API key: [`origin`] and [`jws`] check the proof of origin that their vendor sends.
//!
//! Absent on purpose: roles and policies (they come with people, not with keys), sessions, and any
//! way to read a token back: the log holds its hash only.

mod authorization;
mod grant;
pub mod jws;
pub mod origin;
mod rate_limit;
mod token;

pub use authorization::{HeaderError, token_from_authorization};
pub use grant::{Credential, Denied, KeyRecord, Scope, Scopes, UnknownScope, authenticate};
pub use rate_limit::{RateLimit, RetryAfter};
pub use token::{InvalidKeyId, InvalidToken, KeyId, Token};
