//! What a key may do, and whether the one who shows a token holds that key.

use std::fmt;
use std::str::FromStr;

use super::token::{KeyId, Token};

/// One permission of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Scope {
    /// Everything, `Ingest` and `Read` included.
    Admin,
    /// Send events, from the key's sources only.
    Ingest,
    /// Read events, proofs, checkpoints and configuration.
    Read,
}

impl Scope {
    /// All scopes, in the order in which acts list them.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Ingest, Self::Read];

    /// The scope's name in acts and in the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Ingest => "ingest",
            Self::Read => "read",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Admin => 1,
            Self::Ingest => 2,
            Self::Read => 4,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Not a scope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown scope: use `ingest`, `read` or `admin`")]
pub struct UnknownScope;

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(name: &str) -> Result<Self, UnknownScope> {
        Self::ALL.into_iter().find(|scope| scope.name() == name).ok_or(UnknownScope)
    }
}

/// A set of scopes.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether the set allows what `scope` allows: named itself, or included in `Admin`.
    #[must_use]
    pub const fn allow(self, scope: Scope) -> bool {
        self.0 & (scope.bit() | Scope::Admin.bit()) != 0
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The scopes as they were named, in the order of acts; `Admin` stands for itself only.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | scope.bit()))
    }
}

/// What the fold of acts holds for one key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyRecord {
    /// [`Token::hash`] of the key's token.
    pub hash: [u8; 32],
    /// What the key may do.
    pub scopes: Scopes,
    /// The sources it may send events from; empty: all.
    pub sources: Vec<String>,
    /// Milliseconds since 1970 UTC from which on the key is no longer valid.
    pub expires_at: Option<u64>,
    /// Whether an act revoked it.
    pub revoked: bool,
}

/// A key whose holder proved to have its token. Made by [`authenticate`] only.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Credential {
    key_id: KeyId,
    scopes: Scopes,
    sources: Vec<String>,
}

impl Credential {
    /// The key that was used; envelopes name it.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The key's scopes.
    #[must_use]
    pub fn scopes(&self) -> Scopes {
        self.scopes
    }

    /// Sources the key is bound to; empty: all.
    #[must_use]
    pub fn sources(&self) -> &[String] {
        &self.sources
    }

    /// Whether it may send events from `source`. A list of sources binds an admin key as well:
    /// whoever wrote the list meant it.
    #[must_use]
    pub fn may_ingest(&self, source: &str) -> bool {
        self.scopes.allow(Scope::Ingest) && (self.sources.is_empty() || self.sources.iter().any(|name| name == source))
    }

    /// Whether it may read.
    #[must_use]
    pub fn may_read(&self) -> bool {
        self.scopes.allow(Scope::Read)
    }

    /// Whether it may change configuration.
    #[must_use]
    pub fn may_admin(&self) -> bool {
        self.scopes.allow(Scope::Admin)
    }
}

/// Why a token was not accepted. For the server's own records: whoever knocks learns only
/// [`Denied::OUTSIDE`], so that nobody can ask which keys exist, expired or were revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Denied {
    /// No act ever made this key.
    #[error("no key has this id")]
    Unknown,
    /// The key exists, the secret is not its own.
    #[error("the secret does not belong to this key")]
    WrongSecret,
    /// An act revoked the key.
    #[error("the key was revoked")]
    Revoked,
    /// The key's time is over.
    #[error("the key has expired")]
    Expired,
}

impl Denied {
    /// All that the outside is told, with status 401. (A valid key without the scope it needs gets
    /// 403 from the door it knocked at.)
    pub const OUTSIDE: &'static str = "the API key is not valid: it is unknown, expired or revoked; ask an administrator for a new one";

    /// The reason's name in records and metrics.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::Unknown => "key_unknown",
            Self::WrongSecret => "key_wrong_secret",
            Self::Revoked => "key_revoked",
            Self::Expired => "key_expired",
        }
    }
}

/// Decides whether `token` is a valid key at `now_ms`. `record` is what the fold of acts holds for
/// [`Token::key_id`], if anything. The secret is compared before anything else is looked at, so the
/// reason never tells more to someone who has only a key id. (Key ids are not secret: a shorter
/// answer for an unknown one gives nothing away.)
///
/// # Errors
/// [`Denied`], in the order: unknown, wrong secret, revoked, expired.
pub fn authenticate(token: &Token, record: Option<&KeyRecord>, now_ms: u64) -> Result<Credential, Denied> {
    let record = record.ok_or(Denied::Unknown)?;
    if !token.matches(&record.hash) {
        return Err(Denied::WrongSecret);
    }
    if record.revoked {
        return Err(Denied::Revoked);
    }
    if record.expires_at.is_some_and(|end| now_ms >= end) {
        return Err(Denied::Expired);
    }
    Ok(Credential { key_id: token.key_id(), scopes: record.scopes, sources: record.sources.clone() })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn key(scopes: &[Scope], sources: &[&str]) -> (Token, KeyRecord) {
        let token = Token::generate(&mut |out| out.fill(7));
        let record = KeyRecord {
            hash: token.hash(),
            scopes: scopes.iter().copied().collect(),
            sources: sources.iter().map(|&name| name.to_owned()).collect(),
            expires_at: Some(1_000),
            revoked: false,
        };
        (token, record)
    }

    #[test]
    fn a_valid_key_gives_a_credential_until_the_millisecond_it_expires() {
        let (token, record) = key(&[Scope::Read], &[]);
        let credential = authenticate(&token, Some(&record), 999).unwrap();
        assert_eq!(credential.key_id(), token.key_id());
        assert!(credential.may_read());
        assert_eq!(authenticate(&token, Some(&record), 1_000), Err(Denied::Expired));
    }

    #[test]
    fn each_reason_for_a_denial_is_told_apart_inside() {
        let (token, record) = key(&[Scope::Admin], &[]);
        assert_eq!(authenticate(&token, None, 0), Err(Denied::Unknown));
        let revoked = KeyRecord { revoked: true, ..record.clone() };
        assert_eq!(authenticate(&token, Some(&revoked), 2_000), Err(Denied::Revoked));
        let other = KeyRecord { hash: [0; 32], ..revoked };
        assert_eq!(authenticate(&token, Some(&other), 2_000), Err(Denied::WrongSecret));
    }

    #[test]
    fn every_scope_allows_its_own_and_nothing_more() {
        let rights = |scopes: &[Scope]| {
            let (token, record) = key(scopes, &[]);
            let held = authenticate(&token, Some(&record), 0).unwrap();
            (held.may_ingest("okta"), held.may_read(), held.may_admin())
        };
        assert_eq!(rights(&[]), (false, false, false));
        assert_eq!(rights(&[Scope::Ingest]), (true, false, false));
        assert_eq!(rights(&[Scope::Read]), (false, true, false));
        assert_eq!(rights(&[Scope::Ingest, Scope::Read]), (true, true, false));
        assert_eq!(rights(&[Scope::Admin]), (true, true, true));
    }

    #[test]
    fn a_key_bound_to_sources_sends_from_no_other() {
        for scope in [Scope::Ingest, Scope::Admin] {
            let (token, record) = key(&[scope], &["okta-prod", "github"]);
            let credential = authenticate(&token, Some(&record), 0).unwrap();
            assert!(credential.may_ingest("github"));
            assert!(!credential.may_ingest("okta"));
            assert!(!credential.may_ingest(""));
        }
    }

    #[test]
    fn scopes_are_listed_as_named_and_sorted() {
        let scopes: Scopes = [Scope::Read, Scope::Admin].into_iter().collect();
        assert_eq!(scopes.iter().map(Scope::name).collect::<Vec<_>>(), ["admin", "read"]);
        assert_eq!("ingest".parse(), Ok(Scope::Ingest));
        assert_eq!("Ingest".parse::<Scope>(), Err(UnknownScope));
        assert!(Scopes::default().is_empty());
    }
}
