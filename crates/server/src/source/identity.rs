//! One identity: the canonical id that joins the same human or workload across sources.

use crate::source::emit::Leaf;
use crate::source::function::is_email;
use crate::source::kind::Person;
use crate::source::reader::Reader;

/// Characters of an identity: longer ones are not names.
pub const IDENTITY_CHARS_MAX: usize = 320;

/// The canonical form of a name: no white space around it, lower case.
///
/// E-mail addresses, `DOMAIN\user`, role-session names and plain names are all compared without
/// regard to case where they come from. `None` for what is no name.
#[must_use]
pub fn canonical(name: &str) -> Option<String> {
    let name = name.trim_matches(|c: char| c.is_whitespace() || c == '"');
    if name.is_ascii() {
        let is_name = !name.is_empty() && name.len() <= IDENTITY_CHARS_MAX && !name.bytes().any(|byte| byte.is_ascii_control());
        return is_name.then(|| name.to_ascii_lowercase());
    }
    let is_name = !name.is_empty() && name.chars().count() <= IDENTITY_CHARS_MAX && !name.chars().any(char::is_control);
    is_name.then(|| name.to_lowercase())
}

/// The identity that an OCSF user object gives: e-mail address, `domain\name`, name, `kind:uid`.
#[must_use]
pub fn default_of<'d>(reader: &Reader<'d>, person: &'d Person) -> Option<String> {
    let writer = reader.writer();
    let text = |leaf: &'d Option<Leaf>| leaf.as_ref().and_then(|leaf| writer.value(leaf)).map(|(_, value)| value.as_text().into_owned());
    if let Some(email) = text(&person.email_addr) {
        return canonical(&email);
    }
    if let Some(name) = text(&person.name) {
        let qualified = is_email(&name) || name.contains('\\');
        return match text(&person.domain).filter(|_| !qualified) {
            Some(domain) => canonical(&format!("{domain}\\{name}")),
            None => canonical(&name),
        };
    }
    // A bare number or hash is unique only within its kind.
    text(&person.uid).and_then(|uid| if is_email(&uid) { canonical(&uid) } else { canonical(&format!("{}:{uid}", reader.kind.name)) })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_in_case_alone_are_one() {
        assert_eq!(canonical(" Ana@Corp.Example "), canonical("ana@corp.example"));
        assert_eq!(canonical("CORP\\Ana").as_deref(), Some("corp\\ana"));
        for name in ["", "  ", "a\nb", &"x".repeat(400)] {
            assert_eq!(canonical(name), None);
        }
    }
}
