//! The SQS queue that tells of new files: asking, reading messages, deleting what is kept.
//!
//! A message's body is S3's event notification (`Records[].s3.object.key`, form-encoded),
//! CloudTrail's own (`s3Bucket`, `s3ObjectKey[]`), or either inside an SNS envelope (`Message`).

use bytes::Bytes;
use http::Method;
use serde::Deserialize;
use serde_json::json;

use crate::door::poll::origin::Origin;
use crate::door::poll::{Ask, PAGE_BYTES_MAX, Scope, Trouble, hex};

/// Most that SQS gives at once.
const MESSAGES_MAX: u32 = 10;
/// The longest poll that SQS has.
const WAIT_S: u32 = 20;
/// How long a message is ours: ten files fetched and kept on a bad day.
const VISIBILITY_S: u32 = 900;
/// SNS envelopes are not nested; two levels are one more than there are.
const ENVELOPES_MAX: usize = 2;

/// A queue at its origin.
#[derive(Clone, Debug)]
pub struct Queue {
    /// Where.
    pub origin: Origin,
    /// Its region.
    pub region: String,
    /// Its whole address, which SQS takes as its name.
    pub url: String,
}

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// What deletes it.
    pub receipt: String,
    /// Bucket and name of each file it tells of.
    pub files: Vec<(String, String)>,
    /// It is of no known form.
    pub unknown: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Received {
    #[serde(default)]
    messages: Vec<RawMessage>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct RawMessage {
    receipt_handle: String,
    #[serde(default)]
    body: String,
}

impl Queue {
    /// Some messages, or none within twenty seconds.
    #[must_use]
    pub fn receive(&self) -> Ask {
        let body = json!({
            "QueueUrl": self.url, "MaxNumberOfMessages": MESSAGES_MAX, "WaitTimeSeconds": WAIT_S, "VisibilityTimeout": VISIBILITY_S,
        });
        Ask { patience_ms: u64::from(WAIT_S) * 1_000, ..self.ask("AmazonSQS.ReceiveMessage", &body) }
    }

    /// Removes a message whose events are kept.
    #[must_use]
    pub fn delete(&self, receipt: &str) -> Ask {
        self.ask("AmazonSQS.DeleteMessage", &json!({ "QueueUrl": self.url, "ReceiptHandle": receipt }))
    }

    fn ask(&self, target: &str, body: &serde_json::Value) -> Ask {
        let scope = Scope { service: "sqs", region: self.region.clone() };
        post(self.origin.at("/"), scope, target, "application/x-amz-json-1.0", body)
    }
}

/// A signed `POST` of AWS's JSON protocols.
#[must_use]
pub fn post(url: String, scope: Scope, target: &str, media: &str, body: &serde_json::Value) -> Ask {
    let body = Bytes::from(body.to_string());
    let hash = hex(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &body).as_ref());
    let headers = vec![("content-type", media.to_owned()), ("x-amz-target", target.to_owned()), ("x-amz-content-sha256", hash)];
    Ask { method: Method::POST, url, headers, body, scope: Some(scope), answer_bytes_max: PAGE_BYTES_MAX, patience_ms: 0 }
}

/// Reads the answer to [`Queue::receive`].
///
/// # Errors
/// [`Trouble::Shape`].
pub fn messages(body: &[u8]) -> Result<Vec<Message>, Trouble> {
    let received: Received = serde_json::from_slice(body).map_err(|why| Trouble::Shape("SQS", format!("no messages ({why})")))?;
    Ok(received
        .messages
        .into_iter()
        .map(|message| {
            let files = files_in(&message.body);
            Message { receipt: message.receipt_handle, unknown: files.is_none(), files: files.unwrap_or_default() }
        })
        .collect())
}

/// Files that a message's body tells of; `None` when it is of no known form.
#[must_use]
pub fn files_in(body: &str) -> Option<Vec<(String, String)>> {
    let mut json: serde_json::Value = serde_json::from_str(body).ok()?;
    for _ in 0..ENVELOPES_MAX {
        match json.get("Message").and_then(|message| message.as_str()) {
            Some(inner) => json = serde_json::from_str(inner).ok()?,
            None => break,
        }
    }
    if let Some(records) = json.get("Records").and_then(|records| records.as_array()) {
        return Some(records.iter().filter_map(created_file).collect());
    }
    if let (Some(bucket), Some(keys)) =
        (json.get("s3Bucket").and_then(|it| it.as_str()), json.get("s3ObjectKey").and_then(|it| it.as_array()))
    {
        return Some(keys.iter().filter_map(|key| Some((bucket.to_owned(), key.as_str()?.to_owned()))).collect());
    }
    // S3 sends this once when notifications are switched on.
    (json.get("Event").and_then(|event| event.as_str()) == Some("s3:TestEvent")).then(Vec::new)
}

fn created_file(record: &serde_json::Value) -> Option<(String, String)> {
    let event = record.get("eventName").and_then(|name| name.as_str()).unwrap_or("ObjectCreated:Put");
    if !event.trim_start_matches("s3:").starts_with("ObjectCreated") {
        return None;
    }
    let bucket = record.pointer("/s3/bucket/name")?.as_str()?;
    let key = record.pointer("/s3/object/key")?.as_str()?;
    // The key is form-encoded: a space is a plus sign. A form of one nameless value decodes it.
    let form = format!("={}", key.replace('&', "%26"));
    let (_, key) = form_urlencoded::parse(form.as_bytes()).next()?;
    Some((bucket.to_owned(), key.into_owned()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(bucket: &str, key: &str) -> Option<Vec<(String, String)>> {
        Some(vec![(bucket.into(), key.into())])
    }

    #[test]
    fn every_form_of_a_notification_tells_its_files() {
        let s3 = r#"{"Records":[{"eventName":"ObjectCreated:Put","s3":{"bucket":{"name":"b"},"object":{"key":"p/a+b%2Bc%3Dd.gz"}}}]}"#;
        assert_eq!(files_in(s3), file("b", "p/a b+c=d.gz"));
        let wrapped = json!({ "Type": "Notification", "Message": s3 }).to_string();
        assert_eq!(files_in(&wrapped), file("b", "p/a b+c=d.gz"));
        let own = r#"{"s3Bucket":"b","s3ObjectKey":["p/x.gz"]}"#;
        assert_eq!(files_in(own), file("b", "p/x.gz"));
        assert_eq!(files_in(&json!({ "Message": own }).to_string()), file("b", "p/x.gz"));
        assert_eq!(files_in(r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"b"}"#), Some(vec![]));
        assert_eq!(files_in(r#"{"Records":[{"eventName":"ObjectRemoved:Delete","s3":{}}]}"#), Some(vec![]));
        for unknown in ["", "hello", "{}", r#"{"Message":"hello"}"#] {
            assert_eq!(files_in(unknown), None, "{unknown}");
        }
    }

    #[test]
    fn an_empty_answer_has_no_messages() {
        assert_eq!(messages(b"{}").unwrap(), []);
        assert!(messages(b"<xml/>").is_err());
    }

    proptest! {
        #[test]
        fn no_body_panics(body in r#"([{}\[\]:,"]|"Records"|"Message"|"s3"|"key"|[a-z%0-9+]){0,30}"#) {
            let _ = (files_in(&body), messages(body.as_bytes()));
        }
    }
}
