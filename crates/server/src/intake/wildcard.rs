//! Patterns of names: `*` stands for any bytes, `?` for one, everything else for itself.

/// A pattern, matched against a whole name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard(Box<str>);

impl Wildcard {
    /// Every text is a pattern.
    #[must_use]
    pub fn new(pattern: &str) -> Self {
        Self(pattern.into())
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for `name`. Takes at most pattern times name steps: of several stars only
    /// the last one met is tried again.
    #[must_use]
    pub fn fits(&self, name: &[u8]) -> bool {
        let pattern = self.0.as_bytes();
        let (mut at, mut in_name) = (0, 0);
        // Where to go on after the last star, and what it has swallowed so far.
        let mut retry = None;
        while let Some(byte) = name.get(in_name) {
            match pattern.get(at) {
                Some(b'*') => {
                    at += 1;
                    retry = Some((at, in_name));
                }
                Some(wanted) if wanted == byte || *wanted == b'?' => {
                    at += 1;
                    in_name += 1;
                }
                _ => {
                    let Some((after_star, from)) = retry else {
                        return false;
                    };
                    (at, in_name) = (after_star, from + 1);
                    retry = Some((after_star, from + 1));
                }
            }
        }
        pattern.iter().skip(at).all(|byte| *byte == b'*')
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn stars_and_question_marks_stand_for_bytes() {
        for (pattern, fits, not) in [
            ("web-*", vec!["web-1", "web-"], vec!["web", "db-web-1", ""]),
            ("*.log*", vec!["a.log", ".log", "a.log.1.gz"], vec!["a.lo", "log"]),
            ("a?c", vec!["abc", "a*c"], vec!["ac", "abbc"]),
            ("*a*b*", vec!["ab", "xaxbx", "aabb"], vec!["ba", "a"]),
            ("", vec![""], vec!["a"]),
            ("*", vec!["", "a", "\u{e9}"], vec![]),
        ] {
            let pattern = Wildcard::new(pattern);
            assert!(fits.iter().all(|name| pattern.fits(name.as_bytes())), "{pattern:?} {fits:?}");
            assert!(!not.iter().any(|name| pattern.fits(name.as_bytes())), "{pattern:?} {not:?}");
        }
    }

    #[test]
    fn many_stars_cost_no_more_than_pattern_times_name() {
        assert!(!Wildcard::new(&"*a".repeat(2_000)).fits(&[b'a'; 1_999]));
    }

    /// By its definition, on few bytes.
    fn naive(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => (0..=name.len()).any(|from| naive(rest, name.get(from..).unwrap_or_default())),
            (Some((wanted, pattern)), Some((byte, name))) if wanted == byte || *wanted == b'?' => naive(pattern, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn the_fast_match_is_the_defined_one(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            prop_assert_eq!(Wildcard::new(&pattern).fits(name.as_bytes()), naive(pattern.as_bytes(), name.as_bytes()));
        }
    }
}
