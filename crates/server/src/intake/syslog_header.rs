//! Which host and which program a syslog message names: enough to choose its source.
//!
//! Reads the head of RFC 5424 (`<34>1 TIME HOST APP …`), of RFC 3164 (`<34>Oct 11 22:14:15 HOST
//! APP[PID]: …`), of the form that relays send with an RFC 3339 time in the latter, and of what
//! `/dev/log` gets, which names no host. Anything else names nobody. Names are as sent: whoever can
//! reach the door can send any. What a message means is not decided here: mapping reads it again.

/// What a message says of where it comes from; slices of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyslogHeader<'a> {
    /// The host named.
    pub host: Option<&'a [u8]>,
    /// The program named, without its process id.
    pub app: Option<&'a [u8]>,
}

/// Bytes looked at: RFC 5424 allows 255 for a host and 48 for a program.
const HEAD_BYTES_MAX: usize = 512;

impl<'a> SyslogHeader<'a> {
    /// Reads the head of `message`.
    #[must_use]
    pub fn read(message: &'a [u8]) -> Self {
        let head = message.get(..HEAD_BYTES_MAX).unwrap_or(message);
        let Some(rest) = after_priority(head) else {
            return Self::default();
        };
        match rest.strip_prefix(b"1 ") {
            Some(rest) => modern(rest),
            None => old(rest),
        }
    }
}

fn after_priority(head: &[u8]) -> Option<&[u8]> {
    let inside = head.strip_prefix(b"<")?;
    let digits = inside.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let (_, rest) = inside.split_at_checked(digits).filter(|_| (1..=3).contains(&digits))?;
    rest.strip_prefix(b">")
}

fn modern(rest: &[u8]) -> SyslogHeader<'_> {
    let mut words = rest.split(|&byte| byte == b' ');
    let _time = words.next();
    let mut named = || words.next().filter(|word| !word.is_empty() && *word != b"-");
    SyslogHeader { host: named(), app: named() }
}

fn old(rest: &[u8]) -> SyslogHeader<'_> {
    let rest = after_time(rest);
    let (first, behind) = word(rest);
    // A tag ends in a colon or carries a process id; a host does neither.
    if first.contains(&b'[') || first.ends_with(b":") || behind.is_empty() {
        return SyslogHeader { host: None, app: tag(first) };
    }
    SyslogHeader { host: Some(first).filter(|host| !host.is_empty()), app: tag(word(behind).0) }
}

/// What follows the time: `Oct 11 22:14:15 ` or an RFC 3339 time; all of it if there is none.
fn after_time(rest: &[u8]) -> &[u8] {
    if let Some((time, behind)) = rest.split_at_checked(16)
        && time.get(3) == Some(&b' ')
        && time.get(9) == Some(&b':')
        && time.get(12) == Some(&b':')
        && time.get(15) == Some(&b' ')
    {
        return behind;
    }
    let (first, behind) = word(rest);
    let dated = first.len() >= 19 && first.get(4) == Some(&b'-') && first.get(10) == Some(&b'T');
    if dated { behind } else { rest }
}

fn word(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = memchr::memchr(b' ', bytes).unwrap_or(bytes.len());
    let (word, rest) = bytes.split_at(end);
    (word, rest.get(1..).unwrap_or_default())
}

fn tag(word: &[u8]) -> Option<&[u8]> {
    let end = word.iter().position(|byte| matches!(byte, b'[' | b':')).unwrap_or(word.len());
    word.get(..end).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(message: &str) -> (Option<&str>, Option<&str>) {
        let header = SyslogHeader::read(message.as_bytes());
        let text = |name: Option<&'static [u8]>| name.and_then(|name| std::str::from_utf8(name).ok());
        // Leaked: a test's few bytes.
        let leak = |name: Option<&[u8]>| name.map(|name| &*Box::leak(name.to_vec().into_boxed_slice()));
        (text(leak(header.host)), text(leak(header.app)))
    }

    #[test]
    fn host_and_program_are_found_in_every_usual_head() {
        for (message, host, app) in [
            ("<34>1 2003-10-11T22:14:15.003Z mymachine.example.com su - ID47 - failed", Some("mymachine.example.com"), Some("su")),
            ("<34>1 - - - - - - nothing named", None, None),
            ("<34>1 2003-10-11T22:14:15.003Z web-1", Some("web-1"), None),
            ("<34>Oct 11 22:14:15 mymachine su: 'su root' failed", Some("mymachine"), Some("su")),
            ("<34>Oct  1 22:14:15 mymachine sshd[123]: Accepted", Some("mymachine"), Some("sshd")),
            ("<34>Oct 11 22:14:15 sshd[123]: Accepted", None, Some("sshd")),
            ("<34>Oct 11 22:14:15 sudo: ana : COMMAND=/bin/sh", None, Some("sudo")),
            ("<13>2024-05-01T10:11:12.123456+02:00 db-1 postgres[9]: x", Some("db-1"), Some("postgres")),
            ("<13>cron[1]: x", None, Some("cron")),
            ("<13>alone", None, Some("alone")),
            ("<13>", None, None),
            ("no priority", None, None),
            ("<1234>x: y", None, None),
            ("<>x: y", None, None),
            ("", None, None),
        ] {
            assert_eq!(named(message), (host, app), "{message}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_name_something_without_a_space_or_nothing(message: Vec<u8>) {
            let message = [b"<3>", &message[..]].concat();
            let header = SyslogHeader::read(&message);
            for name in [header.host, header.app].into_iter().flatten() {
                prop_assert!(!name.is_empty() && !name.contains(&b' '));
            }
        }
    }
}
