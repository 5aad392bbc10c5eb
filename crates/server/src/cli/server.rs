//! Talks to a running server.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde_json::Value;
use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Method, Request, Uri};
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::cli::failure::Failure;
use crate::config::LISTEN_DEFAULT;

/// Longest answer taken in: a page of events or an event file is far smaller.
const ANSWER_BYTES_MAX: u64 = 256 << 20;
/// Longest refusal of an answer that comes bit by bit.
const REFUSAL_BYTES_MAX: u64 = 64 << 10;
/// Where systems keep the certificates they trust.
const SYSTEM_CERTIFICATES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"];

/// Which server, and as whom.
#[derive(Clone, Debug, Args)]
pub struct ServerArgs {
    /// The server's address
    #[arg(long, env = "INDELIBLE_URL", default_value_t = format!("http://{LISTEN_DEFAULT}"))]
    pub url: String,
    /// An API key; better in the environment, since other users can see command lines
    #[arg(long, env = "INDELIBLE_KEY", hide_env_values = true)]
    pub key: Option<String>,
    /// PEM file of the authority that signed the server's certificate [default: the system's]
    #[arg(long, env = "INDELIBLE_CA_FILE", value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    agent: ureq::Agent,
    url: String,
    key: Option<String>,
}

/// What a server answered.
#[derive(Debug)]
pub struct Response {
    /// HTTP status.
    pub status: u16,
    /// Whole seconds after which to try again, when the server said so.
    pub retry_after: Option<u64>,
    /// The body.
    pub body: Vec<u8>,
}

/// The body of an answer that comes bit by bit.
pub type Streamed = Box<dyn Read + Send>;

/// What to send.
#[derive(Clone, Copy, Debug)]
pub struct Content<'a> {
    /// MIME type of the body.
    pub media: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Makes a retry enter nothing twice.
    pub idempotency_key: Option<&'a str>,
}

impl ServerArgs {
    /// Makes ready to talk; nothing is sent yet.
    ///
    /// # Errors
    /// An address that is none, or one to which an API key must not be sent.
    pub fn connect(&self) -> Result<Server, Failure> {
        let url = self.url.trim_end_matches('/').to_owned();
        let uri: Uri = url.parse().map_err(Failure::at(format!("--url {url}")))?;
        let tls = match uri.scheme_str() {
            Some("https") => Some(self.tls()?),
            Some("http") if self.key.is_none() || is_loopback(&uri) => None,
            Some("http") => {
                return Err(Failure::new(format!(
                    "refused to send an API key to {url} in the clear: use https://, or http:// to this machine only"
                )));
            }
            _ => return Err(Failure::new(format!("--url {url} is no address of a server: write it like http://{LISTEN_DEFAULT}"))),
        };
        let mut config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            // A redirect could carry the key elsewhere.
            .max_redirects(0)
            .user_agent(concat!("indelible/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_secs(10)))
            .timeout_global(Some(Duration::from_secs(120)));
        if let Some(tls) = tls {
            config = config.tls_config(tls);
        }
        Ok(Server { agent: config.build().into(), url, key: self.key.clone() })
    }

    fn tls(&self) -> Result<TlsConfig, Failure> {
        let from_env = std::env::var_os("SSL_CERT_FILE").map(PathBuf::from);
        let system = SYSTEM_CERTIFICATES.iter().map(PathBuf::from).find(|path| path.exists());
        let file = self.ca_file.clone().or(from_env).or(system);
        let file = file.ok_or_else(|| Failure::new("no certificates of authorities were found: give --ca-file FILE"))?;
        let pem = std::fs::read(&file).map_err(Failure::at(file.display()))?;
        let certificates: Vec<_> = parse_pem(&pem)
            .filter_map(|item| if let Ok(PemItem::Certificate(certificate)) = item { Some(certificate) } else { None })
            .collect();
        if certificates.is_empty() {
            return Err(Failure::new(format!("{} holds no certificate: it must be a PEM file", file.display())));
        }
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        Ok(TlsConfig::builder()
            .provider(TlsProvider::Rustls)
            .unversioned_rustls_crypto_provider(provider)
            .root_certs(RootCerts::new_with_certs(&certificates))
            .build())
    }
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

impl Server {
    /// `POST path` with `content`; the answer may say no.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn post(&self, path: &str, content: Content<'_>) -> Result<Response, ureq::Error> {
        self.request(&Method::POST, path, Some(content))
    }

    /// Any request with JSON or nothing as its body; whatever is not a success is a failure.
    ///
    /// # Errors
    /// What the server said, or that it cannot be reached.
    pub fn ask(&self, method: &Method, path: &str, json: Option<&Value>) -> Result<Response, Failure> {
        let body = json.map(|json| json.to_string().into_bytes());
        let content = body.as_ref().map(|body| Content { media: "application/json", body, idempotency_key: None });
        let response = self.request(method, path, content).map_err(|why| self.unreachable(&why))?;
        response.success(&format!("{method} {path}"))
    }

    /// Any request with `content`; whatever is not a success is a failure.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub fn send(&self, method: &Method, path: &str, content: Content<'_>) -> Result<Response, Failure> {
        let response = self.request(method, path, Some(content)).map_err(|why| self.unreachable(&why))?;
        response.success(&format!("{method} {path}"))
    }

    /// `GET path`; whatever is not a success is a failure.
    ///
    /// # Errors
    /// As [`Server::ask`].
    pub fn fetch(&self, path: &str) -> Result<Response, Failure> {
        self.ask(&Method::GET, path, None)
    }

    /// `GET path`; the answer may say no.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn get(&self, path: &str) -> Result<Response, ureq::Error> {
        self.request(&Method::GET, path, None)
    }

    /// `GET path` with more headers: an answer that comes bit by bit, for as long as it takes; or what was
    /// said instead. A read fails when nothing comes for `silence`.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn stream(&self, path: &str, headers: &[(&str, String)], silence: Duration) -> Result<Result<Streamed, Response>, ureq::Error> {
        let mut request = self.addressed(&Method::GET, path);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let request = self.agent.configure_request(request.body(())?).timeout_global(None).timeout_per_read(Some(silence)).build();
        let answer = self.agent.run(request)?;
        let status = answer.status().as_u16();
        if answer.status().is_success() {
            return Ok(Ok(Box::new(answer.into_body().into_reader())));
        }
        let retry_after = retry_after(answer.headers());
        let body = answer.into_body().into_with_config().limit(REFUSAL_BYTES_MAX).read_to_vec()?;
        Ok(Err(Response { status, retry_after, body }))
    }

    /// In words: the server cannot be reached.
    pub fn unreachable(&self, why: &ureq::Error) -> Failure {
        Failure::new(format!("{} cannot be reached: {why}; is the server running, and is --url (INDELIBLE_URL) its address?", self.url))
    }

    fn addressed(&self, method: &Method, path: &str) -> Builder {
        let request = Request::builder().method(method).uri(format!("{}{path}", self.url));
        match &self.key {
            Some(key) => request.header("authorization", format!("Bearer {key}")),
            None => request,
        }
    }

    fn request(&self, method: &Method, path: &str, content: Option<Content<'_>>) -> Result<Response, ureq::Error> {
        let mut request = self.addressed(method, path);
        if let Some(content) = &content {
            request = request.header("content-type", content.media);
            if let Some(key) = content.idempotency_key {
                request = request.header("idempotency-key", key);
            }
        }
        let mut answer = match content {
            Some(content) => self.agent.run(request.body(content.body)?)?,
            None => self.agent.run(request.body(())?)?,
        };
        let retry_after = retry_after(answer.headers());
        let body = answer.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok(Response { status: answer.status().as_u16(), retry_after, body })
    }
}

fn retry_after(headers: &HeaderMap) -> Option<u64> {
    headers.get("retry-after").and_then(|value| value.to_str().ok()?.parse().ok())
}

impl Response {
    /// Whether it is a 2xx.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }

    /// Itself, or what the server said is wrong.
    ///
    /// # Errors
    /// The server's message, or the status when it sent none.
    pub fn success(self, asked: &str) -> Result<Self, Failure> {
        if self.is_success() {
            return Ok(self);
        }
        let said = self.message();
        let hint = match self.status {
            401 => "; give a key with --key or INDELIBLE_KEY",
            403 => "; this key may not do that: use one with the scope it needs",
            _ => "",
        };
        Err(Failure::new(format!("{asked} was answered with {}: {said}{hint}", self.status)))
    }

    /// The message of an error, or the beginning of whatever was sent instead.
    pub fn message(&self) -> String {
        let message = self.json().ok().and_then(|json| json.pointer("/error/message")?.as_str().map(str::to_owned));
        message.unwrap_or_else(|| String::from_utf8_lossy(self.body.get(..200).unwrap_or(&self.body)).into_owned())
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(&self.body)
            .map_err(Failure::at("the server's answer is not JSON: is --url the address of an Indelible server?"))
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Reads a file that the user named.
///
/// # Errors
/// With its name.
pub fn read_named(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::at(path.display()))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn args(url: &str, key: Option<&str>) -> ServerArgs {
        ServerArgs { url: url.into(), key: key.map(Into::into), ca_file: None }
    }

    #[test]
    fn a_key_never_leaves_the_machine_in_the_clear() {
        for url in ["http://log.example", "http://192.0.2.1:8787", "http://127.0.0.1.example"] {
            assert!(args(url, Some("idl_")).connect().is_err(), "{url}");
            assert!(args(url, None).connect().is_ok(), "{url}");
        }
        for url in ["http://127.0.0.1:8787/", "http://localhost:1", "http://[::1]:1"] {
            assert!(args(url, Some("idl_")).connect().is_ok(), "{url}");
        }
    }

    #[test]
    fn an_address_of_another_kind_is_refused() {
        for url in ["ftp://x", "127.0.0.1:8787", ""] {
            assert!(args(url, None).connect().is_err(), "{url}");
        }
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        let body = br#"{"error":{"code":"not_found","message":"there is no entry 9"}}"#.to_vec();
        let said = Response { status: 404, retry_after: None, body }.success("GET /v1/events/9").unwrap_err().to_string();
        assert_eq!(said, "GET /v1/events/9 was answered with 404: there is no entry 9");
    }
}
