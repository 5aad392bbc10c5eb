//! Asks a server one thing after the other over one connection.

use crate::failure::Failure;
use crate::response::Response;
use serde_json::Value;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A connection that asks one question after the other.
#[derive(Debug)]
pub struct Asker {
    stream: TcpStream,
    head: String,
    response: Response,
    buffer: Vec<u8>,
}

impl Asker {
    /// Connects.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn new(address: std::net::SocketAddr, token: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).map_err(Failure::io("connect to the server"))?;
        stream.set_nodelay(true).map_err(Failure::io("set up the connection"))?;
        let head = format!("Host: {address}\r\nAuthorization: Bearer {token}\r\n\r\n");
        Ok(Self { stream, head, response: Response::default(), buffer: vec![0; 1 << 16] })
    }

    /// Asks; the time until the whole answer was there.
    ///
    /// # Errors
    /// When it is not answered with 200.
    pub fn ask(&mut self, path: &str) -> Result<Duration, Failure> {
        self.response.clear();
        let begin = Instant::now();
        self.stream.write_all(format!("GET {path} HTTP/1.1\r\n{}", self.head).as_bytes()).map_err(Failure::io("ask"))?;
        loop {
            let count = self.stream.read(&mut self.buffer).map_err(Failure::io("read an answer"))?;
            if count == 0 {
                return Err(Failure::Wrong(format!("{path} was not answered")));
            }
            if self.response.feed(self.buffer.get(..count).unwrap_or(&[]))? {
                break;
            }
        }
        let took = begin.elapsed();
        match self.response.status() {
            200 => Ok(took),
            status => Err(Failure::Wrong(format!("{path} was answered {status}: {}", self.text()))),
        }
    }

    /// The last answer.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.response.body()).into_owned()
    }

    /// The last answer as JSON.
    ///
    /// # Errors
    /// When it is none.
    pub fn json(&self) -> Result<Value, Failure> {
        serde_json::from_slice(self.response.body()).map_err(|why| Failure::Wrong(format!("an answer is no JSON: {why}")))
    }

    /// A number on the metrics page.
    ///
    /// # Errors
    /// When it is not there.
    pub fn metric(&mut self, name: &str) -> Result<f64, Failure> {
        self.ask("/metrics")?;
        let value = |line: &str| line.strip_prefix(name)?.trim().parse().ok();
        self.text().lines().find_map(value).ok_or_else(|| Failure::Wrong(format!("the metrics page has no {name}")))
    }
}
