//! Who and what is in the made-up accounts: names from numbers, the same name every time.

use crate::seeded::{Seeded, spread};

const GIVEN: &[&str] = &[
    "maria", "james", "wei", "fatima", "olu", "anna", "david", "priya", "lucas", "hana", "omar", "sofia", "ivan", "chloe", "ravi", "nora",
    "tomas", "aisha", "kenji", "elena",
];
const FAMILY: &[&str] = &[
    "lopez", "smith", "chen", "haddad", "okafor", "kovacs", "miller", "nair", "silva", "sato", "rahman", "rossi", "petrov", "martin",
    "gupta", "larsen", "novak", "diallo", "mori", "weber",
];
pub(super) const TEAMS: &[&str] = &["payments", "identity", "search", "billing", "ledger", "mobile", "data", "platform", "growth", "risk"];
pub(super) const THINGS: &[&str] = &[
    "api", "worker", "ingest", "export", "cron", "webhook", "sync", "reader", "writer", "gateway", "batch", "audit", "cache", "stream",
    "notify",
];
pub(super) fn pick<'a>(table: &[&'a str], number: u64) -> &'a str {
    let place = usize::try_from(number % table.len() as u64).unwrap_or(0);
    table.get(place).copied().unwrap_or("")
}

pub(super) fn account_number(account: u64) -> String {
    format!("{:012}", spread(account + 1) % 1_000_000_000_000)
}

pub(super) fn person_name(person: u64) -> String {
    format!("{}.{}", pick(GIVEN, person), pick(FAMILY, person / 20 + 7 * person))
}

pub(super) fn role_name(role: u64) -> String {
    format!("{}-{}", pick(TEAMS, role), pick(THINGS, role / 10 + 7 * role))
}

pub(super) fn bucket_name(bucket: u64) -> String {
    format!("meridian-{}-{}-{}", pick(TEAMS, bucket), pick(THINGS, bucket / 10 + 7 * bucket), bucket / 150 + 1)
}

pub(super) fn fleet_id(number: u64) -> String {
    format!("0{:016x}", spread(number ^ 0x5eed))
}

/// `length` characters of A–Z and 2–7: how IAM writes its ids.
pub(super) fn key_id(bits: u64, length: usize) -> String {
    let mut state = Seeded::new(bits);
    (0..length).map(|_| char::from(state.one_of(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"))).collect()
}

pub(super) fn base64_like(random: &mut Seeded, length: usize) -> String {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    (0..length).map(|_| char::from(random.one_of(ALPHABET))).collect()
}

/// Seconds since 1970 as RFC 3339 in UTC (Howard Hinnant's civil-from-days).
pub(super) fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let z = days + 719_468;
    let era = z / 146_097;
    let of_era = z % 146_097;
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}
