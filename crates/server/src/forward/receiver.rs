//! Who takes what is forwarded: a HTTP Event Collector, files, or a bucket.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use http::{Method, StatusCode};

use crate::door::poll::credentials::{Credentials, Keyring, Secrets};
use crate::door::poll::http::Client;
use crate::door::poll::origin::{Origin, OriginError};
use crate::door::poll::{Ask, Scope, hex};
use crate::forward::batch::{Batch, Shape};
use crate::forward::files::Files;
use crate::forward::place::{Growing, Place};
use crate::forward::setting::{Destination, Forward};
use crate::search::instant;
use crate::store::media::Media;

/// What is read of an answer.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// Of what a receiver says when it refuses.
const REASON_CHARS_MAX: usize = 200;

/// Bytes that go at once: to a collector and into files as they come, into a bucket as an object.
const HEC_BYTES: usize = 512 << 10;
const FILE_BYTES: usize = 1 << 20;
const OBJECT_BYTES: usize = 16 << 20;

/// See the module.
pub enum Receiver {
    /// Splunk's.
    Hec {
        /// Where.
        url: String,
        /// Its index.
        index: Option<String>,
        /// The token.
        web: Web,
    },
    /// Below the data directory. Behind a lock, because a write runs on a thread of its own.
    Files(Arc<Mutex<Files>>),
    /// An S3 bucket.
    Bucket {
        /// The bucket's address.
        url: String,
        /// What names begin with.
        prefix: String,
        /// What signatures are good for.
        scope: Scope,
        /// How long events wait for an object to fill, ms.
        every_ms: u64,
        /// The keys.
        web: Web,
    },
}

/// Requests with credentials.
pub struct Web {
    client: Client,
    keyring: Keyring,
}

/// What a receiver is made with.
pub struct Means {
    /// The forward's name.
    pub name: String,
    /// Where files go.
    pub media: Arc<dyn Media>,
    /// Network; none on a machine that trusts no authority.
    pub client: Option<Client>,
    /// Secrets by name.
    pub secrets: Secrets,
}

/// Why there is no receiver.
#[derive(Debug, thiserror::Error)]
pub enum NoReceiver {
    /// The address is none.
    #[error(transparent)]
    Origin(#[from] OriginError),
    /// Nobody could be told from an impostor.
    #[error("no certificates of authorities were found: install the system's ca-certificates or set SSL_CERT_FILE to a PEM file")]
    NoAuthorities,
}

/// A batch on its way to a bucket or into a file: which entries, and when.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Behind the last entry that was looked at.
    pub end: u64,
    /// Now, ms.
    pub now_ms: u64,
}

impl Receiver {
    /// Of a forward that is at this place.
    ///
    /// # Errors
    /// [`NoReceiver`].
    pub fn new(forward: &Forward, place: &Place, means: Means) -> Result<Self, NoReceiver> {
        let Means { name, media, client, secrets } = means;
        let origin = forward.to.endpoint()?;
        let web = |credentials| {
            let client = client.ok_or(NoReceiver::NoAuthorities)?;
            Ok::<_, NoReceiver>(Web { keyring: Keyring::new(credentials, secrets, client.clone()), client })
        };
        let below = |path: &str| origin.as_ref().map(|origin: &Origin| origin.below(path)).unwrap_or_default();
        Ok(match &forward.to {
            Destination::Hec { index, .. } => Self::Hec {
                url: below("/services/collector/event"),
                index: index.clone(),
                web: web(Credentials::Token { scheme: "Splunk" })?,
            },
            Destination::Files { rotate_mb } => {
                let files = Files::new(media, &name, forward.began, rotate_mb.saturating_mul(1 << 20), place.file.clone());
                Self::Files(Arc::new(Mutex::new(files)))
            }
            Destination::S3 { bucket, region, prefix, every_s, .. } => Self::Bucket {
                url: below(&format!("/{bucket}/")),
                prefix: format!("{prefix}{name}/"),
                scope: Scope { service: "s3", region: region.clone() },
                every_ms: every_s.saturating_mul(1_000),
                web: web(Credentials::Aws { own_keys: !forward.secrets.is_empty() })?,
            },
        })
    }

    /// How it takes an entry.
    #[must_use]
    pub fn shape(&self) -> Shape {
        match self {
            Self::Hec { index, .. } => Shape::Hec(index.clone()),
            Self::Files(_) | Self::Bucket { .. } => Shape::Lines,
        }
    }

    /// Whether a batch goes now, or may wait for more.
    #[must_use]
    pub fn is_due(&self, batch: &Batch, now_ms: u64) -> bool {
        let (bytes, wait_ms) = match self {
            Self::Hec { .. } => (HEC_BYTES, 0),
            Self::Files(_) => (FILE_BYTES, 0),
            Self::Bucket { every_ms, .. } => (OBJECT_BYTES, *every_ms),
        };
        batch.count > 0 && (batch.bytes.len() >= bytes || now_ms >= batch.since_ms.saturating_add(wait_ms))
    }

    /// Whether a batch has room for what is read at once.
    #[must_use]
    pub fn has_room(&self, batch: &Batch) -> bool {
        let bytes = match self {
            Self::Hec { .. } => HEC_BYTES,
            Self::Files(_) => FILE_BYTES,
            Self::Bucket { .. } => OBJECT_BYTES,
        };
        batch.bytes.len() < bytes
    }

    /// Gives a batch to the receiver, which has taken all of it when this returns.
    ///
    /// # Errors
    /// In words; whether it has taken it is not known.
    pub async fn deliver(&mut self, batch: &Batch, moment: Moment) -> Result<Option<Growing>, String> {
        match self {
            Self::Hec { url, web, .. } => {
                let mut ask = post(Method::POST, url.clone(), batch.bytes.clone().into());
                ask.headers.push(("content-type", "application/json".into()));
                web.send(ask, moment.now_ms).await.map(|()| None)
            }
            Self::Files(files) => {
                let (files, lines, first) = (Arc::clone(files), batch.bytes.clone(), batch.first);
                let append = move || files.lock().unwrap_or_else(PoisonError::into_inner).append(&lines, first, moment.now_ms);
                let appended = tokio::task::spawn_blocking(append).await.map_err(|why| why.to_string())?;
                appended.map(Some).map_err(|why| format!("the files below `forward` cannot be written: {why}"))
            }
            Self::Bucket { url, prefix, scope, web, .. } => {
                let object = gzip(&batch.bytes).map_err(|why| why.to_string())?;
                let day = instant::format(i64::try_from(moment.now_ms).unwrap_or(i64::MAX)).get(..10).unwrap_or_default().replace('-', "/");
                let key = format!("{prefix}{day}/{:020}-{:020}.ndjson.gz", batch.first, moment.end);
                let path: Vec<_> = key.split('/').map(encoded).collect();
                let mut ask = post(Method::PUT, format!("{url}{}", path.join("/")), object.clone());
                ask.headers.push(("x-amz-content-sha256", hex(digest(&SHA256, &object).as_ref())));
                ask.scope = Some(scope.clone());
                web.send(ask, moment.now_ms).await.map(|()| None)
            }
        }
    }
}

fn encoded(part: &str) -> String {
    form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>().replace('+', "%20")
}

fn post(method: Method, url: String, body: Bytes) -> Ask {
    Ask { method, body, headers: Vec::new(), answer_bytes_max: ANSWER_BYTES_MAX, ..Ask::get(url) }
}

fn gzip(bytes: &[u8]) -> std::io::Result<Bytes> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes)?;
    Ok(encoder.finish()?.into())
}

impl Web {
    async fn send(&mut self, ask: Ask, now_ms: u64) -> Result<(), String> {
        let host = ask.url.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
        let credentials = self.keyring.authorise(&ask, now_ms).await.map_err(|why| why.to_string())?;
        let answer = self.client.send(ask, credentials).await.map_err(|why| why.to_string())?;
        if answer.status.is_success() {
            return Ok(());
        }
        let said: String = String::from_utf8_lossy(&answer.body).chars().take(REASON_CHARS_MAX).collect();
        let status = answer.status.as_u16();
        if matches!(answer.status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            self.keyring.rejected();
            return Err(format!("{host} does not accept the secret ({status} {said}): renew it where the forward finds it"));
        }
        Err(format!("{host} answered {status} {said}"))
    }
}
