//! One spelling for each value: base64 and decimals as the C2SP formats write them.
//!
//! A signature covers bytes, so two spellings of one value would be two different signed texts, and
//! a verifier that reads both leniently invites someone to make use of it. Everything here refuses
//! what it would not have written itself.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// A text that is not the one canonical spelling of a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotCanonical {
    /// Wrong alphabet, missing padding, or bits set behind the last byte.
    #[error("not canonical base64: use the standard alphabet with padding and no spaces")]
    Base64,
    /// Good base64 of the wrong number of bytes.
    #[error("{got} bytes in base64 where {expected} are needed")]
    Length {
        /// Bytes the value has.
        expected: usize,
        /// Bytes the text holds.
        got: usize,
    },
    /// Empty, leading zero, sign, space, another character, or past `u64::MAX`.
    #[error("not a canonical decimal number: digits only, no leading zero, below 2^64")]
    Decimal,
    /// Not pairs of lower-case hexadecimal digits.
    #[error("not canonical hexadecimal: pairs of digits 0-9 and a-f in lower case")]
    Hex,
}

/// Standard base64 with padding. RFC 4648 §4.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// The bytes of canonical standard base64.
///
/// # Errors
/// [`NotCanonical::Base64`] for whatever [`base64()`] would not have written.
pub fn from_base64(text: &str) -> Result<Vec<u8>, NotCanonical> {
    STANDARD.decode(text).map_err(|_| NotCanonical::Base64)
}

/// The bytes of canonical standard base64, exactly `N` of them.
///
/// # Errors
/// [`NotCanonical::Base64`] for bad base64, [`NotCanonical::Length`] for another number of bytes.
pub fn from_base64_exact<const N: usize>(text: &str) -> Result<[u8; N], NotCanonical> {
    let bytes = from_base64(text)?;
    let got = bytes.len();
    bytes.try_into().map_err(|_| NotCanonical::Length { expected: N, got })
}

/// A decimal number without leading zeros: `0` or digits that begin with 1 to 9.
///
/// # Errors
/// [`NotCanonical::Decimal`] for anything else, numbers from 2^64 on included.
pub fn from_decimal(text: &str) -> Result<u64, NotCanonical> {
    let canonical = match text.as_bytes() {
        [b'0'] => true,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    if !canonical {
        return Err(NotCanonical::Decimal);
    }
    text.parse().map_err(|_| NotCanonical::Decimal)
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of lower-case hexadecimal, exactly `N` of them.
///
/// # Errors
/// [`NotCanonical::Hex`] for upper case, other characters or another length.
pub fn from_hex_exact<const N: usize>(text: &str) -> Result<[u8; N], NotCanonical> {
    let (pairs, odd) = text.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !odd.is_empty() {
        return Err(NotCanonical::Hex);
    }
    let mut bytes = [0_u8; N];
    for (to, [high, low]) in bytes.iter_mut().zip(pairs) {
        *to = hex_digit(*high)? << 4 | hex_digit(*low)?;
    }
    Ok(bytes)
}

fn hex_digit(digit: u8) -> Result<u8, NotCanonical> {
    match digit {
        b'0'..=b'9' => Ok(digit - b'0'),
        b'a'..=b'f' => Ok(digit - b'a' + 10),
        _ => Err(NotCanonical::Hex),
    }
}
