//! The one place a poller talks to. Whatever a vendor's answer says, no request leaves this origin:
//! a link to the next page is a path on it or it is not followed.

use std::net::IpAddr;

use http::Uri;

/// Scheme, host and port that an administrator configured, with the path that requests begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin {
    scheme: String,
    host: String,
    port: u16,
    base: String,
}

/// Why an address is not one to poll.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginError {
    /// Not a URL with scheme and host.
    #[error("`{0}` is not an address: write it like https://example.okta.com")]
    NotAnAddress(String),
    /// A secret would travel in the clear.
    #[error("`{0}` is not https: a poller sends a secret, so only an address of this machine may do without TLS")]
    InTheClear(String),
    /// User, query or fragment.
    #[error("`{0}` has a user, a query or a fragment: give scheme, host and path alone")]
    Extras(String),
}

/// A link that leads somewhere else.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the answer names a next page outside {origin}: it was not followed")]
pub struct Foreign {
    /// Where it should lead.
    pub origin: String,
}

impl Origin {
    /// Reads a configured base address, such as `https://api.github.com` or `https://host/api/v3`.
    ///
    /// # Errors
    /// [`OriginError`].
    pub fn parse(text: &str) -> Result<Self, OriginError> {
        let uri: Uri = text.parse().map_err(|_| OriginError::NotAnAddress(text.into()))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(OriginError::NotAnAddress(text.into()));
        };
        if authority.as_str().contains('@') || uri.query().is_some() || text.contains('#') {
            return Err(OriginError::Extras(text.into()));
        }
        let host = authority.host().to_ascii_lowercase();
        let port = match (scheme, uri.port_u16()) {
            (_, Some(port)) => port,
            ("https", None) => 443,
            _ => 80,
        };
        if scheme != "https" && !(scheme == "http" && is_loopback(&host)) {
            return Err(OriginError::InTheClear(text.into()));
        }
        let base = uri.path().trim_end_matches('/').to_owned();
        Ok(Self { scheme: scheme.to_owned(), host, port, base })
    }

    /// The address of a path and query below the base.
    #[must_use]
    pub fn below(&self, path_and_query: &str) -> String {
        format!("{self}{}{path_and_query}", self.base)
    }

    /// The address of a path and query at the root of the origin, as [`Origin::path_of`] gave it.
    #[must_use]
    pub fn at(&self, path_and_query: &str) -> String {
        format!("{self}{path_and_query}")
    }

    /// The host and, unless it is the scheme's own, the port.
    #[must_use]
    pub fn authority(&self) -> String {
        let usual = if self.scheme == "https" { 443 } else { 80 };
        if self.port == usual { self.host.clone() } else { format!("{}:{}", self.host, self.port) }
    }

    /// Path and query of a link, if it leads to this origin.
    ///
    /// # Errors
    /// [`Foreign`] if it does not, or is no address.
    pub fn path_of(&self, link: &str) -> Result<String, Foreign> {
        let foreign = || Foreign { origin: self.to_string() };
        let uri: Uri = link.parse().map_err(|_| foreign())?;
        let path = uri.path_and_query().map(http::uri::PathAndQuery::as_str).filter(|path| path.starts_with('/'));
        let path = path.ok_or_else(foreign)?;
        let Some(authority) = uri.authority() else {
            // `//host/path` is an address without a scheme, not a path.
            return if link.starts_with('/') && !link.starts_with("//") { Ok(path.to_owned()) } else { Err(foreign()) };
        };
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let same = uri.scheme_str() == Some(self.scheme.as_str())
            && authority.host().eq_ignore_ascii_case(&self.host)
            && port == self.port
            && !authority.as_str().contains('@');
        if same { Ok(path.to_owned()) } else { Err(foreign()) }
    }
}

impl std::fmt::Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}://{}", self.scheme, self.authority())
    }
}

fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare == "localhost" || bare.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_https_or_this_machine_is_polled() {
        for good in ["https://x.okta.com", "https://x.example:8443/api/v3/", "http://127.0.0.1:9", "http://[::1]:9", "http://localhost"] {
            assert!(Origin::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "x.okta.com",
            "/path",
            "http://x.okta.com",
            "http://127.0.0.1.example",
            "http://10.0.0.1",
            "ftp://127.0.0.1",
            "https://user@x.okta.com",
            "https://x.okta.com/?a=1",
            "https://x.okta.com/#f",
        ] {
            assert!(Origin::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_link_is_followed_on_its_own_origin_alone() {
        let origin = Origin::parse("https://X.okta.com").unwrap();
        assert_eq!(origin.path_of("https://x.okta.com/api/v1/logs?after=1&limit=2").unwrap(), "/api/v1/logs?after=1&limit=2");
        assert_eq!(origin.path_of("https://x.okta.com:443/a").unwrap(), "/a");
        assert_eq!(origin.path_of("/a?b").unwrap(), "/a?b");
        for foreign in [
            "https://y.okta.com/a",
            "http://x.okta.com/a",
            "https://x.okta.com:8443/a",
            "https://x.okta.com@evil.example/a",
            "https://user@x.okta.com/a",
            "//evil.example/a",
            "https://169.254.169.254/latest/meta-data",
            "file:///etc/passwd",
            "a",
            "",
        ] {
            assert!(origin.path_of(foreign).is_err(), "{foreign}");
        }
    }

    #[test]
    fn addresses_are_put_together_below_the_base() {
        let origin = Origin::parse("https://ghe.example:8443/api/v3/").unwrap();
        assert_eq!(origin.below("/orgs/x"), "https://ghe.example:8443/api/v3/orgs/x");
        assert_eq!(origin.at("/api/v3/orgs/x?after=1"), "https://ghe.example:8443/api/v3/orgs/x?after=1");
        assert_eq!(Origin::parse("https://a.example").unwrap().authority(), "a.example");
    }

    proptest! {
        #[test]
        fn whatever_a_link_says_the_request_stays_on_the_origin(link in r"(https?:)?(//)?([a-z.@:\[\]0-9]{0,12})?(/[ -~]{0,12})?|[ -~é]{0,24}") {
            let origin = Origin::parse("https://x.okta.com").unwrap();
            if let Ok(path) = origin.path_of(&link) {
                let uri: Uri = origin.at(&path).parse().unwrap();
                prop_assert_eq!(uri.host(), Some("x.okta.com"));
                prop_assert_eq!(uri.port_u16(), None);
                prop_assert_eq!(uri.scheme_str(), Some("https"));
            }
        }
    }
}
