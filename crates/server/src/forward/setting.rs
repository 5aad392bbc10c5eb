//! Where a forward leads, and with which secrets.

use std::collections::BTreeMap;

use evidence::act::SecretReference;
use evidence::canonical_json::Value;
use serde::{Deserialize, Serialize};

use crate::door::poll::cloudtrail::bucket::is_bucket_name;
use crate::door::poll::origin::{Origin, OriginError};
use crate::search::{QueryError, parse};

/// Longest time that events wait for an object to fill.
const EVERY_S_MAX: u64 = 3_600;
/// Largest file before the next begins, MiB.
const ROTATE_MB_MAX: u64 = 1 << 20;

/// A forward, as its record has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Forward {
    /// What is forwarded: a search line that names no saved search.
    pub line: String,
    /// Where to.
    pub to: Destination,
    /// Where each secret is found.
    #[serde(default)]
    pub secrets: BTreeMap<String, String>,
    /// The first entry that is looked at.
    #[serde(default)]
    pub from: u64,
    /// Size of the log when it began: a place that was noted for another beginning is not its own.
    #[serde(default)]
    pub began: u64,
}

/// Where a forward leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Destination {
    /// A Splunk HTTP Event Collector; secret `token`.
    Hec {
        /// Such as `https://splunk.corp.example:8088`.
        url: String,
        /// Index to write to; without one the token's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        index: Option<String>,
    },
    /// NDJSON files below `forward/NAME` of the data directory, a new one each day.
    Files {
        /// And when one has so many MiB.
        #[serde(default = "rotate_mb")]
        rotate_mb: u64,
    },
    /// Gzipped NDJSON objects; secrets `access_key_id` and `secret_access_key`, or what the machine has.
    S3 {
        /// The bucket.
        bucket: String,
        /// Its region.
        region: String,
        /// What names begin with.
        #[serde(default)]
        prefix: String,
        /// Another service than AWS, such as `https://minio.corp.example`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        endpoint: Option<String>,
        /// Seconds that events wait at most for an object to fill.
        #[serde(default = "every_s")]
        every_s: u64,
    },
}

const fn rotate_mb() -> u64 {
    128
}

const fn every_s() -> u64 {
    60
}

/// What is wrong with a forward.
#[derive(Debug, thiserror::Error)]
pub enum SettingError {
    /// The line.
    #[error(transparent)]
    Line(#[from] QueryError),
    /// The address.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// The bucket.
    #[error("{0:?} is no name of a bucket: 3 to 63 of a-z, 0-9, dot and hyphen")]
    Bucket(String),
    /// A number.
    #[error("`{what}` is a number from 1 to {most}")]
    Number {
        /// Which.
        what: &'static str,
        /// The greatest.
        most: u64,
    },
    /// The secrets.
    #[error("{kind} takes the secrets {takes}: give each as env:NAME or file:NAME")]
    Secrets {
        /// Kind of destination.
        kind: &'static str,
        /// Which.
        takes: &'static str,
    },
    /// It cannot be written down.
    #[error("the forward cannot be written down: {0}")]
    Json(#[from] serde_json::Error),
}

impl Forward {
    /// Whether all of it makes sense.
    ///
    /// # Errors
    /// [`SettingError`].
    pub fn check(&self) -> Result<(), SettingError> {
        parse(&self.line)?;
        let names: Vec<&str> = self.secrets.keys().map(String::as_str).collect();
        let found = self.secrets.values().all(|reference| reference.parse::<SecretReference>().is_ok());
        let number = |what, value, most| if (1..=most).contains(&value) { Ok(()) } else { Err(SettingError::Number { what, most }) };
        let (fits, takes) = match &self.to {
            Destination::Hec { url, .. } => {
                Origin::parse(url)?;
                (names == ["token"], "token")
            }
            Destination::Files { rotate_mb } => {
                number("rotate_mb", *rotate_mb, ROTATE_MB_MAX)?;
                (names.is_empty(), "none")
            }
            Destination::S3 { bucket, every_s, .. } => {
                if !is_bucket_name(bucket) {
                    return Err(SettingError::Bucket(bucket.clone()));
                }
                self.to.endpoint()?;
                number("every_s", *every_s, EVERY_S_MAX)?;
                let own = ["access_key_id", "secret_access_key", "session_token"];
                let fits = names.is_empty() || names == own || own.get(..2).is_some_and(|own| names == own);
                (fits, "access_key_id, secret_access_key and perhaps session_token, or none to use what the machine has")
            }
        };
        if fits && found { Ok(()) } else { Err(SettingError::Secrets { kind: self.to.kind(), takes }) }
    }

    /// Its members in a record.
    ///
    /// # Errors
    /// It cannot be written down.
    pub fn members(&self) -> Result<Vec<(&'static str, Value)>, SettingError> {
        let number = |value: u64| Value::Integer(i64::try_from(value).unwrap_or(i64::MAX));
        let written = |json: Vec<u8>| serde_json::from_slice::<Value>(&json);
        Ok(vec![
            ("line", Value::String(self.line.clone())),
            ("to", written(serde_json::to_vec(&self.to)?)?),
            ("secrets", written(serde_json::to_vec(&self.secrets)?)?),
            ("from", number(self.from)),
            ("began", number(self.began)),
        ])
    }
}

impl Destination {
    /// In one word.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Hec { .. } => "hec",
            Self::Files { .. } => "files",
            Self::S3 { .. } => "s3",
        }
    }

    /// Where requests go, if any do.
    ///
    /// # Errors
    /// The address is none.
    pub fn endpoint(&self) -> Result<Option<Origin>, OriginError> {
        match self {
            Self::Files { .. } => Ok(None),
            Self::Hec { url, .. } => Origin::parse(url).map(Some),
            Self::S3 { endpoint: Some(endpoint), .. } => Origin::parse(endpoint).map(Some),
            Self::S3 { region, .. } => Origin::parse(&format!("https://s3.{region}.amazonaws.com")).map(Some),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn forward(to: &str, secrets: &[(&str, &str)]) -> Forward {
        let secrets = secrets.iter().map(|(name, reference)| ((*name).to_owned(), (*reference).to_owned())).collect();
        Forward { line: "outcome:failure".into(), to: serde_json::from_str(to).unwrap(), secrets, from: 1, began: 2 }
    }

    #[test]
    fn a_forward_is_written_in_a_record_and_read_back() {
        let forward = forward(r#"{"kind":"s3","bucket":"b-1","region":"eu-west-1"}"#, &[]);
        assert_eq!(
            forward.to,
            Destination::S3 { bucket: "b-1".into(), region: "eu-west-1".into(), prefix: String::new(), endpoint: None, every_s: 60 }
        );
        let record = crate::log::records::record("forward.set", forward.members().unwrap());
        assert_eq!(serde_json::from_slice::<Forward>(&record).unwrap(), forward);
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_what_to_do() {
        let token = [("token", "env:HEC")];
        forward(r#"{"kind":"hec","url":"https://splunk:8088"}"#, &token).check().unwrap();
        forward(r#"{"kind":"files"}"#, &[]).check().unwrap();
        for (to, secrets, says) in [
            (r#"{"kind":"hec","url":"https://splunk:8088"}"#, &[][..], "the secrets token"),
            (r#"{"kind":"hec","url":"https://splunk:8088"}"#, &[("token", "hunter2")], "env:NAME"),
            (r#"{"kind":"hec","url":"http://splunk:8088"}"#, &token, "not https"),
            (r#"{"kind":"files","rotate_mb":0}"#, &[], "from 1 to"),
            (r#"{"kind":"s3","bucket":"B","region":"r"}"#, &[], "no name of a bucket"),
            (r#"{"kind":"s3","bucket":"b-1","region":"r","every_s":9999}"#, &[], "from 1 to 3600"),
            (r#"{"kind":"s3","bucket":"b-1","region":"r"}"#, &[("access_key_id", "env:A")], "secret_access_key"),
        ] {
            let why = forward(to, secrets).check().unwrap_err().to_string();
            assert!(why.contains(says) && !why.contains("hunter2"), "{to}: {why}");
        }
        let line = Forward { line: "actor:".into(), ..forward(r#"{"kind":"files"}"#, &[]) };
        assert!(line.check().unwrap_err().to_string().contains("column 6"));
    }
}
