//! The bucket: asking for a listing or a file, and reading a listing. Addresses have the bucket in
//! their path, which AWS and all that is compatible with it understand.

use serde::Deserialize;

use crate::door::poll::origin::Origin;
use crate::door::poll::paged::query;
use crate::door::poll::{Ask, Scope, Trouble};

/// Largest file taken in, as stored. CloudTrail cuts its files at 50 MB of JSON, about 5 MB stored.
pub const STORED_BYTES_MAX: usize = 64 << 20;
/// And decompressed.
pub const PLAIN_BYTES_MAX: usize = 256 << 20;
/// SHA-256 of nothing, in hexadecimal: what a request without a body is signed with.
const HASH_OF_NOTHING: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// A bucket at its origin.
#[derive(Clone, Debug)]
pub struct Bucket {
    /// Where.
    pub origin: Origin,
    /// Its region.
    pub region: String,
    /// Its name.
    pub name: String,
}

/// A page of a listing.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// Names of files, in order.
    pub keys: Vec<String>,
    /// Names of folders, in order, when folders were asked for.
    pub folders: Vec<String>,
    /// There is more behind the last of them.
    pub more: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Xml {
    #[serde(default)]
    is_truncated: bool,
    #[serde(default)]
    contents: Vec<XmlFile>,
    #[serde(default)]
    common_prefixes: Vec<XmlFolder>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlFile {
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct XmlFolder {
    prefix: String,
}

/// Which part of a bucket.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// What names begin with.
    pub prefix: &'a str,
    /// Names behind this one.
    pub after: &'a str,
    /// The folders right below the prefix, not the files.
    pub folders: bool,
}

impl Bucket {
    /// A page of names.
    #[must_use]
    pub fn list(&self, listed: Listed<'_>) -> Ask {
        let mut pairs = vec![("list-type", "2"), ("max-keys", "1000"), ("prefix", listed.prefix)];
        if !listed.after.is_empty() {
            pairs.push(("start-after", listed.after));
        }
        if listed.folders {
            pairs.push(("delimiter", "/"));
        }
        self.ask(&format!("?{}", query(&pairs)))
    }

    /// A file.
    #[must_use]
    pub fn get(&self, key: &str) -> Ask {
        let path: Vec<String> =
            key.split('/').map(|part| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>().replace('+', "%20")).collect();
        Ask { answer_bytes_max: STORED_BYTES_MAX, ..self.ask(&format!("/{}", path.join("/"))) }
    }

    fn ask(&self, rest: &str) -> Ask {
        let mut ask = Ask::get(self.origin.below(&format!("/{}{rest}", self.name)));
        ask.headers = vec![("x-amz-content-sha256", HASH_OF_NOTHING.to_owned())];
        ask.scope = Some(Scope { service: "s3", region: self.region.clone() });
        ask
    }
}

/// Reads the answer to [`Bucket::list`].
///
/// # Errors
/// [`Trouble::Shape`].
pub fn listing(body: &[u8]) -> Result<Listing, Trouble> {
    let shape = |why: String| Trouble::Shape("S3", format!("not a listing ({why})"));
    let text = std::str::from_utf8(body).map_err(|why| shape(why.to_string()))?;
    let xml: Xml = quick_xml::de::from_str(text).map_err(|why| shape(why.to_string()))?;
    let keys = xml.contents.into_iter().map(|file| file.key).collect();
    let folders = xml.common_prefixes.into_iter().map(|folder| folder.prefix).collect();
    Ok(Listing { keys, folders, more: xml.is_truncated })
}

/// Whether a name is one that a bucket may have.
#[must_use]
pub fn is_bucket_name(name: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-' || byte == b'.';
    (3..=63).contains(&name.len()) && name.bytes().all(fits) && !name.starts_with(['.', '-']) && !name.contains("..")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_listing_is_read_with_files_folders_and_whether_there_is_more() {
        let body = br#"<?xml version="1.0" encoding="UTF-8"?>
<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Name>b</Name><Prefix>p</Prefix><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys>
<IsTruncated>true</IsTruncated><NextContinuationToken>x=</NextContinuationToken>
<Contents><Key>p/a&amp;b.json.gz</Key><LastModified>2026-01-02T03:04:05.000Z</LastModified><ETag>&quot;e&quot;</ETag><Size>5</Size><StorageClass>STANDARD</StorageClass></Contents>
<Contents><Key>p/c</Key><Size>5</Size></Contents><CommonPrefixes><Prefix>p/d/</Prefix></CommonPrefixes></ListBucketResult>"#;
        let read = listing(body).unwrap();
        assert_eq!(read, Listing { keys: vec!["p/a&b.json.gz".into(), "p/c".into()], folders: vec!["p/d/".into()], more: true });
        assert_eq!(listing(b"<ListBucketResult></ListBucketResult>").unwrap(), Listing::default());
        for bad in [b"".as_slice(), b"{}", b"<html><body>no", b"\xff"] {
            assert!(listing(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_encoded_in_the_address() {
        let bucket = Bucket {
            origin: Origin::parse("https://s3.eu-central-1.amazonaws.com").unwrap(),
            region: "eu-central-1".into(),
            name: "b-1".into(),
        };
        assert_eq!(bucket.get("p q/a+b?c.gz").url, "https://s3.eu-central-1.amazonaws.com/b-1/p%20q/a%2Bb%3Fc.gz");
        let listed = Listed { prefix: "p/", after: "p/a", folders: true };
        assert_eq!(
            bucket.list(listed).url,
            "https://s3.eu-central-1.amazonaws.com/b-1?list-type=2&max-keys=1000&prefix=p%2F&start-after=p%2Fa&delimiter=%2F"
        );
    }

    #[test]
    fn names_that_no_bucket_has_are_refused() {
        assert!(is_bucket_name("my-trail.logs-1"));
        for bad in ["", "ab", "A-bucket", "a/b", "a..b", "-ab", &"x".repeat(64)] {
            assert!(!is_bucket_name(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn no_body_panics(body in "(<(/)?(ListBucketResult|Contents|Key|IsTruncated|CommonPrefixes|Prefix)>|true|[a-z&;<>/\"'= ]|&amp;|<!\\[CDATA\\[){0,24}") {
            let _ = listing(body.as_bytes());
        }
    }
}
