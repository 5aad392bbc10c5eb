//! What an event is in the life of an identity: one table from search lines to deeds, from the top; the first
//! line that matches decides.
//!
//! OCSF class and activity decide for every vendor alike. Where they are too coarse the vendor's own word for
//! the action (`api.operation`) does, and the row says why.

use std::sync::LazyLock;

use serde::Serialize;

use crate::investigate::condition::{all, any, not};
use crate::search::document::Document;
use crate::search::matcher::Matcher;
use crate::search::{Query, parse};

/// What an event is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// Somebody signed in, or part of it.
    SignIn,
    /// Somebody signed out.
    SignOut,
    /// Somebody took on a role or another account for a while.
    Assumed,
    /// Somebody was given a privilege, or a group was.
    Gained,
    /// A privilege was taken away.
    Lost,
    /// What an account proves itself with was set, added or taken away.
    Credential,
    /// An account was created, blocked, deleted …
    Account,
    /// Something else was changed.
    Changed,
    /// Something was used or read.
    Used,
}

impl Deed {
    /// As JSON has it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignIn => "sign_in",
            Self::SignOut => "sign_out",
            Self::Assumed => "assumed",
            Self::Gained => "gained",
            Self::Lost => "lost",
            Self::Credential => "credential",
            Self::Account => "account",
            Self::Changed => "changed",
            Self::Used => "used",
        }
    }
}

/// A line and what matches it is.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// What it is.
    pub deed: Deed,
    /// The search line.
    pub line: &'static str,
    /// Why so.
    pub why: &'static str,
}

const fn row(deed: Deed, line: &'static str, why: &'static str) -> Row {
    Row { deed, line, why }
}

/// The table.
pub const TABLE: [Row; 19] = [
    row(
        Deed::Assumed,
        r#"class:Authentication activity:"Account Switch""#,
        "another account or role from here on: AssumeRole, su, impersonation",
    ),
    row(
        Deed::Assumed,
        "class:Authentication activity:Logon action:AssumeRoleWith*",
        "OCSF has it as a logon; the operation says that a role is taken on with it",
    ),
    row(Deed::SignOut, "class:Authentication activity:Logoff", "the end of a session"),
    row(Deed::SignIn, "class:Authentication", "logon, its factors and its tickets"),
    row(Deed::SignIn, r#"class:"Authorize Session""#, "what a session may do is settled when it begins: no standing privilege"),
    row(Deed::Gained, r#"class:"User Access Management" activity:"Assign Privileges""#, "a role, right or application given to an account"),
    row(Deed::Lost, r#"class:"User Access Management" activity:"Revoke Privileges""#, "the same taken away"),
    row(
        Deed::Gained,
        r#"class:"Group Management" activity:("Add User" OR "Add Subgroup" OR "Assign Privileges")"#,
        "whoever is in a group has what the group has",
    ),
    row(
        Deed::Lost,
        r#"class:"Group Management" activity:("Remove User" OR "Remove Subgroup" OR "Revoke Privileges")"#,
        "the same taken away",
    ),
    row(Deed::Gained, r#"class:"Account Change" activity:"Attach Policy""#, "a policy is a set of privileges"),
    row(Deed::Lost, r#"class:"Account Change" activity:"Detach Policy""#, "the same taken away"),
    row(
        Deed::Credential,
        r#"class:"Account Change" activity:("Password Change" OR "Password Reset" OR "MFA Factor Enable" OR "MFA Factor Disable")"#,
        "whoever sets it can sign in with it",
    ),
    row(
        Deed::Credential,
        r#"class:"Account Change" activity:(*Key OR *Certificate OR *Credential OR *MFA\ Device OR "Delete Login Profile")"#,
        "OCSF has no activity for keys, so the maps name their own",
    ),
    row(
        Deed::Credential,
        r#"class:"Account Change" activity:("Change Recovery" OR "Change Email")"#,
        "whoever has the address for a forgotten password can set a new one",
    ),
    row(
        Deed::Credential,
        r#"class:"Account Change" action:(*Create*Key* OR *Upload*Key* OR *Upload*Certificate* OR *Create*Credential* OR *Reset*Credential* OR *Add*credential*)"#,
        "a map that knows no more says other; the operation says that a key was made",
    ),
    row(Deed::Account, r#"class:"Account Change""#, "created, enabled, locked, deleted, renamed"),
    row(Deed::Used, r#"class:"Entity Management" activity:Read"#, "nothing changes"),
    row(
        Deed::Changed,
        r#"class:("Entity Management" OR "Group Management" OR "User Access Management") OR (class:"API Activity" activity:(Create OR Update OR Delete))"#,
        "policies, groups, applications, buckets …",
    ),
    row(Deed::Used, "", "all else"),
];

struct Ready {
    deed: Deed,
    query: Query,
    matcher: Matcher,
}

static READY: LazyLock<Vec<Ready>> = LazyLock::new(|| {
    // Every line is one: a test reads each.
    let lines = TABLE.iter().filter_map(|row| Some((row.deed, parse(row.line).ok()?)));
    lines.map(|(deed, query)| Ready { deed, matcher: Matcher::new(&query, 0), query }).collect()
});

/// What an event is.
#[must_use]
pub fn deed(document: &Document<'_>) -> Deed {
    READY.iter().find(|row| row.matcher.matches(document)).map_or(Deed::Used, |row| row.deed)
}

/// The search line that matches exactly the events that are this.
#[must_use]
pub fn line_of(deed: Deed) -> Query {
    let rows = READY.iter().enumerate().filter(|(_, row)| row.deed == deed);
    any(rows.map(|(nth, row)| {
        let earlier = READY.iter().take(nth).filter(|other| other.deed != deed).map(|other| not(other.query.clone()));
        all(std::iter::once(row.query.clone()).chain(earlier))
    }))
}

#[cfg(test)]
#[path = "deed/tests.rs"]
mod tests;
