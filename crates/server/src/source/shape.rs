//! What a value of an OCSF attribute has to be, and a record's value made so.

use crate::ocsf::Attribute;
use crate::ocsf::check::base_of;
use crate::source::function::{address, is_canonical_ipv4, is_email};
use crate::source::time;
use crate::source::value::Value;

/// What a value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// A text.
    Text,
    /// An IP address.
    Ip,
    /// An e-mail address.
    Email,
    /// A port.
    Port,
    /// A whole number.
    Integer,
    /// A number.
    Float,
    /// True or false.
    Bool,
    /// Milliseconds since 1970.
    Time,
    /// A hardware address.
    Mac,
    /// A UUID.
    Uuid,
    /// Any JSON.
    Json,
    /// An object whose members nobody prescribes.
    Object,
}

impl Shape {
    /// The shape of an attribute's type.
    #[must_use]
    pub fn of(attribute: &Attribute) -> Self {
        match attribute.of.as_str() {
            "ip_t" => Self::Ip,
            "email_t" => Self::Email,
            "port_t" => Self::Port,
            "timestamp_t" => Self::Time,
            "mac_t" => Self::Mac,
            "uuid_t" => Self::Uuid,
            "json_t" => Self::Json,
            "object" => Self::Object,
            of => match base_of(of) {
                "integer_t" | "long_t" => Self::Integer,
                "float_t" => Self::Float,
                "boolean_t" => Self::Bool,
                _ => Self::Text,
            },
        }
    }
}

/// The value in its shape; `None` when it does not fit.
#[inline]
#[must_use]
pub fn shaped<'d>(shape: Shape, value: Value<'d>, near: i64) -> Option<Value<'d>> {
    match (shape, value) {
        (Shape::Text, value @ Value::Text { .. }) | (Shape::Json, value) => Some(value),
        (shape, value) => reshaped(shape, value, near),
    }
}

fn reshaped<'d>(shape: Shape, value: Value<'d>, near: i64) -> Option<Value<'d>> {
    Some(match shape {
        Shape::Text => match value {
            text @ Value::Text { .. } => text,
            Value::Number(digits) => Value::Text { text: digits, plain: true },
            other => Value::text(other.as_text().into_owned()),
        },
        Shape::Json => value,
        Shape::Object => match &value {
            Value::Json(json) if json.starts_with('{') => value,
            _ => return None,
        },
        Shape::Ip => {
            let text = value.as_text();
            if !is_canonical_ipv4(&text) {
                return Some(Value::text(address(&text)?.0.to_string()));
            }
            drop(text);
            value
        }
        Shape::Email => {
            if !is_email(&value.as_text()) {
                return None;
            }
            value
        }
        Shape::Port => {
            let port: u16 = value.as_text().trim().parse().ok()?;
            Value::Number(port.to_string().into())
        }
        Shape::Integer => integer(value)?,
        Shape::Float => {
            let number: f64 = value.as_text().trim().parse().ok()?;
            number
                .is_finite()
                .then(|| Value::Number(serde_json::Number::from_f64(number).map(|n| n.to_string()).unwrap_or_default().into()))?
        }
        Shape::Bool => Value::Bool(boolean(&value)?),
        Shape::Time => Value::Number(time::read(&value.as_text(), near)?.to_string().into()),
        Shape::Mac => {
            let text = value.as_text();
            let parts: Vec<_> = text.split([':', '-']).collect();
            let is = parts.len() == 6 && parts.iter().all(|part| part.len() == 2 && part.bytes().all(|b| b.is_ascii_hexdigit()));
            drop(parts);
            drop(text);
            is.then_some(value)?
        }
        Shape::Uuid => {
            let text = value.as_text();
            let groups = [8, 4, 4, 4, 12];
            let mut parts = text.trim_matches(['{', '}']).split('-');
            let is =
                groups.iter().all(|len| parts.next().is_some_and(|part| part.len() == *len && part.bytes().all(|b| b.is_ascii_hexdigit())));
            (is && parts.next().is_none()).then(|| Value::text(text.trim_matches(['{', '}']).to_owned()))?
        }
    })
}

fn integer(value: Value<'_>) -> Option<Value<'_>> {
    if matches!(value, Value::Bool(_) | Value::Json(_) | Value::List(_)) {
        return None;
    }
    let text = value.as_text();
    let text = text.trim();
    let number = match text.strip_prefix("0x") {
        Some(hex) => i64::from_str_radix(hex, 16).ok()?,
        None => match text.parse::<i64>() {
            Ok(number) => number,
            // 12.0 and 1e3 are whole numbers too.
            Err(_) => {
                let float: f64 = text.parse().ok()?;
                (float.fract() == 0.0 && float.abs() < 9e15).then_some(float as i64)?
            }
        },
    };
    Some(Value::Number(number.to_string().into()))
}

/// True or false, as systems say it.
#[must_use]
pub fn boolean(value: &Value<'_>) -> Option<bool> {
    if let Value::Bool(yes) = value {
        return Some(*yes);
    }
    match value.as_text().to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "y" | "on" => Some(true),
        "false" | "no" | "0" | "n" | "off" => Some(false),
        _ => None,
    }
}
