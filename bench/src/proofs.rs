//! Random proofs: `GET /v1/events/{index}?proof=1` over the whole log.

use crate::failure::Failure;
use crate::load::Requests;
use crate::response::Response;
use crate::seeded::Seeded;

/// Requests for the proofs of random indexes, or for one path again and again.
pub struct Gets {
    random: Seeded,
    size: u64,
    fixed_path: Option<String>,
    host: String,
    token: String,
    /// Bytes of all bodies.
    pub body_bytes: u64,
}

impl Gets {
    /// Proofs of random indexes below `size`.
    #[must_use]
    pub fn proofs(seed: u64, size: u64, host: String, token: String) -> Self {
        Self { random: Seeded::new(seed), size, fixed_path: None, host, token, body_bytes: 0 }
    }

    /// The same path every time: what a request costs that does nothing.
    #[must_use]
    pub const fn path(path: String, host: String, token: String) -> Self {
        Self { random: Seeded::new(0), size: 0, fixed_path: Some(path), host, token, body_bytes: 0 }
    }
}

impl Requests for Gets {
    type Request = String;

    fn take(&mut self) -> String {
        let Self { random, size, fixed_path, host, token, .. } = self;
        let path = fixed_path.clone().unwrap_or_else(|| format!("/v1/events/{}?proof=1", random.below(*size)));
        format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n")
    }

    fn bytes<'a>(&self, request: &'a String) -> &'a [u8] {
        request.as_bytes()
    }

    fn answered(&mut self, request: String, response: &Response) -> Result<(), Failure> {
        self.body_bytes += response.body().len() as u64;
        if response.status() == 200 {
            return Ok(());
        }
        let path = request.split_whitespace().nth(1).unwrap_or("");
        let body = String::from_utf8_lossy(response.body());
        Err(Failure::Wrong(format!("{path} was answered {}: {body}", response.status())))
    }
}
