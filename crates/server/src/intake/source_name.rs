//! The name of a source: `[a-z0-9][a-z0-9._-]{0,62}`.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use super::limits::SOURCE_NAME_CHARS_MAX;

/// A valid source name. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceName(Arc<str>);

impl SourceName {
    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SourceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Not a source name. Does not repeat what was sent: it may hold anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "not a source name: use 1 to {SOURCE_NAME_CHARS_MAX} of the characters a-z 0-9 . _ - beginning with a letter or digit, such as `okta-prod`"
)]
pub struct InvalidSourceName;

impl FromStr for SourceName {
    type Err = InvalidSourceName;

    fn from_str(text: &str) -> Result<Self, InvalidSourceName> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let inner = |byte: u8| plain(byte) || matches!(byte, b'.' | b'_' | b'-');
        let valid = text.len() <= SOURCE_NAME_CHARS_MAX && text.bytes().next().is_some_and(plain) && text.bytes().all(inner);
        if valid { Ok(Self(text.into())) } else { Err(InvalidSourceName) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_within_the_rule_are_taken_as_they_are() {
        let longest = "a".repeat(SOURCE_NAME_CHARS_MAX);
        for name in ["okta-prod", "0", "aws_cloudtrail", "a.b-c_d", &longest] {
            assert_eq!(name.parse::<SourceName>().map(|name| name.to_string()).as_deref(), Ok(name));
        }
    }

    #[test]
    fn names_outside_the_rule_are_refused() {
        let too_long = "a".repeat(SOURCE_NAME_CHARS_MAX + 1);
        for name in ["", "Okta", "-a", ".a", "..", "_a", "a b", "a/b", "é", "a\n", "a\0", &too_long] {
            assert_eq!(name.parse::<SourceName>(), Err(InvalidSourceName), "{name:?}");
        }
    }
}
