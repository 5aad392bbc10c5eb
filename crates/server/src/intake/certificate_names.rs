//! The names in a client's certificate: its common name, then its DNS names and URIs.
//!
//! Says nothing of whether the certificate may be believed: rustls has verified it by then. webpki
//! reads the certificate; only the common name inside its subject, which webpki hands out as raw
//! DER (X.690), is read here, because a whole X.509 library for one attribute would bring ten crates.

use rustls_pki_types::CertificateDer;
use webpki::EndEntityCert;

/// Names taken of one certificate; real ones have one to three.
const NAMES_MAX: usize = 16;
/// Bytes of a name: a DNS name has at most 253. A longer one is left out: it could not be matched.
const NAME_BYTES_MAX: usize = 255;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
const OID: u8 = 0x06;
/// id-at-commonName, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// UTF8String, PrintableString, IA5String: the three that are UTF-8 as they are.
const TEXT: [u8; 3] = [0x0c, 0x13, 0x16];

/// Names in `certificate` (DER), the common name first; none if it is no certificate.
#[must_use]
pub fn certificate_names(certificate: &[u8]) -> Vec<String> {
    let der = CertificateDer::from(certificate);
    let Ok(certificate) = EndEntityCert::try_from(&der) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let all = common_name(certificate.subject()).into_iter().chain(certificate.valid_dns_names()).chain(certificate.valid_uri_names());
    for name in all {
        if !name.is_empty() && name.len() <= NAME_BYTES_MAX && names.len() < NAMES_MAX && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
    }
    names
}

/// The last common name of a subject (the most specific one), whose outer SEQUENCE is off already.
#[must_use]
pub fn common_name(subject: &[u8]) -> Option<&str> {
    let mut found = None;
    let mut sets = subject;
    while let Some((SET, mut attributes, rest)) = element(sets) {
        sets = rest;
        while let Some((SEQUENCE, attribute, rest)) = element(attributes) {
            attributes = rest;
            if let Some((OID, COMMON_NAME, value)) = element(attribute)
                && let Some((tag, text, _)) = element(value)
                && TEXT.contains(&tag)
            {
                found = std::str::from_utf8(text).ok().or(found);
            }
        }
    }
    found
}

/// Tag, content and what follows of the first DER element. Lengths up to 65,535: names are short.
fn element(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = bytes.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rustls_pki_types::pem::PemObject as _;

    #[test]
    fn a_certificate_gives_its_common_name_then_its_alternative_names() {
        let pem = include_bytes!("../../tests/golden/tls/client.crt");
        let certificate = CertificateDer::from_pem_slice(pem).unwrap();
        assert_eq!(certificate_names(&certificate), ["web-1.corp.example", "web-1", "spiffe://corp.example/web-1"]);
    }

    #[test]
    fn the_last_common_name_wins_and_other_attributes_are_passed_over() {
        let attribute = |oid: &[u8], text: &str| {
            let value = [&[0x0c, text.len() as u8], text.as_bytes()].concat();
            let inside = [&[OID, oid.len() as u8], oid, &value].concat();
            let sequence = [&[SEQUENCE, inside.len() as u8][..], &inside].concat();
            [&[SET, sequence.len() as u8][..], &sequence].concat()
        };
        let subject = [attribute(&[0x55, 4, 10], "Corp"), attribute(COMMON_NAME, "first"), attribute(COMMON_NAME, "last")].concat();
        assert_eq!(common_name(&subject), Some("last"));
        assert_eq!(common_name(&attribute(&[0x55, 4, 10], "Corp")), None);
    }

    proptest! {
        #[test]
        fn any_bytes_give_bounded_names(bytes: Vec<u8>) {
            let _ = common_name(&bytes);
            prop_assert!(certificate_names(&bytes).len() <= NAMES_MAX);
        }
    }
}
