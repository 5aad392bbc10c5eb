//! The values that differ in every event, and how they are written over in place.

use crate::seeded::spread;

/// Where a value that must differ in every event stands, so that it can be written over in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdSlot {
    /// Offset from the event's first byte.
    pub at: usize,
    /// Its form, which fixes its length.
    pub form: IdForm,
}

/// The two forms of ids in CloudTrail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdForm {
    /// 36 characters, version 4.
    Uuid,
    /// S3's request ids: 16 characters of 0–9 and A–Z.
    Short,
}

/// The unique values of one event.
#[derive(Clone, Copy, Debug)]
pub struct Ids {
    /// `eventID`.
    pub event: IdSlot,
    /// `requestID`.
    pub request: IdSlot,
}

pub(super) fn uuid(high: u64, low: u64) -> String {
    let mut out = [0u8; 36];
    write_uuid(&mut out, high, low);
    String::from_utf8_lossy(&out).into_owned()
}

pub(super) fn short_id(high: u64, low: u64) -> String {
    let mut out = [0u8; 16];
    write_short(&mut out, high, low);
    String::from_utf8_lossy(&out).into_owned()
}

impl IdSlot {
    /// Writes the id that `serial` stands for over the one in `event`. Different serials give
    /// different ids; their bits look random, so they compress no better than real ones.
    pub fn renew(self, event: &mut [u8], serial: u64) {
        let (high, low) = (spread(serial), spread(serial ^ 0xa5a5_a5a5_a5a5_a5a5));
        match self.form {
            IdForm::Uuid => {
                if let Some(place) = event.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
                    write_uuid(place, high, low);
                }
            }
            IdForm::Short => {
                if let Some(place) = event.get_mut(self.at..).and_then(<[u8]>::first_chunk_mut) {
                    write_short(place, high, low);
                }
            }
        }
    }
}

fn write_uuid(place: &mut [u8; 36], high: u64, low: u64) {
    let mut digits = (u128::from(high) << 64) | u128::from(low);
    for (position, byte) in place.iter_mut().enumerate().rev() {
        let nibble = (digits & 15) as u8;
        *byte = match position {
            8 | 13 | 18 | 23 => b'-',
            14 => b'4',
            19 => hex_digit(8 | (nibble & 3)),
            _ => hex_digit(nibble),
        };
        if !matches!(position, 8 | 13 | 18 | 23) {
            digits >>= 4;
        }
    }
}

const fn hex_digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

fn write_short(place: &mut [u8; 16], high: u64, low: u64) {
    // 8 base-36 digits from each half: a serial's id stays its own.
    let (front, back) = place.split_at_mut(8);
    for (half, bits) in [(front, high), (back, low)] {
        let mut rest = bits;
        for byte in half {
            let digit = (rest % 36) as u8;
            *byte = if digit < 10 { b'0' + digit } else { b'A' + digit - 10 };
            rest /= 36;
        }
    }
}
