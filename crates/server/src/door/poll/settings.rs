//! Settings of a connection that polls: read, checked and completed, or refused with the name of
//! the setting and what to write instead. They are checked when the connection is set and read the
//! same way when it starts.

mod read;

use evidence::act::ConnectionAct;

use crate::door::poll::cloudtrail::bucket::{Bucket, is_bucket_name};
use crate::door::poll::cloudtrail::check::Checks;
use crate::door::poll::cloudtrail::queue::Queue;
use crate::door::poll::cloudtrail::{self, CloudTrail, Trail, digest, key};
use crate::door::poll::credentials::Credentials;
use crate::door::poll::entra::{self, Entra, EntraLog};
use crate::door::poll::github::{self, Github};
use crate::door::poll::kafka::{From, Security, Topic};
use crate::door::poll::okta::{self, Okta};
use crate::door::poll::origin::Origin;
use crate::door::poll::paged::{Pace, Paged};
use crate::door::poll::settings::read::Reader;
use crate::door::poll::streams::Streams;
use crate::door::poll::{Poller, hex};

/// Kinds of connection that poll.
pub const KINDS: [&str; 5] = ["poll.okta", "poll.entra", "poll.github", "poll.cloudtrail", KAFKA];
const KAFKA: &str = "kafka";

/// A setting or secret is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Not there.
    #[error("{kind} needs the setting `{name}`: {what}")]
    Missing {
        /// Kind of connection.
        kind: String,
        /// Setting.
        name: &'static str,
        /// What it is, with an example.
        what: &'static str,
    },
    /// There and wrong.
    #[error("setting `{name}`: {why}")]
    Wrong {
        /// Setting.
        name: String,
        /// What is wrong, and what to write instead.
        why: String,
    },
    /// Unknown.
    #[error("{kind} has no setting `{name}`: it has {known}")]
    Unknown {
        /// Kind of connection.
        kind: String,
        /// Setting.
        name: String,
        /// All that there are.
        known: String,
    },
    /// A secret is not there.
    #[error("{kind} needs the secret `{name}`: {what}; give a reference such as `file:okta-token`")]
    Secret {
        /// Kind of connection.
        kind: String,
        /// Secret.
        name: &'static str,
        /// What it is.
        what: &'static str,
    },
    /// Built without Kafka.
    #[error("this program was built without Kafka: build it with `--features kafka`")]
    NoKafka,
    /// The source has no name that may be.
    #[error("the connection's source `{0}` is not there any more: set the connection again")]
    Source(String),
    /// Not a kind that polls.
    #[error("`{0}` is no kind of connection that polls: there are {kinds}", kinds = KINDS.join(", "))]
    Kind(String),
}

/// Whether connections of this kind are polled.
#[must_use]
pub fn is_polled(kind: &str) -> bool {
    kind == KAFKA || kind.starts_with("poll.")
}

/// Checks a connection that is to poll before it is set. One that is not in use may be unfinished.
///
/// # Errors
/// [`SettingError`]: the first setting that is wrong.
pub fn check(act: &ConnectionAct) -> Result<(), SettingError> {
    if act.enabled && is_polled(&act.kind) { Wanted::read(act).map(drop) } else { Ok(()) }
}

/// Settings that say which source is read. When one of them changes, the old cursor is another
/// source's.
const WHICH_SOURCE: [&str; 9] = ["url", "tenant", "organization", "enterprise", "bucket", "prefix", "endpoint", "brokers", "topic"];

/// A connection's settings, checked.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Tells its cursor from those of other settings.
    pub of: String,
    /// The first time to read from, ms; `None` reads from when the connection first runs.
    pub start_ms: Option<u64>,
    vendor: WantedVendor,
}

/// How a connection's events are fetched.
pub enum Fetch {
    /// By requests that a machine makes.
    Http(Box<dyn Poller>, Credentials),
    /// By a Kafka client.
    Kafka(Topic),
}

#[derive(Clone, Debug)]
enum WantedVendor {
    Okta { origin: Origin, pace: Pace, credentials: Credentials },
    Entra { origin: Origin, pace: Pace, credentials: Credentials, logs: Vec<(&'static str, EntraLog)> },
    Github { origin: Origin, pace: Pace, name: String, enterprise: bool },
    CloudTrail { trail: Box<Trail>, own_keys: bool },
    Kafka(Topic),
}

impl Wanted {
    /// Reads the settings of a connection.
    ///
    /// # Errors
    /// [`SettingError`]: the first that is wrong.
    pub fn read(act: &ConnectionAct) -> Result<Self, SettingError> {
        let mut reader = Reader::new(act);
        let start_ms = if act.kind == KAFKA { None } else { reader.time("start")? };
        let vendor = match act.kind.as_str() {
            "poll.okta" => okta(&mut reader)?,
            "poll.entra" => entra(&mut reader)?,
            "poll.github" => github(&mut reader)?,
            "poll.cloudtrail" => cloudtrail(&mut reader)?,
            KAFKA => kafka(&mut reader)?,
            other => return Err(SettingError::Kind(other.to_owned())),
        };
        reader.finish()?;
        Ok(Self { of: which_source(act), start_ms, vendor })
    }

    /// How it is fetched, reading on from `cursor`, or from `start_ms` when there is none.
    #[must_use]
    pub fn fetch(&self, cursor: Option<&str>, start_ms: u64) -> Fetch {
        match self.vendor.clone() {
            WantedVendor::Okta { origin, pace, credentials } => {
                Fetch::Http(Box::new(Paged::new(Okta, origin, pace, cursor, start_ms)), credentials)
            }
            WantedVendor::Entra { origin, pace, credentials, logs } => {
                let streams =
                    Streams::new(logs, cursor, |log, cursor| Box::new(Paged::new(Entra { log }, origin.clone(), pace, cursor, start_ms)));
                Fetch::Http(Box::new(streams), credentials)
            }
            WantedVendor::Github { origin, pace, name, enterprise } => {
                let headers = Github::HEADERS.map(|(name, value)| (name, value.to_owned())).to_vec();
                let paged = Paged::new(Github::new(&name, enterprise), origin, pace, cursor, start_ms).with_headers(headers);
                Fetch::Http(Box::new(paged), Credentials::Token { scheme: "Bearer" })
            }
            WantedVendor::CloudTrail { trail, own_keys } => {
                Fetch::Http(Box::new(CloudTrail::new(Trail { start_ms, ..*trail }, cursor)), Credentials::Aws { own_keys })
            }
            WantedVendor::Kafka(topic) => Fetch::Kafka(topic),
        }
    }
}

fn which_source(act: &ConnectionAct) -> String {
    let mut text = act.kind.clone();
    for name in WHICH_SOURCE {
        text += &format!("\n{name}={:?}", act.settings.get(name));
    }
    let mut hash = hex(&tlog::sha256(&[text.as_bytes()]));
    hash.truncate(16);
    hash
}

type Read = Result<WantedVendor, SettingError>;

fn okta(reader: &mut Reader<'_>) -> Read {
    let origin = reader.origin("url", None, "the address of your organisation, such as https://example.okta.com")?;
    let scheme = match reader.text("token_type")?.unwrap_or("ssws") {
        "ssws" => "SSWS",
        "bearer" => "Bearer",
        other => {
            return Err(reader.wrong("token_type", format!("`{other}` is neither `ssws` (an API token) nor `bearer` (an OAuth token)")));
        }
    };
    reader.secret("token", "an API token with read access to the System Log")?;
    let pace = reader.pace(okta::PACE)?;
    Ok(WantedVendor::Okta { origin, pace, credentials: Credentials::Token { scheme } })
}

fn entra(reader: &mut Reader<'_>) -> Read {
    let tenant = reader.required("tenant", "the directory (tenant) id")?.to_owned();
    if !tenant.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.') || tenant.is_empty() {
        return Err(reader.wrong("tenant", format!("`{tenant}` is neither a directory id nor a domain")));
    }
    let client_id = reader.required("client_id", "the application (client) id of an app with AuditLog.Read.All")?.to_owned();
    let origin = reader.origin("url", Some("https://graph.microsoft.com"), "")?;
    let login = reader.origin("login_url", Some("https://login.microsoftonline.com"), "")?;
    let mut logs = Vec::new();
    for name in reader.list("logs")?.unwrap_or_else(|| vec!["signIns".into(), "directoryAudits".into()]) {
        let Some(log) = EntraLog::ALL.into_iter().find(|(own, _)| *own == name) else {
            let known = EntraLog::ALL.map(|(own, _)| own).join(", ");
            return Err(reader.wrong("logs", format!("`{name}` is no log of Entra ID: there are {known}")));
        };
        if !logs.contains(&log) {
            logs.push(log);
        }
    }
    if logs.is_empty() {
        return Err(reader.wrong("logs", "it is empty: leave it out for signIns and directoryAudits".to_owned()));
    }
    reader.secret("client_secret", "a client secret of the app")?;
    let token_url = login.below(&format!("/{tenant}/oauth2/v2.0/token"));
    let credentials = Credentials::Client { token_url, client_id, scope: format!("{origin}/.default") };
    let pace = reader.pace(entra::PACE)?;
    Ok(WantedVendor::Entra { origin, pace, credentials, logs })
}

fn github(reader: &mut Reader<'_>) -> Read {
    let origin = reader.origin("url", Some("https://api.github.com"), "")?;
    let organisation = reader.text("organization")?.map(str::to_owned);
    let enterprise = reader.text("enterprise")?.map(str::to_owned);
    let (setting, name, enterprise) = match (organisation, enterprise) {
        (Some(name), None) => ("organization", name, false),
        (None, Some(name)) => ("enterprise", name, true),
        _ => return Err(reader.missing("organization", "the organisation's login, or `enterprise`: the enterprise's slug; one of the two")),
    };
    if !github::is_login(&name) {
        return Err(reader.wrong(setting, format!("`{name}` is no name of an organisation or enterprise: letters, digits, `-` and `_`")));
    }
    reader.secret("token", "a token with the scope read:audit_log")?;
    let pace = reader.pace(github::PACE)?;
    Ok(WantedVendor::Github { origin, pace, name, enterprise })
}

fn cloudtrail(reader: &mut Reader<'_>) -> Read {
    let name = reader.required("bucket", "the bucket that CloudTrail writes to")?.to_owned();
    if !is_bucket_name(&name) {
        return Err(reader.wrong("bucket", format!("`{name}` is no name of a bucket: write the name alone, without s3:// and path")));
    }
    let region = reader.required("region", "the bucket's region, such as eu-central-1")?.to_owned();
    if !key::is_region(&region) {
        return Err(reader.wrong("region", format!("`{region}` is no region")));
    }
    let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let origin = reader.origin("endpoint", Some(&format!("https://s3.{region}.{domain}")), "")?;
    let mut prefix = reader.text("prefix")?.unwrap_or_default().trim_matches('/').to_owned();
    if !prefix.is_empty() {
        prefix.push('/');
    }
    let accounts = reader.list_of("accounts", key::is_account, "an account number of 12 digits")?;
    let regions = reader.list_of("regions", key::is_region, "a region")?;
    let queue = match reader.text("queue_url")?.map(str::to_owned) {
        Some(url) => Some(Queue { origin: reader.origin_of("queue_url", &url)?, region: region.clone(), url }),
        None => None,
    };
    let checks = checks(reader)?;
    let own_keys = reader.has_secret("access_key_id") || reader.has_secret("secret_access_key");
    if own_keys {
        reader.secret("access_key_id", "the access key's id; without it and the next the machine's own role is used")?;
        reader.secret("secret_access_key", "the access key itself")?;
        reader.has_secret("session_token");
    }
    let pace = reader.pace(Pace { interval_ms: cloudtrail::INTERVAL_MS, late_ms: cloudtrail::LATE_MS, slice_ms: None })?;
    let trail = Trail {
        bucket: Bucket { origin, region, name },
        prefix,
        accounts,
        regions,
        queue,
        checks,
        start_ms: 0,
        late_ms: pace.late_ms,
        interval_ms: pace.interval_ms,
    };
    Ok(WantedVendor::CloudTrail { trail: Box::new(trail), own_keys })
}

fn checks(reader: &mut Reader<'_>) -> Result<Option<Checks>, SettingError> {
    let wanted = reader.switch("check_digests")?.unwrap_or(true);
    let texts = reader.list("public_keys")?.unwrap_or_default();
    let keys: Option<digest::PublicKeys> = texts.iter().map(|text| digest::configured_key(text)).collect();
    let Some(keys) = keys else {
        let why = "each is `FINGERPRINT:VALUE` as `aws cloudtrail list-public-keys` shows them";
        return Err(reader.wrong("public_keys", why.to_owned()));
    };
    let endpoint = match reader.text("cloudtrail_endpoint")?.map(str::to_owned) {
        Some(url) => Some(reader.origin_of("cloudtrail_endpoint", &url)?),
        None => None,
    };
    Ok(wanted.then(|| Checks::new(keys, true, endpoint)))
}

fn kafka(reader: &mut Reader<'_>) -> Read {
    if !cfg!(feature = "kafka") {
        return Err(SettingError::NoKafka);
    }
    let brokers = reader.list("brokers")?.unwrap_or_default().join(",");
    if brokers.is_empty() {
        return Err(reader.missing("brokers", "`host:port` of one or more brokers, such as example.servicebus.windows.net:9093"));
    }
    let name = reader.required("topic", "the topic, or the name of the Event Hub")?.to_owned();
    let from = match reader.text("from")?.unwrap_or("earliest") {
        "earliest" => From::Earliest,
        "latest" => From::Latest,
        other => return Err(reader.wrong("from", format!("`{other}` is neither `earliest` nor `latest`"))),
    };
    let security = match reader.text("security")?.unwrap_or("tls") {
        "plaintext" => Security::Plaintext,
        "tls" => Security::Tls,
        "password" => password(reader)?,
        "token" => {
            let login = reader.required(
                "token_url",
                "the address that gives tokens, such as https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
            )?;
            // Checked as an origin: a secret goes there.
            let token_url = reader.origin_of("token_url", login)?.below("");
            let client_id = reader.required("client_id", "the client id")?.to_owned();
            let scope =
                reader.required("scope", "the scope of the token, such as https://example.servicebus.windows.net/.default")?.to_owned();
            reader.secret("client_secret", "the client's secret")?;
            Security::Token { token_url, client_id, scope }
        }
        other => {
            return Err(reader
                .wrong("security", format!("`{other}` is none of plaintext, tls, password (TLS and SASL), token (TLS and OAUTHBEARER)")));
        }
    };
    Ok(WantedVendor::Kafka(Topic { brokers, name, security, from }))
}

fn password(reader: &mut Reader<'_>) -> Result<Security, SettingError> {
    let mechanism = match reader.text("mechanism")?.unwrap_or("PLAIN") {
        "PLAIN" => "PLAIN",
        "SCRAM-SHA-256" => "SCRAM-SHA-256",
        "SCRAM-SHA-512" => "SCRAM-SHA-512",
        other => return Err(reader.wrong("mechanism", format!("`{other}` is none of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"))),
    };
    let username = reader.required("username", "the user name; for Event Hubs `$ConnectionString`")?.to_owned();
    reader.secret("password", "the password; for Event Hubs the connection string")?;
    Ok(Security::Password { mechanism, username })
}

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;
