//! Records of the Linux audit daemon: `type=USER_LOGIN msg=audit(1364481363.243:24287): pid=1 …`.

use crate::source::function::from_hex;
use crate::source::inner::ObjectWriter;
use crate::source::inner::{key_value, syslog};

/// Members whose value the kernel writes in hexadecimal when it holds spaces or quotes.
const MAYBE_HEX: [&str; 8] = ["acct", "exe", "comm", "cmd", "proctitle", "cwd", "id", "grp"];

/// Every pair as a member, with `time` and `serial`; pairs inside `msg='…'` beside the others.
#[must_use]
pub fn decode(text: &str) -> Option<String> {
    let (before, behind) = text.split_once("audit(")?;
    let (stamp, body) = behind.split_once(')')?;
    let (time, serial) = stamp.split_once(':')?;
    if serial.is_empty() || !time.starts_with(|c: char| c.is_ascii_digit()) || !before.contains("type=") {
        return None;
    }
    let mut out = ObjectWriter::new();
    out.text("time", time);
    out.text("serial", serial);
    // A shipper may have put a syslog header in front.
    let before = match before.find("node=").or_else(|| before.find("type=")) {
        Some(at) if at > 0 => {
            let (header, pairs) = before.split_at_checked(at)?;
            syslog::header(header, &mut out);
            pairs
        }
        _ => before,
    };
    // Enriched records repeat the numbers as names behind a group separator.
    let body = body.trim_start_matches(':').replace('\u{1d}', " ");
    let head = key_value::pairs(before).filter(|(key, _)| *key != "msg").map(|(key, value)| (key.to_owned(), value));
    for (key, value) in head.chain(pairs(&body)) {
        if key == "msg" && value.contains('=') {
            pairs(&value).for_each(|(key, value)| member(&mut out, &key, &value));
        } else {
            member(&mut out, &key, &value);
        }
    }
    Some(out.finish())
}

/// Pairs whose unquoted values may hold spaces: `op=adding user to group acct="x"`.
fn pairs(text: &str) -> impl Iterator<Item = (String, String)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let (before, after) = rest.split_once('=')?;
        let key = before.rsplit(' ').next().unwrap_or_default().to_owned();
        let value = match after.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let inner = after.get(1..).unwrap_or_default();
                let (value, behind) = inner.split_once(quote).unwrap_or((inner, ""));
                rest = behind;
                value
            }
            _ => {
                // Up to the word that the next `=` belongs to.
                let until = after.find('=').and_then(|equals| after.get(..equals)?.rfind(' ')).unwrap_or(after.len());
                let (value, behind) = after.split_at_checked(until).unwrap_or((after, ""));
                rest = behind;
                value
            }
        };
        Some((key, value.trim().to_owned()))
    })
    .filter(|(key, _)| !key.is_empty())
    .take(key_value::PAIRS_MAX)
}

fn member(out: &mut ObjectWriter, key: &str, value: &str) {
    let plain = value.trim_end_matches('\u{1d}').trim_matches('"');
    if matches!(plain, "?" | "(none)" | "(null)") {
        return;
    }
    let looks_hex =
        plain.len() >= 4 && plain.len().is_multiple_of(2) && plain.bytes().all(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(&b));
    let readable = |text: &String| text.chars().all(|c| !c.is_control());
    match (MAYBE_HEX.contains(&key) && looks_hex).then(|| from_hex(plain)).flatten().filter(readable) {
        Some(decoded) => out.text(key, &decoded),
        None => out.text(key, plain),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn pairs_time_and_hexadecimal_names_are_read() {
        let line = r#"type=USER_LOGIN msg=audit(1364481363.243:24287): pid=3280 uid=0 ses=1 msg='op=login acct=726F6F74 exe="/usr/sbin/sshd" hostname=? addr=192.0.2.1 terminal=ssh res=failed'"#;
        assert_eq!(
            decode(line).as_deref(),
            Some(
                r#"{"time":"1364481363.243","serial":"24287","type":"USER_LOGIN","pid":"3280","uid":"0","ses":"1","op":"login","acct":"root","exe":"/usr/sbin/sshd","addr":"192.0.2.1","terminal":"ssh","res":"failed"}"#
            )
        );
        for text in ["", "audit(", "audit(x:1):", "audit(1:)", "type=USER_LOGIN"] {
            assert_eq!(decode(text), None, "{text}");
        }
    }
}
