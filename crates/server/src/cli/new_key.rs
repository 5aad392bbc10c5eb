//! Makes API keys on a trail that this process has open.

use std::collections::BTreeSet;

use clap::Args;
use evidence::act::{KeyAct, Scope};

use crate::access::Token;
use crate::cli::failure::Failure;
use crate::clock::{Clock, NoRandomness, random};
use crate::door::why;
use crate::intake::SourceName;
use crate::log::intent::Intent;
use crate::store::trail::Trail;

/// Longest life of a key in days: ten years, past which "never" is the honest word.
const DAYS_MAX: u64 = 3_653;
const DAY_MS: u64 = 86_400_000;

/// What a new key may do.
#[derive(Clone, Debug, Args)]
pub struct Rights {
    /// What the key may do; give it again for more than one
    #[arg(long = "scope", value_name = "SCOPE", required = true, value_parser = ["admin", "ingest", "read"])]
    pub scopes: Vec<String>,
    /// A source the key may send events from; again for more than one [default: all]
    #[arg(long = "source", value_name = "NAME")]
    pub sources: Vec<SourceName>,
    /// Days after which the key is good no longer [default: never]
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u64).range(1..=DAYS_MAX))]
    pub days: Option<u64>,
    /// Whose it is or what for; recorded with the key, and may be erased later
    #[arg(long, value_name = "TEXT")]
    pub name: Option<String>,
}

impl Rights {
    /// Everything, for ever.
    pub fn admin() -> Self {
        Self { scopes: vec!["admin".into()], sources: Vec::new(), days: None, name: None }
    }

    /// When the key lapses, in ms since 1970 UTC.
    pub fn expires_at(&self, now_ms: u64) -> Option<u64> {
        self.days.map(|days| now_ms + days * DAY_MS)
    }
}

/// Draws a token and makes its key, durable when this returns. The token exists nowhere else.
///
/// # Errors
/// The log did not keep the act.
pub fn make_key(trail: &Trail, rights: &Rights, reset: bool) -> Result<Token, Failure> {
    let token = draw_token()?;
    let key = KeyAct {
        id: token.key_id().to_string(),
        hash: evidence::fold::hash_of_token(token.reveal()),
        scopes: rights.scopes.iter().filter_map(|word| Scope::from_word(word)).collect(),
        sources: rights.sources.iter().map(|name| name.as_str().to_owned()).collect::<BTreeSet<_>>(),
        expires_at: rights.expires_at(Clock::system().now_ms()),
        reset,
    };
    trail.log().act_blocking(Intent::CreateKey(key), local_why(rights.name.as_deref()))?;
    Ok(token)
}

fn draw_token() -> Result<Token, NoRandomness> {
    let mut drawn = Ok(());
    let token = Token::generate(&mut |bytes| drawn = drawn.and(random(bytes)));
    drawn.map(|()| token)
}

/// Part 3 of an act made on the machine itself: who, and the name that was given.
pub fn local_why(name: Option<&str>) -> Vec<u8> {
    why("local", name.map(str::to_owned), None)
}
