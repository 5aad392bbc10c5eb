//! What a request is authorised with: a fixed token, a token from an authority, or AWS's signature.
//! Secrets are looked up when they are needed and never kept in settings, logs or messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use http::header::{AUTHORIZATION, HOST};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use reqsign_aws_v4::{Credential, DefaultCredentialProvider, RequestSigner, StaticCredentialProvider};
use reqsign_core::{Context, FileRead, HttpSend, OsEnv, Signer};

use crate::door::poll::http::{Client, SendError};
use crate::door::poll::token::{self, Token, TokenError};
use crate::door::poll::{Ask, Scope};

/// Largest answer of a metadata service or STS.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Finds a connection's secret by the name that its kind gives it, such as `token`. The error says
/// which reference led nowhere, and never repeats a value.
pub type Secrets = Arc<dyn Fn(&str) -> Result<String, String> + Send + Sync>;

/// How requests are authorised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Credentials {
    /// `Authorization: <scheme> <secret "token">`.
    Token {
        /// `Bearer` or the vendor's own word.
        scheme: &'static str,
    },
    /// A token for client id and secret `client_secret`.
    Client {
        /// Token endpoint.
        token_url: String,
        /// Client id.
        client_id: String,
        /// Scope.
        scope: String,
    },
    /// AWS: secrets `access_key_id`, `secret_access_key` and perhaps `session_token`; without
    /// `own_keys` whatever the machine has (environment, profile, web identity, ECS, instance).
    Aws {
        /// The connection has keys of its own.
        own_keys: bool,
    },
}

/// Why a request cannot be authorised.
#[derive(Debug, thiserror::Error)]
pub enum CredentialError {
    /// A secret is not there.
    #[error("{0}")]
    Secret(String),
    /// The authority cannot be reached.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The authority gave no token.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// No AWS credentials.
    #[error("no AWS credentials: {0}")]
    Aws(String),
    /// A secret has bytes that no header may have.
    #[error("the secret `{0}` has characters that no HTTP header may have: is it the file of another thing?")]
    Form(&'static str),
}

/// Credentials in use, with what was obtained by them.
pub struct Keyring {
    credentials: Credentials,
    secrets: Secrets,
    client: Client,
    token: Option<Token>,
    signers: BTreeMap<(&'static str, String), Signer<Credential>>,
}

impl Keyring {
    /// Nothing obtained yet.
    #[must_use]
    pub fn new(credentials: Credentials, secrets: Secrets, client: Client) -> Self {
        Self { credentials, secrets, client, token: None, signers: BTreeMap::new() }
    }

    /// Headers that authorise `ask`.
    ///
    /// # Errors
    /// [`CredentialError`].
    pub async fn authorise(&mut self, ask: &Ask, now_ms: u64) -> Result<HeaderMap, CredentialError> {
        match self.credentials.clone() {
            Credentials::Token { scheme } => bearer(scheme, &self.secret("token")?, "token"),
            Credentials::Client { token_url, client_id, scope } => {
                let current = self.token.take().filter(|token| now_ms < token.renew_at_ms);
                let token = match current {
                    Some(token) => token,
                    None => {
                        let ask = token::ask(&token_url, &client_id, &self.secret("client_secret")?, &scope);
                        let answer = self.client.send(ask, HeaderMap::new()).await?;
                        token::read(answer.status, &answer.body, now_ms)?
                    }
                };
                bearer("Bearer", &self.token.insert(token).value, "client_secret")
            }
            Credentials::Aws { own_keys } => self.sign(ask, own_keys).await,
        }
    }

    /// The vendor did not accept what [`Keyring::authorise`] gave. True when there is something
    /// else to try at once: a fresh token instead of one that ended early.
    pub fn rejected(&mut self) -> bool {
        self.signers.clear();
        self.token.take().is_some()
    }

    fn secret(&self, name: &str) -> Result<String, CredentialError> {
        (self.secrets)(name).map_err(CredentialError::Secret)
    }

    async fn sign(&mut self, ask: &Ask, own_keys: bool) -> Result<HeaderMap, CredentialError> {
        let Some(Scope { service, region }) = &ask.scope else {
            return Ok(HeaderMap::new());
        };
        let aws = |why: &dyn std::fmt::Display| CredentialError::Aws(why.to_string());
        let signer = match self.signers.get(&(*service, region.clone())) {
            Some(signer) => signer.clone(),
            None => {
                let signer = self.signer(service, region, own_keys)?;
                self.signers.insert((service, region.clone()), signer.clone());
                signer
            }
        };
        let mut request = Request::builder().method(ask.method.clone()).uri(&ask.url);
        for (name, value) in &ask.headers {
            request = request.header(HeaderName::from_static(name), value);
        }
        let (mut parts, ()) = request.body(()).map_err(|why| aws(&why))?.into_parts();
        signer.sign(&mut parts, None).await.map_err(|why| aws(&why))?;
        // The client writes the same one itself, from the address.
        parts.headers.remove(HOST);
        Ok(parts.headers)
    }

    fn signer(&self, service: &str, region: &str, own_keys: bool) -> Result<Signer<Credential>, CredentialError> {
        let context = Context::new().with_env(OsEnv).with_file_read(Files).with_http_send(Sender(self.client.clone()));
        let request = RequestSigner::new(service, region);
        if !own_keys {
            return Ok(Signer::new(context, DefaultCredentialProvider::new(), request));
        }
        let mut keys = StaticCredentialProvider::new(&self.secret("access_key_id")?, &self.secret("secret_access_key")?);
        // Only temporary keys have one; a reference that leads nowhere shows as a refusal.
        if let Ok(token) = self.secret("session_token") {
            keys = keys.with_session_token(&token);
        }
        Ok(Signer::new(context, keys, request))
    }
}

fn bearer(scheme: &str, secret: &str, name: &'static str) -> Result<HeaderMap, CredentialError> {
    let mut value = HeaderValue::from_str(&format!("{scheme} {}", secret.trim())).map_err(|_| CredentialError::Form(name))?;
    value.set_sensitive(true);
    Ok(HeaderMap::from_iter([(AUTHORIZATION, value)]))
}

/// AWS profiles and web identity tokens.
#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> reqsign_core::Result<Vec<u8>> {
        let path = path.to_owned();
        let read = tokio::task::spawn_blocking(move || std::fs::read(path)).await;
        let lost = |why: &dyn std::fmt::Display| reqsign_core::Error::unexpected(why.to_string());
        read.map_err(|why| lost(&why))?.map_err(|why| lost(&why))
    }
}

/// STS and the metadata services.
#[derive(Debug)]
struct Sender(Client);

impl HttpSend for Sender {
    async fn http_send(&self, request: Request<Bytes>) -> reqsign_core::Result<Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let mut ask = Ask::get(parts.uri.to_string());
        ask.method = parts.method;
        ask.headers.clear();
        ask.body = body;
        ask.answer_bytes_max = ANSWER_BYTES_MAX;
        let answer = self.0.send(ask, parts.headers).await.map_err(|why| reqsign_core::Error::unexpected(why.to_string()))?;
        let mut response = Response::new(answer.body);
        *response.status_mut() = answer.status;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
