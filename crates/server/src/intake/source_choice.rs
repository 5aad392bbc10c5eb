//! Which source a message belongs to: the listener's own, or that of the first rule that fits.
//!
//! Sources are named in settings alone. A sender can choose among them by what he says of himself,
//! never make one, so that a flood of made-up host names costs neither acts nor memory.

use std::net::IpAddr;
use std::str::FromStr;

use super::source_name::SourceName;
use super::syslog_header::SyslogHeader;
use super::wildcard::Wildcard;

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    prefix: u32,
    v4: bool,
}

/// Not a range of addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a range of addresses: write 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32")]
pub struct InvalidNetwork;

impl Network {
    /// Whether `address` lies in it. An IPv4 address that came over IPv6 is an IPv4 address.
    #[must_use]
    pub fn holds(&self, address: IpAddr) -> bool {
        let (bits, v4) = bits(address.to_canonical());
        let width = if v4 { 32 } else { 128 };
        // A shift by all bits is what `/0` asks for.
        let differing = (bits ^ self.bits).checked_shr(width - self.prefix.min(width)).unwrap_or(0);
        v4 == self.v4 && differing == 0
    }
}

/// Bits before an IPv4 address that is written as one of IPv6 (RFC 4291 §2.5.5.2).
const MAPPED_BITS: u32 = 96;

fn bits(address: IpAddr) -> (u128, bool) {
    match address {
        IpAddr::V4(address) => (u128::from(address.to_bits()), true),
        IpAddr::V6(address) => (address.to_bits(), false),
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| InvalidNetwork)?;
        let width = if address.is_ipv4() { 32 } else { 128 };
        let prefix: u32 = prefix.map_or(Ok(width), str::parse).map_err(|_| InvalidNetwork)?;
        if prefix > width {
            return Err(InvalidNetwork);
        }
        // `::ffff:10.0.0.0/104` are the addresses of 10.0.0.0/8: those that came over IPv6 are IPv4 addresses here.
        match (address.to_canonical(), prefix.checked_sub(MAPPED_BITS)) {
            (own @ IpAddr::V4(_), Some(prefix)) if address.is_ipv6() => Ok(Self { bits: bits(own).0, prefix, v4: true }),
            _ => Ok(Self { bits: bits(address).0, prefix, v4: address.is_ipv4() }),
        }
    }
}

/// One rule: everything that it names must fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceRule {
    /// The address that the message came from. It cannot be forged over TCP or TLS, and can over UDP.
    pub sender: Option<Network>,
    /// A name in the client's certificate: as authentic as the authority that signed it.
    pub certificate: Option<Wildcard>,
    /// The host that the message names.
    pub host: Option<Wildcard>,
    /// The program that the message names.
    pub app: Option<Wildcard>,
    /// Whose messages these are.
    pub source: SourceName,
}

/// Who sent a message, as far as the door itself can tell.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sender<'a> {
    /// The other end's address; none over a UNIX socket.
    pub address: Option<IpAddr>,
    /// Names in the client's certificate.
    pub names: &'a [String],
}

/// The listener's source and its rules, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceChoice {
    /// For messages that no rule fits.
    pub source: SourceName,
    /// The first that fits wins.
    pub rules: Vec<SourceRule>,
}

impl SourceChoice {
    /// Everything belongs to `source`.
    #[must_use]
    pub const fn only(source: SourceName) -> Self {
        Self { source, rules: Vec::new() }
    }

    /// The source of `message`: 0 is the listener's own, `n` that of the rule `n - 1`; see
    /// [`SourceChoice::name`].
    #[must_use]
    pub fn of(&self, sender: Sender<'_>, message: &[u8]) -> usize {
        if self.rules.is_empty() {
            return 0;
        }
        let header = SyslogHeader::read(message);
        self.rules.iter().position(|rule| rule.fits(sender, &header)).map_or(0, |nth| nth + 1)
    }

    /// The name behind a number of [`SourceChoice::of`].
    #[must_use]
    pub fn name(&self, number: usize) -> &SourceName {
        number.checked_sub(1).and_then(|nth| self.rules.get(nth)).map_or(&self.source, |rule| &rule.source)
    }
}

impl SourceRule {
    /// Whether what it says of the sender fits, whatever it says of messages.
    #[must_use]
    pub fn fits_sender(&self, sender: Sender<'_>) -> bool {
        self.sender.is_none_or(|network| sender.address.is_some_and(|address| network.holds(address)))
            && self.certificate.as_ref().is_none_or(|pattern| sender.names.iter().any(|name| pattern.fits(name.as_bytes())))
    }

    fn fits(&self, sender: Sender<'_>, header: &SyslogHeader<'_>) -> bool {
        let named = |pattern: &Option<Wildcard>, name: Option<&[u8]>| {
            pattern.as_ref().is_none_or(|pattern| name.is_some_and(|name| pattern.fits(name)))
        };
        self.fits_sender(sender) && named(&self.host, header.host) && named(&self.app, header.app)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_network_holds_its_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.8"),
            ("192.0.2.6/31", "192.0.2.7", "192.0.2.8"),
            ("0.0.0.0/0", "203.0.113.9", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::/0", "2001:db8::1", "192.0.2.7"),
            ("192.0.2.0/24", "::ffff:192.0.2.9", "::192.0.2.9"),
            ("::ffff:192.0.2.0/120", "192.0.2.9", "192.0.3.9"),
            ("::ffff:192.0.2.9", "192.0.2.9", "192.0.2.8"),
        ] {
            let network: Network = network.parse().unwrap();
            assert!(network.holds(inside.parse().unwrap()), "{network:?} {inside}");
            assert!(!network.holds(outside.parse().unwrap()), "{network:?} {outside}");
        }
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "10.0.0.0/", "10.0.0.0/x", "host"] {
            assert_eq!(text.parse::<Network>(), Err(InvalidNetwork), "{text}");
        }
    }

    fn rule(source: &str) -> SourceRule {
        SourceRule { sender: None, certificate: None, host: None, app: None, source: source.parse().unwrap() }
    }

    #[test]
    fn the_first_rule_of_which_everything_fits_names_the_source() {
        let choice = SourceChoice {
            source: "other".parse().unwrap(),
            rules: vec![
                SourceRule { host: Some(Wildcard::new("web-*")), app: Some(Wildcard::new("sshd")), ..rule("web-ssh") },
                SourceRule { host: Some(Wildcard::new("web-*")), ..rule("web") },
                SourceRule { sender: Some("10.0.0.0/8".parse().unwrap()), ..rule("inside") },
                SourceRule { certificate: Some(Wildcard::new("*.corp.example")), ..rule("corp") },
            ],
        };
        let names = ["db-1".to_owned(), "db-1.corp.example".to_owned()];
        let of = |address: Option<&str>, names, message: &str| {
            let sender = Sender { address: address.map(|address| address.parse().unwrap()), names };
            choice.name(choice.of(sender, message.as_bytes())).as_str()
        };
        assert_eq!(of(None, &[], "<13>1 - web-1 sshd - - -"), "web-ssh");
        assert_eq!(of(None, &[], "<13>1 - web-1 sudo - - -"), "web");
        assert_eq!(of(Some("10.1.2.3"), &[], "<13>1 - db-1 sshd - - -"), "inside");
        assert_eq!(of(Some("192.0.2.1"), &names, "<13>1 - db-1 sshd - - -"), "corp");
        assert_eq!(of(Some("192.0.2.1"), &[], "anything"), "other");
    }

    proptest! {
        #[test]
        fn a_message_never_leads_outside_the_settings(message: Vec<u8>, address: [u8; 4]) {
            let choice = SourceChoice { source: "a".parse().unwrap(), rules: vec![SourceRule { host: Some(Wildcard::new("*")), ..rule("b") }] };
            let chosen = choice.of(Sender { address: Some(address.into()), names: &[] }, &message);
            prop_assert!(chosen <= 1);
        }
    }
}
