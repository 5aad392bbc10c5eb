//! What an expression may do to a value.

use std::borrow::Cow;
use std::net::IpAddr;

use crate::source::evaluate::Reading;
use crate::source::expression::Function;
use crate::source::value::{Document, Value};

/// Applies a function; to each of several values, where it is not about all of them.
#[inline]
#[must_use]
pub fn apply<'d>(function: &'d Function, value: Value<'d>, reading: &'d Reading) -> Option<Value<'d>> {
    match (function, value) {
        (Function::Join(between), Value::List(values)) => {
            let texts: Vec<_> = values.iter().map(Value::as_text).collect();
            Some(Value::text(texts.join(between)))
        }
        (Function::Count, Value::List(values)) => Some(Value::Number(values.len().to_string().into())),
        (Function::Count, _) => Some(Value::Number("1".into())),
        (Function::Keys, value) => keys(&value).map(Value::List),
        (Function::Words, value) => pieces(value.as_text().split_whitespace()),
        (Function::Split(mark), value) => pieces(value.as_text().split(mark.as_str()).map(str::trim)),
        (function, Value::List(values)) => {
            let changed: Vec<_> = values.into_iter().filter_map(|value| one(function, value, reading)).collect();
            (!changed.is_empty()).then_some(Value::List(changed))
        }
        (function, value) => one(function, value, reading),
    }
}

fn pieces<'d, 't>(pieces: impl Iterator<Item = &'t str>) -> Option<Value<'d>> {
    let pieces: Vec<_> = pieces.filter(|piece| !piece.is_empty()).map(|piece| Value::text(piece.to_owned())).collect();
    (!pieces.is_empty()).then_some(Value::List(pieces))
}

fn one<'d>(function: &Function, value: Value<'d>, reading: &'d Reading) -> Option<Value<'d>> {
    match function {
        Function::Trim => return piece(value, |text| Some(text.trim())),
        Function::Before(mark) => return piece(value, |text| Some(mark.split_first(text)?.0)),
        Function::After(mark) => return piece(value, |text| Some(mark.split_first(text)?.1)),
        Function::BeforeLast(mark) => return piece(value, |text| Some(mark.split_last(text)?.0)),
        Function::AfterLast(mark) => return piece(value, |text| Some(mark.split_last(text)?.1)),
        Function::Host => return piece(value, host),
        Function::Match(regex) => return piece(value, |text| regex.first_group(text)),
        _ => {}
    }
    let text = value.as_text();
    Some(match function {
        Function::Lower => Value::text(text.to_lowercase()),
        Function::Upper => Value::text(text.to_uppercase()),
        Function::Ip => {
            if is_canonical_ipv4(&text) {
                return Some(value);
            }
            Value::text(address(&text)?.0.to_string())
        }
        Function::Port => Value::Number(address(&text)?.1?.to_string().into()),
        Function::NotIp if is_canonical_ipv4(&text) || address(&text).is_some() => return None,
        Function::Email if !is_email(&text) => return None,
        Function::NotEmail if is_email(&text) => return None,
        Function::Text if matches!(value, Value::Json(_)) => return None,
        Function::Number => match text.trim().strip_prefix("0x").and_then(|hex| u64::from_str_radix(hex, 16).ok()) {
            Some(number) => Value::Number(number.to_string().into()),
            None => Value::Number(first_number(&text)?.to_owned().into()),
        },
        Function::Map(table) => Value::text(reading.tables.get(table)?.meaning(&text)?),
        Function::Hex => Value::text(from_hex(&text)?),
        Function::Unescape => Value::text(crate::source::inner::percent_decoded(&text)),
        // The rest judges a value, or is about several.
        _ => {
            drop(text);
            value
        }
    })
}

/// A part of the text; what is borrowed stays borrowed, and what needs no escape needs none in part.
fn piece<'d>(value: Value<'d>, of: impl for<'t> FnOnce(&'t str) -> Option<&'t str>) -> Option<Value<'d>> {
    Some(match value {
        Value::Text { text: Cow::Borrowed(text), plain } => Value::Text { text: Cow::Borrowed(of(text)?), plain },
        Value::Text { text: Cow::Owned(text), plain } => Value::Text { text: Cow::Owned(of(&text)?.to_owned()), plain },
        other => Value::text(of(&other.as_text())?.to_owned()),
    })
}

/// Four decimal numbers without leading zeros: passes through as it stands.
#[inline]
#[must_use]
pub fn is_canonical_ipv4(text: &str) -> bool {
    let mut parts = 0;
    // Splitting bytes costs a fraction of a full parse, and most addresses are of this form.
    text.len() <= 15
        && text.as_bytes().split(|byte| *byte == b'.').all(|part| {
            parts += 1;
            match part {
                [digit] => digit.is_ascii_digit(),
                [b'1'..=b'9', digit] => digit.is_ascii_digit(),
                [b'1', tens, ones] => tens.is_ascii_digit() && ones.is_ascii_digit(),
                [b'2', b'0'..=b'4', ones] => ones.is_ascii_digit(),
                [b'2', b'5', b'0'..=b'5'] => true,
                _ => false,
            }
        })
        && parts == 4
}

/// Whether an address can begin like that: the quick no to the names of services and hosts.
fn may_be_address(text: &str) -> bool {
    let begins = text.bytes().find(|byte| !matches!(byte, b'[' | b'/') && !byte.is_ascii_whitespace());
    begins.is_some_and(|byte| byte.is_ascii_hexdigit() || byte == b':') && text.bytes().any(|byte| byte.is_ascii_digit() || byte == b':')
}

/// The address in a text, and its port: `192.0.2.1:443`, `[2001:db8::1]:443`, `fe80::1%eth0`.
#[must_use]
pub fn address(text: &str) -> Option<(IpAddr, Option<u16>)> {
    if !may_be_address(text) {
        return None;
    }
    let text = text.trim().trim_start_matches('/');
    let parsed = |text: &str| {
        let address: IpAddr = text.split('%').next()?.parse().ok()?;
        // IPv4 that came over an IPv6 socket is IPv4 to everyone else.
        Some(match address {
            IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
            IpAddr::V4(_) => address,
        })
    };
    if let Some(address) = parsed(text) {
        return Some((address, None));
    }
    if let Some(inside) = text.strip_prefix('[') {
        let (address, behind) = inside.split_once(']')?;
        return Some((parsed(address)?, behind.strip_prefix(':').and_then(|port| port.parse().ok())));
    }
    if let Some((address, port)) = text.rsplit_once(':')
        && let Some(address) = parsed(address).filter(|_| !port.is_empty())
        && let Ok(port) = port.parse()
    {
        return Some((address, Some(port)));
    }
    // Of a list (X-Forwarded-For) the first is the client.
    let (first, _) = text.split_once([',', ' '])?;
    address(first)
}

/// Whether a text is an e-mail address as OCSF's `email_t` has it.
#[must_use]
pub fn is_email(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    let local_char = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+,-./=?^_`{|}~.".contains(c);
    let Some((label, rest)) = domain.split_once('.') else { return false };
    let label_char = |c: char| c.is_ascii_alphanumeric() || c == '-';
    !local.is_empty()
        && local.chars().all(local_char)
        && !label.is_empty()
        && label.chars().all(label_char)
        && !rest.is_empty()
        && rest.chars().all(|c| label_char(c) || c == '.')
}

fn first_number(text: &str) -> Option<&str> {
    let start = text.find(|c: char| c.is_ascii_digit())?;
    let digits = text.get(start..)?;
    digits.get(..digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len()))
}

fn host(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = if host.starts_with('[') { host.split(']').next()?.trim_start_matches('[') } else { host.split(':').next()? };
    (!host.is_empty()).then_some(host)
}

/// Text from hexadecimal digits; a zero byte between words is a space (auditd's arguments).
#[must_use]
pub fn from_hex(text: &str) -> Option<String> {
    if text.len() < 2 || !text.len().is_multiple_of(2) || !text.is_ascii() {
        return None;
    }
    let bytes: Option<Vec<u8>> = (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok()).collect();
    let mut bytes = bytes?;
    bytes.iter_mut().filter(|byte| **byte == 0).for_each(|byte| *byte = b' ');
    String::from_utf8(bytes).ok()
}

fn keys<'d>(value: &Value<'d>) -> Option<Vec<Value<'d>>> {
    let Value::Json(text) = value else { return None };
    let mut tape = crate::intake::tape::Tape::default();
    tape.read(text).ok()?;
    let document = Document { text, tape: &tape };
    let names = tape.children(0).filter(|(_, node)| node.name != (0, 0));
    let names: Vec<_> = names.filter_map(|(_, node)| crate::intake::tape::unescape(document.name(node)).map(Cow::into_owned)).collect();
    (!names.is_empty()).then(|| names.into_iter().map(Value::text).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_in_every_usual_form() {
        for (text, ip, port) in [
            ("192.0.2.1", "192.0.2.1", None),
            ("192.0.2.1:443", "192.0.2.1", Some(443)),
            ("::ffff:192.0.2.1", "192.0.2.1", None),
            ("[2001:db8::1]:22", "2001:db8::1", Some(22)),
            ("[2001:db8::1]", "2001:db8::1", None),
            ("fe80::1%eth0", "fe80::1", None),
            ("192.0.2.1, 10.0.0.1", "192.0.2.1", None),
            ("/192.0.2.1:5", "192.0.2.1", Some(5)),
        ] {
            assert_eq!(address(text), Some((ip.parse().unwrap(), port)), "{text}");
        }
        for text in ["", "iam.amazonaws.com", "999.1.1.1", "localhost:80", "12:30", "::1:x"] {
            assert_eq!(address(text), None, "{text}");
        }
    }

    #[test]
    fn a_canonical_address_is_one_that_is_written_again_as_it_stands() {
        for first in 0..=300 {
            for text in [
                format!("{first}.0.2.1"),
                format!("1.{first}.0.0"),
                format!("0{first}.1.1.1"),
                format!("1.1.1.{first}"),
                format!("1.1.{first}"),
            ] {
                let parsed = text.parse::<std::net::Ipv4Addr>();
                assert_eq!(is_canonical_ipv4(&text), parsed.is_ok_and(|parsed| parsed.to_string() == text), "{text}");
            }
        }
        for text in ["", "...", "1.1.1.1.1", "1.1.1.", "a.b.c.d", "1.1.1.1 "] {
            assert!(!is_canonical_ipv4(text), "{text}");
        }
    }

    #[test]
    fn hosts_numbers_and_hexadecimal_are_read() {
        assert_eq!(host("https://u@h.example:8443/p?q"), Some("h.example"));
        assert_eq!(host("h.example"), Some("h.example"));
        assert_eq!(first_number("uid=0(root)"), Some("0"));
        assert_eq!(from_hex("726F6F74").as_deref(), Some("root"));
        assert_eq!(from_hex("xyz"), None);
    }

    #[test]
    fn an_e_mail_address_is_one_by_the_schema() {
        assert!(is_email("ana.b+c@corp.example"));
        for text in ["ana", "ana@", "@x.y", "a b@x.y", "ana@corp", "é@x.y"] {
            assert!(!is_email(text), "{text}");
        }
    }
}
