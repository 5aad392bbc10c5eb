//! The sources of a synthetic trail: five vendors, each a file with the frame of its records and what happens
//! how often.

use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

use crate::synth::SynthError;
use crate::synth::company::{Company, Fragments};
use crate::synth::people::Who;
use crate::synth::template::Template;

/// A vendor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each is the kind of its name in sources/")]
pub enum Source {
    AwsCloudtrail,
    Okta,
    EntraId,
    GoogleWorkspace,
    GithubAudit,
}

impl Source {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::AwsCloudtrail, Self::Okta, Self::EntraId, Self::GoogleWorkspace, Self::GithubAudit];

    /// Its name, which is the kind its records are recognised as.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::AwsCloudtrail => "aws_cloudtrail",
            Self::Okta => "okta",
            Self::EntraId => "entra_id",
            Self::GoogleWorkspace => "google_workspace",
            Self::GithubAudit => "github_audit",
        }
    }

    const fn file(self) -> (&'static str, &'static str) {
        match self {
            Self::AwsCloudtrail => ("aws_cloudtrail.toml", include_str!("aws_cloudtrail.toml")),
            Self::Okta => ("okta.toml", include_str!("okta.toml")),
            Self::EntraId => ("entra_id.toml", include_str!("entra_id.toml")),
            Self::GoogleWorkspace => ("google_workspace.toml", include_str!("google_workspace.toml")),
            Self::GithubAudit => ("github_audit.toml", include_str!("github_audit.toml")),
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|source| source.name() == text).ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|source| source.name()).collect();
            format!("there is no synthetic source {text:?}: write one of {}", names.join(", "))
        })
    }
}

/// Whence something is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Whence {
    /// Where the actor is.
    #[default]
    Inside,
    /// Where a stranger is who tries the actor's account.
    Outside,
}

/// Something that happens.
#[derive(Clone, Debug)]
pub struct Happening {
    /// In which source.
    pub source: Source,
    /// How often, relative to all of its source.
    pub weight: u64,
    /// By whom.
    pub who: Who,
    /// From where.
    pub whence: Whence,
    /// Its record.
    pub record: Template,
}

#[derive(Deserialize)]
struct Told {
    kind: String,
    weight: u64,
    #[serde(default)]
    who: Who,
    frame: String,
    fragments: Fragments,
    event: Vec<ToldEvent>,
}

#[derive(Deserialize)]
struct ToldEvent {
    weight: u64,
    who: Option<Who>,
    #[serde(default)]
    from: Whence,
    /// What differs from the source's fragments, `frame` among it.
    #[serde(flatten)]
    own: Fragments,
}

/// A source as its file describes it.
#[derive(Clone, Debug)]
pub struct Described {
    /// How busy it is, relative to the others.
    pub weight: u64,
    /// What happens in it.
    pub happenings: Vec<Happening>,
    source: Source,
    frame: String,
    fragments: Fragments,
}

impl Described {
    /// Reads the file of `source`.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn read(source: Source, company: &Company) -> Result<Self, SynthError> {
        let (file, text) = source.file();
        let told: Told = toml::from_str(text).map_err(SynthError::data(file))?;
        if told.kind != source.name() {
            return Err(SynthError::Data { file, why: format!("it describes {:?}", told.kind) });
        }
        let mut described = Self { weight: told.weight, happenings: Vec::new(), source, frame: told.frame, fragments: told.fragments };
        for event in told.event {
            let record = described.record(&event.own, company)?;
            let who = event.who.unwrap_or(told.who);
            described.happenings.push(Happening { source, weight: event.weight, who, whence: event.from, record });
        }
        Ok(described)
    }

    /// A record of this source with fragments of its own.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn record(&self, own: &Fragments, company: &Company) -> Result<Template, SynthError> {
        let frame = own.get("frame").unwrap_or(&self.frame);
        Template::compile(frame, &[own, &self.fragments, &company.fragments], company).map_err(SynthError::data(self.source.file().0))
    }
}
