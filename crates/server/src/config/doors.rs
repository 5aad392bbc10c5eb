//! Doors beside HTTP: listeners for syslog and lines, and watched directories.
//!
//! Which door a machine opens is a setting of that machine, like the address of the HTTP listener
//! and by the same rule: what would cross a network in the clear has to be asked for.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use serde::Deserialize;

use super::{ConfigError, TlsFiles};

/// What comes in by a door.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DoorKind {
    /// Syslog, one message a datagram. Lossy: a datagram that finds no room is gone.
    SyslogUdp,
    /// Syslog over TCP (RFC 6587).
    SyslogTcp,
    /// Syslog over TLS (RFC 5425).
    SyslogTls,
    /// Datagrams on a UNIX socket, as on `/dev/log`.
    SyslogUnix,
    /// Lines over TCP or a UNIX socket, such as Vault's audit device sends.
    Lines,
    /// The files of a directory.
    Files,
}

impl DoorKind {
    /// Its name in settings, envelopes and records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SyslogUdp => "syslog-udp",
            Self::SyslogTcp => "syslog-tcp",
            Self::SyslogTls => "syslog-tls",
            Self::SyslogUnix => "syslog-unix",
            Self::Lines => "lines",
            Self::Files => "files",
        }
    }

    /// The source of what comes in, when nobody says.
    const fn source(self) -> Option<&'static str> {
        match self {
            Self::SyslogUdp | Self::SyslogTcp | Self::SyslogTls | Self::SyslogUnix => Some("syslog"),
            Self::Lines | Self::Files => None,
        }
    }
}

impl fmt::Display for DoorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Whether a client must show a certificate.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificate {
    /// It must.
    #[default]
    Required,
    /// It may; one that it shows must be good.
    Optional,
}

/// One `[[door]]` of the settings file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DoorTable {
    /// What comes in.
    pub kind: DoorKind,
    /// `HOST:PORT`, or the path of a UNIX socket.
    pub address: Option<String>,
    /// The source of what no rule picks.
    pub source: Option<String>,
    /// Rules, in order.
    #[serde(default)]
    pub pick: Vec<PickTable>,
    /// Connections at once.
    pub connections: Option<usize>,
    /// Datagrams that may wait for the log.
    pub datagrams: Option<usize>,
    /// How long a connection may say nothing.
    pub idle_seconds: Option<u64>,
    /// How long one message may take to arrive.
    pub message_seconds: Option<u64>,
    /// PEM file of the certificate chain; the server's own when absent.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its private key.
    pub tls_key: Option<PathBuf>,
    /// PEM file of the authorities that sign clients' certificates.
    pub client_ca: Option<PathBuf>,
    /// Whether clients must have one.
    pub client_certificate: Option<ClientCertificate>,
    /// The directory.
    pub directory: Option<PathBuf>,
    /// Names of the files that are read.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// Directories inside it too.
    #[serde(default)]
    pub recursive: bool,
    /// Remove files of which everything is kept and to which nothing is added.
    #[serde(default)]
    pub remove: bool,
    /// When a file that must be complete is complete.
    pub stable_seconds: Option<u64>,
}

/// One `[[door.pick]]`: everything in it must fit.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PickTable {
    /// Address or range of the sender.
    pub sender: Option<String>,
    /// Pattern of a name in the client's certificate.
    pub certificate: Option<String>,
    /// Pattern of the host that a message names.
    pub host: Option<String>,
    /// Pattern of the program that a message names.
    pub app: Option<String>,
    /// The source of what fits.
    pub source: String,
}

/// Where a door is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DoorPlace {
    /// On a network.
    Net(SocketAddr),
    /// In the file system.
    Unix(PathBuf),
    /// A directory and how it is watched.
    Directory(DirectoryConfig),
}

impl fmt::Display for DoorPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Net(address) => write!(f, "{address}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
            Self::Directory(of) => write!(f, "{}", of.path.display()),
        }
    }
}

/// A directory and how it is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryConfig {
    /// Its path.
    pub path: PathBuf,
    /// Names of the files that are read; none: all.
    pub patterns: Vec<String>,
    /// Directories inside it too.
    pub recursive: bool,
    /// Remove what is kept.
    pub remove: bool,
    /// See [`DoorTable::stable_seconds`].
    pub stable_seconds: Option<u64>,
}

/// TLS of a door.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorTls {
    /// Its own certificate.
    pub files: TlsFiles,
    /// Who signs clients' certificates, and whether they need one.
    pub clients: Option<(PathBuf, ClientCertificate)>,
}

/// A door whose settings fit together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DoorConfig {
    /// What comes in.
    pub kind: DoorKind,
    /// Where.
    pub place: DoorPlace,
    /// The source of what no rule picks.
    pub source: String,
    /// Rules, in order.
    pub pick: Vec<PickTable>,
    /// TLS, where the kind has it.
    pub tls: Option<DoorTls>,
    /// Connections at once.
    pub connections: Option<usize>,
    /// Datagrams that may wait for the log.
    pub datagrams: Option<usize>,
    /// How long a connection may say nothing.
    pub idle_seconds: Option<u64>,
    /// How long one message may take to arrive.
    pub message_seconds: Option<u64>,
}

impl DoorTable {
    fn new(kind: DoorKind) -> Self {
        Self {
            kind,
            address: None,
            source: None,
            pick: Vec::new(),
            connections: None,
            datagrams: None,
            idle_seconds: None,
            message_seconds: None,
            tls_cert: None,
            tls_key: None,
            client_ca: None,
            client_certificate: None,
            directory: None,
            patterns: Vec::new(),
            recursive: false,
            remove: false,
            stable_seconds: None,
        }
    }

    /// A listener from a flag: `ADDRESS` or `ADDRESS=SOURCE`.
    #[must_use]
    pub fn listening(kind: DoorKind, flag: &str) -> Self {
        let (address, source) = flag.rsplit_once('=').map_or((flag, None), |(address, source)| (address, Some(source.to_owned())));
        Self { address: Some(address.to_owned()), source, ..Self::new(kind) }
    }

    /// A listener for Vault's audit device from a flag: as [`DoorTable::listening`], the source being
    /// `vault` unless another is named.
    #[must_use]
    pub fn vault(flag: &str) -> Self {
        let door = Self::listening(DoorKind::Lines, flag);
        Self { source: door.source.or_else(|| Some("vault".to_owned())), ..door }
    }

    /// A watched directory from a flag: `DIR:SOURCE`.
    #[must_use]
    pub fn watching(flag: &str) -> Self {
        let (directory, source) = flag.rsplit_once(':').map_or((flag, None), |(directory, source)| (directory, Some(source.to_owned())));
        Self { directory: Some(directory.into()), source, ..Self::new(DoorKind::Files) }
    }

    fn wrong(&self, why: impl Into<String>) -> ConfigError {
        ConfigError::Door { kind: self.kind, why: why.into() }
    }

    /// Refuses what does not fit together and what must not be open.
    ///
    /// # Errors
    /// [`ConfigError::Door`], [`ConfigError::ExposedDoor`], [`ConfigError::HalfTls`].
    pub(super) fn settle(self, server_tls: Option<&TlsFiles>, insecure: bool) -> Result<DoorConfig, ConfigError> {
        let place = self.place()?;
        if let DoorPlace::Net(address) = place
            && !address.ip().is_loopback()
            && self.kind != DoorKind::SyslogTls
            && !insecure
        {
            return Err(ConfigError::ExposedDoor { kind: self.kind, address });
        }
        let tls = if self.kind == DoorKind::SyslogTls { Some(self.tls(server_tls)?) } else { None };
        if tls.is_none() && (self.tls_cert.is_some() || self.tls_key.is_some() || self.client_ca.is_some()) {
            return Err(self.wrong("it does not speak TLS: remove tls-cert, tls-key and client-ca, or use syslog-tls"));
        }
        let source = self.source.clone().or_else(|| self.kind.source().map(str::to_owned));
        let source = source.ok_or_else(|| self.wrong("say whose events these are: source = \"NAME\""))?;
        let Self { kind, pick, connections, datagrams, idle_seconds, message_seconds, .. } = self;
        Ok(DoorConfig { kind, place, source, pick, tls, connections, datagrams, idle_seconds, message_seconds })
    }

    fn place(&self) -> Result<DoorPlace, ConfigError> {
        if self.kind == DoorKind::Files {
            let path = self.directory.clone().ok_or_else(|| self.wrong("say which: directory = \"PATH\""))?;
            let Self { patterns, recursive, remove, stable_seconds, .. } = self.clone();
            return Ok(DoorPlace::Directory(DirectoryConfig { path, patterns, recursive, remove, stable_seconds }));
        }
        if self.directory.is_some() || !self.patterns.is_empty() {
            return Err(self.wrong("only a door of the kind files has a directory and patterns"));
        }
        let address = self.address.as_deref().ok_or_else(|| self.wrong("say where: address = \"HOST:PORT\" or a path"))?;
        let net = SocketAddr::from_str(address).ok();
        match (self.kind, net) {
            (DoorKind::SyslogUnix, _) | (DoorKind::Lines, None) if address.starts_with('/') => Ok(DoorPlace::Unix(address.into())),
            (DoorKind::SyslogUnix, _) => Err(self.wrong(format!("{address:?} is not the path of a socket: write /run/indelible/log"))),
            (_, Some(address)) => Ok(DoorPlace::Net(address)),
            (_, None) => Err(self.wrong(format!("{address:?} is not an address: write 127.0.0.1:6514 or [::]:6514"))),
        }
    }

    fn tls(&self, server: Option<&TlsFiles>) -> Result<DoorTls, ConfigError> {
        let files = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => TlsFiles { cert: cert.clone(), key: key.clone() },
            (None, None) => server.cloned().ok_or_else(|| self.wrong("it needs a certificate: give tls-cert and tls-key"))?,
            _ => return Err(ConfigError::HalfTls),
        };
        let clients = match (&self.client_ca, self.client_certificate) {
            (Some(authorities), wanted) => Some((authorities.clone(), wanted.unwrap_or_default())),
            (None, None) => None,
            (None, Some(_)) => return Err(self.wrong("client certificates need client-ca: the authorities that sign them")),
        };
        Ok(DoorTls { files, clients })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that panics has failed")]
mod tests {
    use super::*;
    use crate::config::{Config, DATA_DEFAULT, Settings};

    fn settled(toml: &str) -> Result<Config, ConfigError> {
        toml::from_str::<Settings>(toml).unwrap().settle(DATA_DEFAULT)
    }

    #[test]
    fn a_door_on_another_address_needs_tls_or_a_plain_word() {
        for kind in ["syslog-udp", "syslog-tcp", "lines"] {
            let door = format!("[[door]]\nkind = \"{kind}\"\naddress = \"0.0.0.0:6514\"\nsource = \"a\"");
            assert!(matches!(settled(&door), Err(ConfigError::ExposedDoor { .. })), "{kind}");
            assert!(settled(&format!("insecure = true\n{door}")).is_ok(), "{kind}");
            assert!(settled(&door.replace("0.0.0.0", "127.0.0.1")).is_ok(), "{kind}");
        }
        let tls = "[[door]]\nkind = \"syslog-tls\"\naddress = \"0.0.0.0:6514\"\ntls-cert = \"c\"\ntls-key = \"k\"";
        assert!(settled(tls).is_ok());
    }

    #[test]
    fn a_tls_door_uses_the_servers_certificate_unless_it_has_its_own() {
        let door = "[[door]]\nkind = \"syslog-tls\"\naddress = \"127.0.0.1:6514\"\nclient-ca = \"ca\"";
        assert!(matches!(settled(door), Err(ConfigError::Door { .. })));
        let config = settled(&format!("tls-cert = \"c\"\ntls-key = \"k\"\n{door}")).unwrap();
        let tls = config.doors.into_iter().next().unwrap().tls.unwrap();
        assert_eq!(tls.files, TlsFiles { cert: "c".into(), key: "k".into() });
        assert_eq!(tls.clients, Some(("ca".into(), ClientCertificate::Required)));
    }

    #[test]
    fn settings_that_do_not_fit_their_kind_are_refused() {
        for door in [
            "kind = \"files\"\nsource = \"a\"",
            "kind = \"files\"\ndirectory = \"/var/log\"",
            "kind = \"lines\"\naddress = \"127.0.0.1:1\"",
            "kind = \"syslog-unix\"\naddress = \"127.0.0.1:1\"",
            "kind = \"syslog-tcp\"\naddress = \"here\"",
            "kind = \"syslog-tcp\"",
            "kind = \"syslog-tcp\"\naddress = \"127.0.0.1:1\"\nclient-ca = \"ca\"",
            "kind = \"syslog-tcp\"\naddress = \"127.0.0.1:1\"\ndirectory = \"/tmp\"",
        ] {
            assert!(matches!(settled(&format!("[[door]]\n{door}")), Err(ConfigError::Door { .. })), "{door}");
        }
        assert!(toml::from_str::<Settings>("[[door]]\nkind = \"relp\"").is_err());
    }

    #[test]
    fn flags_name_an_address_or_a_directory_and_a_source() {
        let door = DoorTable::listening(DoorKind::SyslogTcp, "[::1]:6514=linux");
        assert_eq!((door.address.as_deref(), door.source.as_deref()), (Some("[::1]:6514"), Some("linux")));
        let door = DoorTable::watching("/var/log/vault:vault");
        assert_eq!((door.directory, door.source.as_deref()), (Some("/var/log/vault".into()), Some("vault")));
        let unix = DoorTable::listening(DoorKind::Lines, "/run/vault.sock=vault").settle(None, false).unwrap();
        assert_eq!(unix.place, DoorPlace::Unix("/run/vault.sock".into()));
    }
}
