//! One fetch of a key set over HTTPS, bounded in time and bytes.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use ureq::http::Uri;
use ureq::tls::{PemItem, RootCerts, TlsConfig, TlsProvider, parse_pem};

use crate::access::jws::KEYS_BYTES_MAX;

/// Time for all of it. A webhook's sender waits meanwhile; Okta gives up after three seconds.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Where systems keep the certificates of authorities; the variable comes first.
const AUTHORITIES: [&str; 4] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem", "/etc/ssl/ca-bundle.pem"];

/// Fetches the bytes at `url`: `https`, or `http` from this machine itself.
///
/// # Errors
/// What went wrong, in words.
pub fn fetch(url: &str) -> Result<Vec<u8>, String> {
    let uri: Uri = url.parse().map_err(|_| "the address is none".to_owned())?;
    let mut config = ureq::Agent::config_builder()
        // A redirect could lead inside our own network.
        .max_redirects(0)
        .user_agent(concat!("indelible/", env!("CARGO_PKG_VERSION")))
        .timeout_global(Some(TIMEOUT));
    match uri.scheme_str() {
        Some("https") => config = config.tls_config(tls()?),
        Some("http") if is_loopback(&uri) => {}
        _ => return Err("the address must begin with https://: keys fetched in the clear prove nothing".into()),
    }
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.get(url).call().map_err(|why| why.to_string())?;
    answer.body_mut().with_config().limit(KEYS_BYTES_MAX as u64).read_to_vec().map_err(|why| why.to_string())
}

fn is_loopback(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

fn tls() -> Result<TlsConfig, String> {
    let given = std::env::var_os("SSL_CERT_FILE").map(std::path::PathBuf::from);
    let system = AUTHORITIES.iter().map(Path::new).find(|path| path.exists()).map(Path::to_owned);
    let file = given.or(system).ok_or("no certificates of authorities were found on this machine: set SSL_CERT_FILE")?;
    let pem = std::fs::read(&file).map_err(|why| format!("{}: {why}", file.display()))?;
    let certificates: Vec<_> = parse_pem(&pem)
        .filter_map(|item| if let Ok(PemItem::Certificate(certificate)) = item { Some(certificate) } else { None })
        .collect();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = TlsConfig::builder().provider(TlsProvider::Rustls).unversioned_rustls_crypto_provider(provider);
    Ok(config.root_certs(RootCerts::new_with_certs(&certificates)).build())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_not_fetched_in_the_clear() {
        for url in ["http://keys.example/jwks", "ftp://keys.example/jwks", "/etc/passwd", "file:///etc/passwd", "http://10.0.0.1/jwks", ""]
        {
            assert!(fetch(url).is_err_and(|why| why.contains("address")), "{url}");
        }
    }
}
