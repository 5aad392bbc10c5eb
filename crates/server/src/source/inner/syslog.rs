//! Syslog lines: RFC 5424, RFC 3164 and what is really sent, with or without priority, year, zone or
//! any header at all. The time is kept in its own words; [`crate::source::time`] reads it.

use crate::source::inner::ObjectWriter;

/// Names of facilities. RFC 5424 §6.2.1.
pub const FACILITIES: [&str; 24] = [
    "kern", "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp", "ntp", "audit", "alert", "clock",
    "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7",
];
/// Names of severities. RFC 5424 §6.2.1.
pub const LEVELS: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The line's parts as members. A line without any header is all `message`.
#[must_use]
pub fn decode(line: &str) -> Option<String> {
    let mut out = ObjectWriter::new();
    let line = line.trim_start_matches('\u{feff}').trim_end();
    let rest = priority(line, &mut out);
    if let Some(rest) = rest.strip_prefix("1 ")
        && rfc5424(rest, &mut out).is_some()
    {
        return Some(out.finish());
    }
    rfc3164(rest, &mut out);
    Some(out.finish())
}

/// Writes what stands in a header that another format follows.
pub fn header(text: &str, out: &mut ObjectWriter) {
    let rest = priority(text.trim_end(), out);
    let Some((time, rest)) = stamp(rest) else { return };
    out.text("received", time);
    let mut words = rest.split_whitespace();
    if let Some(host) = words.next().filter(|word| !word.ends_with(':')) {
        out.text("host", host);
    }
    if let Some(app) = words.next() {
        out.text("app", app.trim_end_matches(':'));
    }
}

/// `<34>`: facility and severity. RFC 5424 §6.2.1.
fn priority<'a>(line: &'a str, out: &mut ObjectWriter) -> &'a str {
    let parsed = line.strip_prefix('<').and_then(|rest| rest.split_once('>')).and_then(|(digits, rest)| {
        let value = digits.parse::<u16>().ok().filter(|value| *value <= 191 && digits.len() <= 3)?;
        Some((value, rest))
    });
    let Some((value, rest)) = parsed else { return line };
    out.json("pri", &value.to_string());
    if let (Some(facility), Some(level)) = (FACILITIES.get(usize::from(value >> 3)), LEVELS.get(usize::from(value & 7))) {
        out.text("facility", facility);
        out.text("level", level);
    }
    rest
}

/// What follows the version. RFC 5424 §6. Writes nothing unless all of the header is there.
fn rfc5424(rest: &str, out: &mut ObjectWriter) -> Option<()> {
    let (time, rest) = rest.split_once(' ')?;
    let (host, rest) = rest.split_once(' ')?;
    let (app, rest) = rest.split_once(' ')?;
    let (pid, rest) = rest.split_once(' ')?;
    let (msgid, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    if time != "-" && !time.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (data, message) = structured_data(rest);
    for (name, value) in [("time", time), ("host", host), ("app", app), ("pid", pid), ("msgid", msgid)] {
        if value != "-" && !value.is_empty() {
            out.text(name, value);
        }
    }
    if let Some(data) = data {
        out.json("sd", &data);
    }
    out.text("message", message.trim_start_matches('\u{feff}'));
    Some(())
}

/// `[id k="v" …]…` and the message behind it. RFC 5424 §6.3.
fn structured_data(rest: &str) -> (Option<String>, &str) {
    if let Some(message) = rest.strip_prefix('-') {
        return (None, message.strip_prefix(' ').unwrap_or(message));
    }
    let (mut all, mut at) = (ObjectWriter::new(), rest);
    let mut any = false;
    while let Some((element, behind)) = at.strip_prefix('[').and_then(element) {
        let (id, parameters) = element.split_once(' ').unwrap_or((element, ""));
        let mut one = ObjectWriter::new();
        super::key_value::pairs(&parameters.replace("\\]", "]")).for_each(|(name, value)| one.text(name, &value));
        all.json(id, &one.finish());
        any = true;
        at = behind;
    }
    (any.then(|| all.finish()), if any { at.strip_prefix(' ').unwrap_or(at) } else { rest })
}

/// An element's inside and what follows its bracket.
fn element(text: &str) -> Option<(&str, &str)> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            ']' if !quoted => return Some((text.get(..at)?, text.get(at + 1..)?)),
            _ => {}
        }
    }
    None
}

/// Time, host, tag, message, each if it is there. RFC 3164 §4.1 describes, it does not prescribe.
fn rfc3164(rest: &str, out: &mut ObjectWriter) {
    let Some((time, rest)) = stamp(rest) else {
        return tagged(rest, out);
    };
    out.text("time", time);
    let rest = rest.trim_start();
    // What follows is a host, unless it is a tag already (`sshd[1]:`).
    match rest.split_once(' ') {
        Some((host, behind)) if !host.ends_with(':') && !host.contains('[') => {
            out.text("host", host);
            tagged(behind.trim_start(), out);
        }
        _ => tagged(rest, out),
    }
}

/// A time at the start of a line: `Jun  7 04:07:10`, with a year before or behind, or RFC 3339.
fn stamp(line: &str) -> Option<(&str, &str)> {
    let first = line.split(' ').next()?;
    let dated = first.get(4..5) == Some("-") && first.starts_with(|c: char| c.is_ascii_digit());
    if dated && first.len() >= 19 && first.contains('T') {
        return line.split_at_checked(first.len());
    }
    if dated && first.len() == 10 {
        let clock = line.get(11..)?.split(' ').next().filter(|clock| clock.contains(':'))?;
        return line.split_at_checked(11 + clock.len());
    }
    let month_at = if first.len() == 4 && first.bytes().all(|b| b.is_ascii_digit()) { 5 } else { 0 };
    let month = line.get(month_at..month_at + 3)?;
    const MONTHS: &str = "JanFebMarAprMayJunJulAugSepOctNovDec";
    if !MONTHS.contains(month) || !month.starts_with(|c: char| c.is_ascii_uppercase()) {
        return None;
    }
    let clock = line.get(month_at..)?.find(':')? + month_at;
    if clock > month_at + 15 {
        return None;
    }
    let end = line.get(clock..)?.find(' ').map_or(line.len(), |space| clock + space);
    line.split_at_checked(end)
}

/// `sshd[3355]: message`, `sudo: message`.
fn tagged(rest: &str, out: &mut ObjectWriter) {
    let tag_end = rest.find([':', '[', ' ', '(']).unwrap_or(rest.len());
    // `su(pam_unix)[1]:` names the module in parentheses.
    let tag_end = match rest.get(tag_end..).and_then(|behind| behind.strip_prefix('(')) {
        Some(inside) if inside.split_once(')').is_some_and(|(module, behind)| !module.contains(' ') && behind.starts_with(['[', ':'])) => {
            rest.find(')').map_or(tag_end, |close| close + 1)
        }
        _ => tag_end,
    };
    let (tag, behind) = rest.split_at_checked(tag_end).unwrap_or((rest, ""));
    let tag_like = !tag.is_empty() && tag.len() <= 48 && tag.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '=' | '"' | '{' | '<'));
    if tag_like && let Some(message) = behind.strip_prefix(": ").or_else(|| behind.strip_prefix(':').filter(|rest| rest.is_empty())) {
        out.text("app", tag);
        return out.text("message", message.trim_start());
    }
    if tag_like
        && let Some((pid, message)) = behind.strip_prefix('[').and_then(|inside| inside.split_once(']'))
        && pid.bytes().all(|b| b.is_ascii_digit())
        && let Some(message) = message.strip_prefix(':')
    {
        out.text("app", tag);
        if !pid.is_empty() {
            out.text("pid", pid);
        }
        return out.text("message", message.trim_start());
    }
    out.text("message", rest);
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn every_usual_header_is_taken_apart() {
        for (line, expected) in [
            (
                "<34>1 2003-10-11T22:14:15.003Z host su 77 ID47 [ex@1 a=\"b\\\"]\" c=\"d\"][two] said",
                r#"{"pri":34,"facility":"auth","level":"crit","time":"2003-10-11T22:14:15.003Z","host":"host","app":"su","pid":"77","msgid":"ID47","sd":{"ex@1":{"a":"b\"]","c":"d"},"two":{}},"message":"said"}"#,
            ),
            ("<13>1 - - - - - -", r#"{"pri":13,"facility":"user","level":"notice","message":""}"#),
            (
                "<86>Jun  7 04:07:10 server sshd[19]: Accepted",
                r#"{"pri":86,"facility":"authpriv","level":"info","time":"Jun  7 04:07:10","host":"server","app":"sshd","pid":"19","message":"Accepted"}"#,
            ),
            ("Jun 7 04:07:10 sudo: ana : x", r#"{"time":"Jun 7 04:07:10","app":"sudo","message":"ana : x"}"#),
            (
                "2024-05-01T10:00:00+02:00 web-1 sshd[1]: x: y",
                r#"{"time":"2024-05-01T10:00:00+02:00","host":"web-1","app":"sshd","pid":"1","message":"x: y"}"#,
            ),
            ("2024 May  1 10:00:00 web su: x", r#"{"time":"2024 May  1 10:00:00","host":"web","app":"su","message":"x"}"#),
            ("sshd[1]: bare", r#"{"app":"sshd","pid":"1","message":"bare"}"#),
            ("just words", r#"{"message":"just words"}"#),
            ("<999>x", r#"{"message":"<999>x"}"#),
        ] {
            assert_eq!(decode(line).as_deref(), Some(expected), "{line}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_line_gives_an_object(line in r#"(<[0-9]{0,4}>|1 |Jun |[ -~é\[\]":]){0,40}"#) {
            let decoded = decode(&line).unwrap();
            proptest::prop_assert!(serde_json::from_str::<serde_json::Map<String, serde_json::Value>>(&decoded).is_ok(), "{}", decoded);
        }
    }
}
