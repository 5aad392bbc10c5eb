//! As much of an HTTP/1.1 answer as a load generator needs: status, length, body.
//!
//! Only answers with a Content-Length are read. One without is an error, not a guess.

use crate::failure::Failure;

/// The longest head read: an answer of ours has some 300 bytes.
const HEAD_MAX: usize = 16 * 1024;

/// An answer as it arrives.
#[derive(Debug, Default)]
pub struct Response {
    bytes: Vec<u8>,
    head: Option<Head>,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    status: u16,
    body_at: usize,
    body_bytes: usize,
}

impl Response {
    /// Takes bytes from the connection; true once the answer is whole.
    ///
    /// # Errors
    /// When this is no HTTP/1.1 answer with a Content-Length, or more came than was asked for.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        self.bytes.extend_from_slice(bytes);
        if self.head.is_none() {
            self.head = parse_head(&self.bytes)?;
        }
        let Some(head) = self.head else {
            return Ok(false);
        };
        let whole = head.body_at + head.body_bytes;
        if self.bytes.len() > whole {
            return Err(Failure::Wrong("more bytes came than one answer has".to_owned()));
        }
        Ok(self.bytes.len() == whole)
    }

    /// The status code; 0 before the head is there.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.head.map_or(0, |head| head.status)
    }

    /// The body as far as it has arrived.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        self.head.and_then(|head| self.bytes.get(head.body_at..)).unwrap_or(&[])
    }

    /// Makes room for the next answer; keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.head = None;
    }
}

fn parse_head(bytes: &[u8]) -> Result<Option<Head>, Failure> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        if bytes.len() > HEAD_MAX {
            return Err(Failure::Wrong(format!("the head of an answer is longer than {HEAD_MAX} bytes")));
        }
        return Ok(None);
    };
    let head = String::from_utf8_lossy(bytes.get(..end).unwrap_or(&[]));
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or("");
    let status = first.strip_prefix("HTTP/1.1 ").and_then(|rest| rest.get(..3)?.parse().ok());
    let Some(status) = status else {
        return Err(Failure::Wrong(format!("not an HTTP/1.1 answer: {first:?}")));
    };
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    let Some(body_bytes) = length else {
        return Err(Failure::Wrong(format!("an answer without Content-Length: {first:?}")));
    };
    Ok(Some(Head { status, body_at: end + 4, body_bytes }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn an_answer_in_single_bytes_is_read_whole() {
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\nx: y\r\n\r\nhello";
        let mut response = Response::default();
        for (position, byte) in answer.iter().enumerate() {
            assert_eq!(response.feed(&[*byte]).unwrap(), position + 1 == answer.len());
        }
        assert_eq!(response.status(), 200);
        assert_eq!(response.body(), b"hello");
    }

    #[test]
    fn an_answer_without_a_length_is_refused() {
        let answer = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
        assert!(Response::default().feed(answer).is_err());
    }

    #[test]
    fn more_than_one_answer_is_refused() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab";
        assert!(Response::default().feed(answer).is_err());
    }
}
