//! A stand-in for S3, SQS and CloudTrail's own API, with faults on chosen requests; and files as
//! CloudTrail writes them, with a chain of digests signed by a key of the test's own.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io::Write as _;
use std::sync::{Arc, Mutex};

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use indelible::door::poll::moment;
use serde_json::{Value, json};

use crate::vendor::serve;

pub const ACCOUNT: &str = "111122223333";

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Object {
    pub bytes: Vec<u8>,
    pub signature: Option<String>,
}

#[derive(Default)]
struct Inner {
    objects: BTreeMap<String, Object>,
    requests: usize,
    faults: BTreeMap<usize, u16>,
    got: Vec<String>,
    page: usize,
    waiting: VecDeque<(String, String)>,
    /// Handed out and not deleted: they come again when the test says so.
    in_flight: BTreeMap<String, String>,
    deleted: usize,
    receipts: usize,
    keys: Option<Value>,
}

#[derive(Clone, Default)]
pub struct Aws(Arc<Mutex<Inner>>);

impl Aws {
    /// Listings of `page` names; faults by number of the request: its status.
    pub fn new(page: usize, faults: impl IntoIterator<Item = (usize, u16)>) -> Self {
        let aws = Self::default();
        {
            let mut inner = aws.0.lock().unwrap();
            inner.page = page;
            inner.faults = faults.into_iter().collect();
        }
        aws
    }

    pub fn put(&self, key: &str, object: Object) {
        self.0.lock().unwrap().objects.insert(key.to_owned(), object);
    }

    pub fn change(&self, key: &str, change: impl FnOnce(&mut Object)) {
        change(self.0.lock().unwrap().objects.get_mut(key).unwrap());
    }

    pub fn remove(&self, key: &str) {
        self.0.lock().unwrap().objects.remove(key).unwrap();
    }

    /// How often each object was fetched.
    pub fn fetched(&self, key: &str) -> usize {
        self.0.lock().unwrap().got.iter().filter(|got| *got == key).count()
    }

    pub fn message(&self, body: String) {
        let mut inner = self.0.lock().unwrap();
        let receipt = format!("r{}", inner.receipts);
        inner.receipts += 1;
        inner.waiting.push_back((receipt, body));
    }

    /// The visibility time of all messages is over.
    pub fn visible_again(&self) {
        let mut inner = self.0.lock().unwrap();
        let again = std::mem::take(&mut inner.in_flight);
        inner.waiting.extend(again);
    }

    /// Messages not deleted yet.
    pub fn undeleted(&self) -> usize {
        let inner = self.0.lock().unwrap();
        inner.waiting.len() + inner.in_flight.len()
    }

    pub fn give_keys(&self, keys: Value) {
        self.0.lock().unwrap().keys = Some(keys);
    }

    pub async fn serve(&self) -> String {
        let router = Router::new()
            .route("/", post(api))
            .route("/trail-logs", get(list))
            .route("/trail-logs/{*key}", get(object))
            .with_state(self.clone());
        serve(router).await
    }

    fn fault(&self) -> Option<Response> {
        let mut inner = self.0.lock().unwrap();
        let request = inner.requests;
        inner.requests += 1;
        inner
            .faults
            .get(&request)
            .map(|status| (StatusCode::from_u16(*status).unwrap(), "<Error><Code>SlowDown</Code></Error>").into_response())
    }
}

fn assert_signed(headers: &HeaderMap, service: &str) {
    let signature = headers["authorization"].to_str().unwrap();
    assert!(signature.starts_with("AWS4-HMAC-SHA256 Credential=access_key_id-secret/"), "{signature}");
    assert!(signature.contains(&format!("/us-east-1/{service}/aws4_request")), "{signature}");
    assert!(signature.contains("host;") && signature.contains("x-amz-content-sha256") && signature.contains("x-amz-date"), "{signature}");
}

async fn list(State(aws): State<Aws>, headers: HeaderMap, Query(asked): Query<HashMap<String, String>>) -> Response {
    assert_signed(&headers, "s3");
    if let Some(answer) = aws.fault() {
        return answer;
    }
    let (prefix, after) = (asked["prefix"].as_str(), asked.get("start-after").map_or("", String::as_str));
    let inner = aws.0.lock().unwrap();
    let mut found: Vec<(bool, String)> = Vec::new();
    for key in inner.objects.keys().filter(|key| key.starts_with(prefix) && key.as_str() > after) {
        let folder = asked.get("delimiter").and_then(|_| key[prefix.len()..].find('/')).map(|end| key[..=prefix.len() + end].to_owned());
        let item = folder.map_or_else(|| (false, key.clone()), |folder| (true, folder));
        if found.last() != Some(&item) {
            found.push(item);
        }
    }
    let more = found.len() > inner.page;
    found.truncate(inner.page);
    let items: String = found
        .iter()
        .map(|(folder, name)| {
            if *folder {
                format!("<CommonPrefixes><Prefix>{name}</Prefix></CommonPrefixes>")
            } else {
                format!("<Contents><Key>{name}</Key><Size>1</Size></Contents>")
            }
        })
        .collect();
    Response::new(Body::from(format!("<ListBucketResult><IsTruncated>{more}</IsTruncated>{items}</ListBucketResult>")))
}

async fn object(State(aws): State<Aws>, Path(key): Path<String>, headers: HeaderMap) -> Response {
    assert_signed(&headers, "s3");
    if let Some(answer) = aws.fault() {
        return answer;
    }
    let mut inner = aws.0.lock().unwrap();
    let Some(object) = inner.objects.get(&key).cloned() else {
        return (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response();
    };
    inner.got.push(key);
    let mut answer = Response::new(Body::from(object.bytes));
    if let Some(signature) = object.signature {
        answer.headers_mut().insert("x-amz-meta-signature", signature.parse().unwrap());
        answer.headers_mut().insert("x-amz-meta-signature-algorithm", "SHA256withRSA".parse().unwrap());
    }
    answer
}

async fn api(State(aws): State<Aws>, headers: HeaderMap, body: Bytes) -> Response {
    let body: Value = serde_json::from_slice(&body).unwrap();
    let target = headers["x-amz-target"].to_str().unwrap();
    assert_signed(&headers, if target.starts_with("AmazonSQS") { "sqs" } else { "cloudtrail" });
    if let Some(answer) = aws.fault() {
        return answer;
    }
    match target.rsplit('.').next().unwrap() {
        "ReceiveMessage" => {
            // A long poll, cut short for tests.
            if aws.0.lock().unwrap().waiting.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            }
            let mut inner = aws.0.lock().unwrap();
            let most = body["MaxNumberOfMessages"].as_u64().unwrap() as usize;
            let count = most.min(inner.waiting.len());
            let given: Vec<_> = inner.waiting.drain(..count).collect();
            inner.in_flight.extend(given.iter().cloned());
            let messages: Vec<_> =
                given.iter().map(|(receipt, body)| json!({ "MessageId": receipt, "ReceiptHandle": receipt, "Body": body })).collect();
            axum::Json(if messages.is_empty() { json!({}) } else { json!({ "Messages": messages }) }).into_response()
        }
        "DeleteMessage" => {
            let mut inner = aws.0.lock().unwrap();
            inner.in_flight.remove(body["ReceiptHandle"].as_str().unwrap());
            inner.deleted += 1;
            axum::Json(json!({})).into_response()
        }
        "ListPublicKeys" => match aws.0.lock().unwrap().keys.clone() {
            Some(keys) => axum::Json(keys).into_response(),
            None => (StatusCode::BAD_REQUEST, r#"{"__type":"AccessDeniedException"}"#).into_response(),
        },
        other => panic!("{other}"),
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Name of a log file.
pub fn log_key(region: &str, at_ms: u64, unique: &str) -> String {
    let time = |form| moment::formatted(at_ms, form);
    format!(
        "AWSLogs/{ACCOUNT}/CloudTrail/{region}/{}/{ACCOUNT}_CloudTrail_{region}_{}_{unique}.json.gz",
        time("%Y/%m/%d"),
        time("%Y%m%dT%H%MZ")
    )
}

/// A log file of events with these ids.
pub fn log_file(ids: &[String], at_ms: u64) -> Object {
    Object { bytes: gzip(log_text(ids, at_ms).as_bytes()), signature: None }
}

pub fn log_text(ids: &[String], at_ms: u64) -> String {
    let time = moment::formatted(at_ms, "%Y-%m-%dT%H:%M:%SZ");
    let records: Vec<_> = ids.iter().map(|id| format!(r#"{{"eventVersion":"1.11", "eventTime":"{time}","eventID":"{id}"}}"#)).collect();
    format!(r#"{{"Records":[{}]}}"#, records.join(","))
}

/// Writes digests as AWS does.
pub struct Chain {
    key: KeyPair,
    pub fingerprint: String,
    previous: Option<(String, String, String)>,
}

impl Chain {
    pub fn new(fingerprint: &str) -> Self {
        Self { key: KeyPair::generate(KeySize::Rsa2048).unwrap(), fingerprint: fingerprint.to_owned(), previous: None }
    }

    /// The answer of `ListPublicKeys`.
    pub fn keys(&self) -> Value {
        json!({ "PublicKeyList": [{ "Value": self.public(), "Fingerprint": self.fingerprint, "ValidityStartTime": 1.0, "ValidityEndTime": 2.0 }] })
    }

    pub fn public(&self) -> String {
        STANDARD.encode(self.key.public_key().as_ref())
    }

    /// The next digest, which names these files (name and decompressed text).
    pub fn next(&mut self, end_ms: u64, files: &[(String, String)]) -> (String, Object) {
        let time = |form| moment::formatted(end_ms, form);
        let end = time("%Y-%m-%dT%H:%M:%SZ");
        let key = format!(
            "AWSLogs/{ACCOUNT}/CloudTrail-Digest/us-east-1/{}/{ACCOUNT}_CloudTrail-Digest_us-east-1_main_us-east-1_{}.json.gz",
            time("%Y/%m/%d"),
            time("%Y%m%dT%H%M%SZ")
        );
        let logs: Vec<_> = files
            .iter()
            .map(|(key, text)| json!({ "s3Bucket": "trail-logs", "s3Object": key, "hashValue": sha256(text.as_bytes()), "hashAlgorithm": "SHA-256" }))
            .collect();
        let (before, hash, signature) = self.previous.clone().map_or((None, None, None), |(a, b, c)| (Some(a), Some(b), Some(c)));
        let text = json!({
            "awsAccountId": ACCOUNT, "digestStartTime": end, "digestEndTime": end, "digestS3Bucket": "trail-logs", "digestS3Object": key,
            "digestPublicKeyFingerprint": self.fingerprint, "digestSignatureAlgorithm": "SHA256withRSA",
            "previousDigestS3Bucket": before.as_ref().map(|_| "trail-logs"), "previousDigestS3Object": before, "previousDigestHashValue": hash,
            "previousDigestHashAlgorithm": "SHA-256", "previousDigestSignature": signature, "logFiles": logs,
        })
        .to_string();
        let previous = signature.unwrap_or_else(|| "null".to_owned());
        let signed = format!("{end}\ntrail-logs/{key}\n{}\n{previous}", sha256(text.as_bytes()));
        let signature = self.sign(&signed);
        self.previous = Some((key.clone(), sha256(text.as_bytes()), signature.clone()));
        (key, Object { bytes: gzip(text.as_bytes()), signature: Some(signature) })
    }

    /// The next digest is a first one.
    pub fn forget(&mut self) {
        self.previous = None;
    }

    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        signature.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

pub fn sha256(bytes: &[u8]) -> String {
    tlog::sha256(&[bytes]).iter().map(|byte| format!("{byte:02x}")).collect()
}
