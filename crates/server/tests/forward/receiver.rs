//! A receiver on this machine that says what the test wants.

use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// What one request gets.
#[derive(Clone, Copy, Debug)]
pub enum Say {
    /// It is taken.
    Take,
    /// It is taken, and the connection ends before the answer.
    TakeAndHangUp,
    /// It is not taken.
    Refuse(u16),
}

#[derive(Clone, Debug)]
pub struct Request {
    /// Request line and headers.
    pub head: String,
    pub body: Vec<u8>,
}

#[derive(Default)]
struct Inner {
    taken: Vec<Request>,
    says: VecDeque<Say>,
}

pub struct Receiver {
    address: SocketAddr,
    inner: Arc<Mutex<Inner>>,
}

impl Receiver {
    /// Says these, then takes everything.
    pub fn start(says: &[Say]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Mutex::new(Inner { says: says.iter().copied().collect(), ..Inner::default() }));
        let shared = Arc::clone(&inner);
        // Ends with the test's process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let inner = Arc::clone(&shared);
                std::thread::spawn(move || while serve_one(stream.as_ref().unwrap(), &inner).is_some() {});
            }
        });
        Self { address, inner }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn taken(&self) -> Vec<Request> {
        self.inner.lock().unwrap().taken.clone()
    }
}

/// Nothing when the connection ends.
fn serve_one(stream: &TcpStream, inner: &Mutex<Inner>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).ok().filter(|read| *read > 0)?;
    }
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let say = {
        let mut inner = inner.lock().unwrap();
        let say = inner.says.pop_front().unwrap_or(Say::Take);
        if !matches!(say, Say::Refuse(_)) {
            inner.taken.push(Request { head, body });
        }
        say
    };
    let answer = match say {
        Say::TakeAndHangUp => return None,
        Say::Take => "HTTP/1.1 200 OK\r\ncontent-length: 27\r\n\r\n{\"text\":\"Success\",\"code\":0}".to_owned(),
        Say::Refuse(status) => format!("HTTP/1.1 {status} No\r\ncontent-length: 14\r\n\r\nserver is busy"),
    };
    (&mut &*stream).write_all(answer.as_bytes()).ok()
}
