//! The load generator: one thread, one epoll, any number of kept-alive connections.
//!
//! One thread, because the generator shares the cores with the server it measures: it can never
//! take more than one, and what it takes is reported. A request costs it one write, one read and
//! its share of an `epoll_wait`.
//!
//! Closed loop: a connection sends its next request when the answer to the last one is whole.
//! Open loop: requests are due on a fixed schedule kept by the kernel's timer; one that finds no
//! free connection waits, and its latency counts from when it was due, so a stall of the server
//! cannot hide the requests it delayed (no coordinated omission).

use crate::failure::Failure;
use crate::latency::Latencies;
use crate::response::Response;
use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fd::OwnedFd;
use rustix::time::{Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// How long to wait for the answers that are out when the time is up.
const DRAIN: Duration = Duration::from_secs(20);
/// What marks the timer among the connections, which are numbered from 0.
const TIMER: u64 = u64::MAX;

/// What is sent.
pub trait Requests {
    /// A request whose bytes may still be looked at until it is given back.
    type Request;
    /// The next one to send.
    fn take(&mut self) -> Self::Request;
    /// Its bytes, head and body.
    fn bytes<'a>(&self, request: &'a Self::Request) -> &'a [u8];
    /// Takes it back with the answer.
    ///
    /// # Errors
    /// When the answer is not what the request must get; a refusal (429, 503, 507) is not an error.
    fn answered(&mut self, request: Self::Request, response: &Response) -> Result<(), Failure>;
}

/// When requests are sent.
#[derive(Clone, Copy, Debug)]
pub enum Pace {
    /// Each connection as fast as it is answered.
    Closed,
    /// So many a second on a fixed schedule.
    Open {
        /// Requests a second, at least 1.
        per_second: u32,
    },
}

/// One measurement.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Where the server listens.
    pub address: SocketAddr,
    /// Kept-alive connections, opened before the clock starts.
    pub connections: usize,
    /// How long requests are sent.
    pub duration: Duration,
    /// When they are sent.
    pub pace: Pace,
}

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// From the first request to the last answer.
    pub elapsed: Duration,
    /// Answers, whatever their status.
    pub answers: u64,
    /// Of all answers, from when each was due (open) or sent (closed).
    pub latencies: Latencies,
    /// The most requests that were due and found no free connection (open loop).
    pub waiting_max: usize,
}

/// Runs `plan`.
///
/// # Errors
/// When the server cannot be reached, closes a connection or answers what it must not.
pub fn run<R: Requests>(plan: &Plan, requests: &mut R) -> Result<Outcome, Failure> {
    let mut load = Load::connect(plan, requests)?;
    load.run()?;
    let mut outcome = load.outcome;
    outcome.elapsed = load.last_answer.duration_since(load.begin);
    Ok(outcome)
}

struct Connection<T> {
    stream: TcpStream,
    request: Option<T>,
    sent: usize,
    due: Instant,
    response: Response,
    wants_out: bool,
}

struct Load<'a, R: Requests> {
    plan: &'a Plan,
    requests: &'a mut R,
    connections: Vec<Connection<R::Request>>,
    /// Longest idle first, so that none is idle so long that the server closes it.
    idle: VecDeque<usize>,
    waiting: std::collections::VecDeque<Instant>,
    scheduled: u64,
    out: usize,
    epoll: OwnedFd,
    timer: Option<OwnedFd>,
    begin: Instant,
    last_answer: Instant,
    outcome: Outcome,
}

impl<'a, R: Requests> Load<'a, R> {
    fn connect(plan: &'a Plan, requests: &'a mut R) -> Result<Self, Failure> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| Failure::io("open an epoll")(error.into()))?;
        let mut connections = Vec::with_capacity(plan.connections);
        for number in 0..plan.connections {
            let stream = open(plan.address)?;
            epoll::add(&epoll, &stream, EventData::new_u64(number as u64), EventFlags::IN)
                .map_err(|error| Failure::io("watch a connection")(error.into()))?;
            connections.push(Connection {
                stream,
                request: None,
                sent: 0,
                due: Instant::now(),
                response: Response::default(),
                wants_out: false,
            });
        }
        let begin = Instant::now();
        let outcome = Outcome { elapsed: Duration::ZERO, answers: 0, latencies: Latencies::default(), waiting_max: 0 };
        Ok(Self {
            plan,
            requests,
            idle: (0..plan.connections).collect(),
            connections,
            waiting: std::collections::VecDeque::new(),
            scheduled: 0,
            out: 0,
            epoll,
            timer: None,
            begin,
            last_answer: begin,
            outcome,
        })
    }

    fn run(&mut self) -> Result<(), Failure> {
        self.begin = Instant::now();
        let deadline = self.begin + self.plan.duration;
        match self.plan.pace {
            Pace::Closed => {
                while let Some(number) = self.idle.pop_front() {
                    self.send(number, Instant::now())?;
                }
            }
            Pace::Open { per_second } => self.start_timer(per_second)?,
        }
        let mut scratch = vec![0u8; 64 * 1024];
        let mut events = Vec::with_capacity(256);
        loop {
            let now = Instant::now();
            let over = now >= deadline;
            if over && self.out == 0 && self.waiting.is_empty() {
                return Ok(());
            }
            if now >= deadline + DRAIN {
                return Err(Failure::Wrong(format!("{} requests were not answered within {DRAIN:?}", self.out)));
            }
            self.wait(&mut events)?;
            for event in events.drain(..) {
                self.woken(event.data.u64(), event.flags, deadline, &mut scratch)?;
            }
        }
    }

    fn wait(&self, events: &mut Vec<epoll::Event>) -> Result<(), Failure> {
        // Bounds the time until the end of the run is noticed.
        let tick = Timespec { tv_sec: 0, tv_nsec: 20_000_000 };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(events), Some(&tick)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(Failure::io("wait for answers")(error.into())),
        }
    }

    fn woken(&mut self, number: u64, flags: EventFlags, deadline: Instant, scratch: &mut [u8]) -> Result<(), Failure> {
        if number == TIMER {
            return self.timer_fired(deadline);
        }
        let Ok(number) = usize::try_from(number) else {
            return Ok(());
        };
        if flags.contains(EventFlags::OUT) {
            self.write_on(number)?;
        }
        if flags.intersects(EventFlags::IN | EventFlags::HUP | EventFlags::ERR) {
            self.read_on(number, deadline, scratch)?;
        }
        Ok(())
    }

    fn start_timer(&mut self, per_second: u32) -> Result<(), Failure> {
        let timer = rustix::time::timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)
            .map_err(|error| Failure::io("make a timer")(error.into()))?;
        epoll::add(&self.epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)
            .map_err(|error| Failure::io("watch the timer")(error.into()))?;
        let every = Timespec { tv_sec: 0, tv_nsec: i64::from(1_000_000_000 / per_second.max(1)).min(999_999_999) };
        self.begin = Instant::now();
        rustix::time::timerfd_settime(&timer, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: every, it_value: every })
            .map_err(|error| Failure::io("start the timer")(error.into()))?;
        self.timer = Some(timer);
        Ok(())
    }

    fn timer_fired(&mut self, deadline: Instant) -> Result<(), Failure> {
        let Pace::Open { per_second } = self.plan.pace else {
            return Ok(());
        };
        let Some(timer) = &self.timer else {
            return Ok(());
        };
        let mut count = [0u8; 8];
        match rustix::io::read(timer, &mut count) {
            Ok(_) => {}
            Err(rustix::io::Errno::AGAIN) => return Ok(()),
            Err(error) => return Err(Failure::io("read the timer")(error.into())),
        }
        let interval = Duration::from_nanos(u64::from(1_000_000_000 / per_second.max(1)));
        for _ in 0..u64::from_ne_bytes(count) {
            self.scheduled += 1;
            let due = self.begin + interval * u32::try_from(self.scheduled).unwrap_or(u32::MAX);
            if due >= deadline {
                continue;
            }
            match self.idle.pop_front() {
                Some(number) => self.send(number, due)?,
                None => self.waiting.push_back(due),
            }
        }
        self.outcome.waiting_max = self.outcome.waiting_max.max(self.waiting.len());
        Ok(())
    }

    fn send(&mut self, number: usize, due: Instant) -> Result<(), Failure> {
        let request = self.requests.take();
        let Some(connection) = self.connections.get_mut(number) else {
            return Ok(());
        };
        connection.request = Some(request);
        connection.sent = 0;
        connection.due = due;
        connection.response.clear();
        self.out += 1;
        self.write_on(number)
    }

    fn write_on(&mut self, number: usize) -> Result<(), Failure> {
        let Some(connection) = self.connections.get_mut(number) else {
            return Ok(());
        };
        let Some(request) = &connection.request else {
            return Ok(());
        };
        let bytes = self.requests.bytes(request);
        let mut blocked = false;
        while let Some(rest) = bytes.get(connection.sent..).filter(|rest| !rest.is_empty()) {
            match connection.stream.write(rest) {
                Ok(count) => connection.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    blocked = true;
                    break;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::io("send a request")(error)),
            }
        }
        if blocked != connection.wants_out {
            connection.wants_out = blocked;
            let flags = if blocked { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            epoll::modify(&self.epoll, &connection.stream, EventData::new_u64(number as u64), flags)
                .map_err(|error| Failure::io("watch a connection")(error.into()))?;
        }
        Ok(())
    }

    fn read_on(&mut self, number: usize, deadline: Instant, scratch: &mut [u8]) -> Result<(), Failure> {
        let Some(connection) = self.connections.get_mut(number) else {
            return Ok(());
        };
        let count = match connection.stream.read(scratch) {
            Ok(0) => {
                return Err(Failure::Wrong(format!("the server closed a connection after {} answers", self.outcome.answers)));
            }
            Ok(count) => count,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Ok(());
            }
            Err(error) => return Err(Failure::io("read an answer")(error)),
        };
        if !connection.response.feed(scratch.get(..count).unwrap_or(&[]))? {
            return Ok(());
        }
        let Some(request) = connection.request.take() else {
            return Err(Failure::Wrong("an answer came that nobody asked for".to_owned()));
        };
        let now = Instant::now();
        self.requests.answered(request, &connection.response)?;
        self.outcome.latencies.push(now.saturating_duration_since(connection.due));
        self.outcome.answers += 1;
        self.out -= 1;
        self.last_answer = now;
        self.next_on(number, now, deadline)
    }

    fn next_on(&mut self, number: usize, now: Instant, deadline: Instant) -> Result<(), Failure> {
        match self.plan.pace {
            Pace::Closed if now < deadline => self.send(number, now),
            Pace::Open { .. } => match self.waiting.pop_front() {
                Some(due) => self.send(number, due),
                None => {
                    self.idle.push_back(number);
                    Ok(())
                }
            },
            Pace::Closed => Ok(()),
        }
    }
}

fn open(address: SocketAddr) -> Result<TcpStream, Failure> {
    let stream = TcpStream::connect(address).map_err(Failure::io(format!("connect to {address}")))?;
    // A request is one write: there is nothing for Nagle to gather.
    stream.set_nodelay(true).map_err(Failure::io("set TCP_NODELAY"))?;
    stream.set_nonblocking(true).map_err(Failure::io("make a connection non-blocking"))?;
    Ok(stream)
}
