//! Members of an answer, for whoever shows it.

use serde_json::Value;

use crate::cli::safe_text::escape_line;

/// A member as text that moves no cursor; empty when it is not there.
pub fn text(of: &Value, name: &str) -> String {
    of.get(name).and_then(Value::as_str).map(escape_line).unwrap_or_default()
}

/// A member as number; 0 when it is not there.
pub fn number(of: &Value, name: &str) -> u64 {
    of.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// What is in a list; nothing when it is not there.
pub fn list<'v>(of: &'v Value, name: &str) -> impl Iterator<Item = &'v Value> {
    of.get(name).and_then(Value::as_array).into_iter().flatten()
}

/// Whether a member is there and true.
pub fn is_true(of: &Value, name: &str) -> bool {
    of.get(name) == Some(&Value::Bool(true))
}
