//! How a server is set up: one file of settings, each of which a flag can override.
//!
//! What holds for a trail (sources, keys, who may read) is not here: that is the fold of its acts,
//! so that it cannot change without leaving a trace. Here stands only what one machine needs to
//! start: where its data lies and where it listens.

mod doors;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

pub use doors::{ClientCertificate, DirectoryConfig, DoorConfig, DoorKind, DoorPlace, DoorTable, DoorTls, PickTable};

/// Where data lies when nobody says.
pub const DATA_DEFAULT: &str = "./indelible-data";
/// Where the demo's data lies when nobody says: never among real events.
pub const DEMO_DATA_DEFAULT: &str = "./indelible-demo";
/// Where the server listens when nobody says: only this machine can reach it.
pub const LISTEN_DEFAULT: &str = "127.0.0.1:8787";

/// How logs are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What is kept for engines that read Parquet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LakeContent {
    /// Nothing.
    Off,
    /// Typed columns of what people filter by: a twentieth of the raw bytes.
    #[default]
    Columns,
    /// And the whole OCSF form of each event as JSON: four times as much.
    Full,
}

/// The settings file, or the flags: whatever is absent is decided elsewhere.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Data directory.
    pub data: Option<PathBuf>,
    /// Address and port.
    pub listen: Option<SocketAddr>,
    /// PEM file of the certificate chain.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of the certificate's private key.
    pub tls_key: Option<PathBuf>,
    /// PEM file of the authorities that sign clients' certificates.
    pub tls_client_ca: Option<PathBuf>,
    /// Whether clients must have one; they may, unless it says so.
    pub tls_client_certificate: Option<ClientCertificate>,
    /// Serve other machines without TLS.
    pub insecure: Option<bool>,
    /// How logs are written.
    pub log_format: Option<LogFormat>,
    /// A checkpoint that the trail must not be behind.
    pub not_before: Option<PathBuf>,
    /// Directory of kinds of sources, beside those built in.
    pub sources: Option<PathBuf>,
    /// Databases that say where an address is.
    pub geoip: Option<Vec<PathBuf>>,
    /// What is kept for engines that read Parquet.
    pub lake: Option<LakeContent>,
    /// Doors beside HTTP.
    #[serde(default, rename = "door")]
    pub doors: Vec<DoorTable>,
}

/// Settings that fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Data directory.
    pub data: PathBuf,
    /// Address and port.
    pub listen: SocketAddr,
    /// TLS, when served with it.
    pub tls: Option<DoorTls>,
    /// How logs are written.
    pub log_format: LogFormat,
    /// A checkpoint that the trail must not be behind.
    pub not_before: Option<PathBuf>,
    /// Directory of kinds of sources, beside those built in.
    pub sources: Option<PathBuf>,
    /// Databases that say where an address is.
    pub geoip: Vec<PathBuf>,
    /// What is kept for engines that read Parquet.
    pub lake: LakeContent,
    /// Doors beside HTTP.
    pub doors: Vec<DoorConfig>,
}

/// PEM files for TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate chain, the server's own certificate first.
    pub cert: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

/// Why a server cannot be set up like this.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{path}: {error}; --config needs a readable file")]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{path} is not a settings file: {why}")]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong, and where.
        why: String,
    },
    /// One half of TLS.
    #[error("TLS needs both: give --tls-cert FILE and --tls-key FILE")]
    HalfTls,
    /// Certificates of clients, and nothing that could verify them.
    #[error(
        "client certificates need TLS and authorities that sign them: give --tls-client-ca FILE with --tls-cert FILE and --tls-key FILE"
    )]
    NoClientAuthorities,
    /// Other machines would read events and keys off the wire.
    #[error(
        "refused to listen on {listen} without TLS: events and API keys would cross the network in the clear; \
         give --tls-cert FILE and --tls-key FILE, or --insecure when something in front of it does TLS"
    )]
    Exposed {
        /// The address asked for.
        listen: SocketAddr,
    },
    /// Other machines would read events off the wire, or send forged ones.
    #[error(
        "refused to open {kind} on {address}: events would cross the network in the clear and anybody could send some; \
         use syslog-tls, or --insecure when the network in front of it is trusted"
    )]
    ExposedDoor {
        /// What was to come in.
        kind: DoorKind,
        /// The address asked for.
        address: SocketAddr,
    },
    /// A door whose settings do not fit together.
    #[error("a door of the kind {kind} cannot be opened like this: {why}")]
    Door {
        /// What was to come in.
        kind: DoorKind,
        /// What is wrong, and what to do.
        why: String,
    },
}

impl Settings {
    /// Reads a settings file (TOML; members are named like the flags of `serve`).
    ///
    /// # Errors
    /// [`ConfigError`] with the line.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
        toml::from_str(&text).map_err(|why| ConfigError::Malformed { path: path.to_owned(), why: why.to_string() })
    }

    /// These settings, and those of `file` where these are silent.
    #[must_use]
    pub fn or(self, file: Self) -> Self {
        Self {
            data: self.data.or(file.data),
            listen: self.listen.or(file.listen),
            tls_cert: self.tls_cert.or(file.tls_cert),
            tls_key: self.tls_key.or(file.tls_key),
            tls_client_ca: self.tls_client_ca.or(file.tls_client_ca),
            tls_client_certificate: self.tls_client_certificate.or(file.tls_client_certificate),
            insecure: self.insecure.or(file.insecure),
            log_format: self.log_format.or(file.log_format),
            not_before: self.not_before.or(file.not_before),
            sources: self.sources.or(file.sources),
            geoip: self.geoip.or(file.geoip),
            lake: self.lake.or(file.lake),
            doors: self.doors.into_iter().chain(file.doors).collect(),
        }
    }

    /// Fills in what is absent and refuses what must not be.
    ///
    /// # Errors
    /// [`ConfigError`].
    pub fn settle(self, data_default: &str) -> Result<Config, ConfigError> {
        let files = match (self.tls_cert, self.tls_key) {
            (Some(cert), Some(key)) => Some(TlsFiles { cert, key }),
            (None, None) => None,
            _ => return Err(ConfigError::HalfTls),
        };
        // A hook, a browser and a person with a key come without one.
        let wanted = self.tls_client_certificate;
        let clients = self.tls_client_ca.map(|authorities| (authorities, wanted.unwrap_or(ClientCertificate::Optional)));
        let tls = match (files, clients, wanted) {
            (Some(files), clients @ Some(_), _) | (Some(files), clients @ None, None) => Some(DoorTls { files, clients }),
            (None, None, None) => None,
            _ => return Err(ConfigError::NoClientAuthorities),
        };
        let listen = self.listen.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], 8787)));
        if !listen.ip().is_loopback() && tls.is_none() && !self.insecure.unwrap_or(false) {
            return Err(ConfigError::Exposed { listen });
        }
        let insecure = self.insecure.unwrap_or(false);
        let doors =
            self.doors.into_iter().map(|door| door.settle(tls.as_ref().map(|tls| &tls.files), insecure)).collect::<Result<_, _>>()?;
        Ok(Config {
            doors,
            data: self.data.unwrap_or_else(|| data_default.into()),
            listen,
            tls,
            log_format: self.log_format.unwrap_or_default(),
            not_before: self.not_before,
            sources: self.sources,
            geoip: self.geoip.unwrap_or_default(),
            lake: self.lake.unwrap_or_default(),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;

    fn listening_on(address: &str) -> Settings {
        Settings { listen: Some(address.parse().unwrap()), ..Settings::default() }
    }

    #[test]
    fn without_settings_only_this_machine_is_served() {
        let config = Settings::default().settle(DATA_DEFAULT).unwrap();
        assert_eq!(config.listen.to_string(), LISTEN_DEFAULT);
        assert_eq!(config.data, Path::new(DATA_DEFAULT));
    }

    #[test]
    fn another_address_needs_tls_or_a_plain_word() {
        for address in ["0.0.0.0:8787", "[::]:8787", "192.0.2.1:443"] {
            assert!(matches!(listening_on(address).settle(DATA_DEFAULT), Err(ConfigError::Exposed { .. })), "{address}");
            let plain = Settings { insecure: Some(true), ..listening_on(address) };
            assert!(plain.settle(DATA_DEFAULT).is_ok());
            let tls = Settings { tls_cert: Some("c".into()), tls_key: Some("k".into()), ..listening_on(address) };
            assert!(tls.settle(DATA_DEFAULT).unwrap().tls.is_some());
        }
        for address in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1"] {
            assert!(listening_on(address).settle(DATA_DEFAULT).is_ok(), "{address}");
        }
    }

    #[test]
    fn a_certificate_without_its_key_is_refused() {
        let half = Settings { tls_cert: Some("c".into()), ..Settings::default() };
        assert!(matches!(half.settle(DATA_DEFAULT), Err(ConfigError::HalfTls)));
    }

    #[test]
    fn client_certificates_are_optional_unless_required_and_need_tls_and_authorities() {
        let tls = Settings { tls_cert: Some("c".into()), tls_key: Some("k".into()), ..Settings::default() };
        assert_eq!(tls.clone().settle(DATA_DEFAULT).unwrap().tls.unwrap().clients, None);
        let trusting = Settings { tls_client_ca: Some("ca".into()), ..tls.clone() };
        let clients = |settings: Settings| settings.settle(DATA_DEFAULT).unwrap().tls.unwrap().clients.unwrap();
        assert_eq!(clients(trusting.clone()), ("ca".into(), ClientCertificate::Optional));
        let required = Some(ClientCertificate::Required);
        assert_eq!(clients(Settings { tls_client_certificate: required, ..trusting }), ("ca".into(), ClientCertificate::Required));
        let without_tls = Settings { tls_client_ca: Some("ca".into()), ..Settings::default() };
        for wrong in [without_tls, Settings { tls_client_certificate: required, ..tls }] {
            assert!(matches!(wrong.settle(DATA_DEFAULT), Err(ConfigError::NoClientAuthorities)));
        }
    }

    #[test]
    fn a_flag_wins_over_the_file_and_an_unknown_setting_is_refused() {
        let file: Settings = toml::from_str("data = \"/var/lib/indelible\"\nlisten = \"127.0.0.1:1\"\nlog-format = \"json\"").unwrap();
        let config = listening_on("127.0.0.1:2").or(file).settle(DATA_DEFAULT).unwrap();
        assert_eq!((config.listen.port(), config.log_format), (2, LogFormat::Json));
        assert_eq!(config.data, Path::new("/var/lib/indelible"));
        assert!(toml::from_str::<Settings>("lsten = \"127.0.0.1:1\"").is_err());
    }
}
