//! Microsoft Entra ID through Graph: `/auditLogs/signIns`, `/auditLogs/directoryAudits` and
//! `/auditLogs/provisioning`.
//!
//! `$filter` on the time, then `@odata.nextLink` from page to page; a page may be empty and still
//! have a next one. Entries appear minutes after they happened and out of order, so each run
//! begins a lateness window before the newest one seen. A sign-in that Microsoft completes later
//! (risk, device) comes with the same id and other bytes, and is kept beside the first.
//! <https://learn.microsoft.com/graph/api/signin-list>, <https://learn.microsoft.com/graph/api/directoryaudit-list>

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::door::poll::paged::{Pace, Read, Vendor, event, query};
use crate::door::poll::{Answer, Trouble, elements, moment};

/// Largest page that Graph gives for these.
const PAGE_EVENTS: &str = "1000";
/// Microsoft states two to five minutes for most entries; six times that is read again. A slice of
/// six hours keeps a run of a first import to some hundred pages even for a large tenant.
pub const PACE: Pace = Pace { interval_ms: 60_000, late_ms: 30 * 60_000, slice_ms: Some(6 * 3_600_000) };

/// One of Entra's logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntraLog {
    /// Interactive sign-ins (v1.0).
    SignIns,
    /// Sign-ins of one `signInEventTypes` value, which only Graph's beta gives.
    SignInsOfType(SignInType),
    /// Directory audits.
    DirectoryAudits,
    /// Provisioning.
    Provisioning,
}

/// Values of `signInEventTypes` that are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInType {
    /// A client on behalf of a user.
    NonInteractiveUser,
    /// An application.
    ServicePrincipal,
    /// A managed identity.
    ManagedIdentity,
}

impl EntraLog {
    /// All of them, by the name that settings and cursors use.
    pub const ALL: [(&'static str, Self); 6] = [
        ("signIns", Self::SignIns),
        ("directoryAudits", Self::DirectoryAudits),
        ("provisioning", Self::Provisioning),
        ("signIns.nonInteractiveUser", Self::SignInsOfType(SignInType::NonInteractiveUser)),
        ("signIns.servicePrincipal", Self::SignInsOfType(SignInType::ServicePrincipal)),
        ("signIns.managedIdentity", Self::SignInsOfType(SignInType::ManagedIdentity)),
    ];

    fn path(&self) -> &'static str {
        match self {
            Self::SignIns => "/v1.0/auditLogs/signIns",
            Self::SignInsOfType(_) => "/beta/auditLogs/signIns",
            Self::DirectoryAudits => "/v1.0/auditLogs/directoryAudits",
            Self::Provisioning => "/v1.0/auditLogs/provisioning",
        }
    }

    fn time(&self) -> &'static str {
        match self {
            Self::SignIns | Self::SignInsOfType(_) => "createdDateTime",
            Self::DirectoryAudits | Self::Provisioning => "activityDateTime",
        }
    }
}

/// See the module.
#[derive(Debug)]
pub struct Entra {
    /// Which log.
    pub log: EntraLog,
}

#[derive(Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
    #[serde(rename = "@odata.nextLink", borrow, default)]
    next: Option<Cow<'a, str>>,
}

#[derive(Deserialize)]
struct Known<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(rename = "createdDateTime", borrow, default)]
    created: Option<Cow<'a, str>>,
    #[serde(rename = "activityDateTime", borrow, default)]
    activity: Option<Cow<'a, str>>,
}

impl Vendor for Entra {
    fn first(&self, from_ms: u64, until_ms: Option<u64>) -> String {
        let time = self.log.time();
        let mut filter = format!("{time} ge {}", moment::rfc3339(from_ms));
        if let Some(until) = until_ms {
            filter += &format!(" and {time} lt {}", moment::rfc3339(until));
        }
        if let EntraLog::SignInsOfType(kind) = &self.log {
            let kind = match kind {
                SignInType::NonInteractiveUser => "nonInteractiveUser",
                SignInType::ServicePrincipal => "servicePrincipal",
                SignInType::ManagedIdentity => "managedIdentity",
            };
            filter += &format!(" and signInEventTypes/any(t: t eq '{kind}')");
        }
        let order = format!("{time} asc");
        format!("{}?{}", self.log.path(), query(&[("$filter", &filter), ("$orderby", &order), ("$top", PAGE_EVENTS)]))
    }

    fn read(&self, answer: &Answer) -> Result<Read, Trouble> {
        let body: Body<'_> = serde_json::from_slice(&answer.body)
            .map_err(|why| Trouble::Shape("Microsoft Graph", format!("not an object with an array `value` ({why})")))?;
        let events = elements(&answer.body, &body.value)
            .into_iter()
            .map(|raw| {
                let known = serde_json::from_slice::<Known<'_>>(&raw).ok();
                let (id, at) = known.map_or((None, None), |known| (known.id, known.created.or(known.activity)));
                event(raw.clone(), id.as_deref(), at.as_deref())
            })
            .collect();
        let next = body.next.map(Cow::into_owned);
        Ok(Read { events, caught_up: next.is_none(), next })
    }
}
