//! Whether one name may be what rotation made of another.
//!
//! Only consulted when the content agrees as well; it keeps two files that merely begin alike, such
//! as with a banner, from being taken for one.

/// What rotation appends to a file that it compresses.
const COMPRESSED: &str = ".gz";

/// Whether the file `old` may have been copied to, or compressed as, `new`: `audit.log` as
/// `audit.log.1`, `audit.log-20240101.gz` or `audit-20240101.log`, `audit.log.1` as `audit.log.2.gz`.
#[must_use]
pub fn may_be_rotated(old: &str, new: &str) -> bool {
    let (old_dir, old_name) = split(old);
    let (new_dir, new_name) = split(new);
    let (plain_old, plain_new) = (uncompressed(old_name), uncompressed(new_name));
    let stem = plain_old.split('.').next().unwrap_or_default();
    old_dir == new_dir
        && old_name != new_name
        && plain_new.starts_with(stem)
        // Rotation never makes a name shorter: the shorter one is the new log.
        && plain_new.len() >= plain_old.len()
        && (plain_new != plain_old || is_compressed(new_name))
}

/// Whether `new` can be a compressed form of `old`.
#[must_use]
pub fn may_be_compressed(old: &str, new: &str) -> bool {
    is_compressed(new) && !is_compressed(old) && may_be_rotated(old, new)
}

fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

fn uncompressed(name: &str) -> &str {
    name.strip_suffix(COMPRESSED).unwrap_or(name)
}

fn is_compressed(name: &str) -> bool {
    name.ends_with(COMPRESSED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_logrotate_makes_of_a_name_is_known() {
        for (old, new) in [
            ("audit.log", "audit.log.1"),
            ("audit.log", "audit.log-20240101"),
            ("audit.log", "audit-20240101.log"),
            ("audit.log", "audit.log.1.gz"),
            ("audit.log.1", "audit.log.1.gz"),
            ("audit.log.1", "audit.log.2.gz"),
            ("a/audit.log", "a/audit.log.1"),
        ] {
            assert!(may_be_rotated(old, new), "{old} {new}");
            assert_eq!(may_be_compressed(old, new), new.ends_with(".gz"), "{old} {new}");
        }
        for (old, new) in [
            ("audit.log.1", "audit.log"),
            ("audit.log", "audit.log"),
            ("audit.log.1.gz", "audit.log.1"),
            ("a/audit.log", "b/audit.log.1"),
            ("audit.log", "other.log.1"),
        ] {
            assert!(!may_be_rotated(old, new), "{old} {new}");
        }
    }
}
