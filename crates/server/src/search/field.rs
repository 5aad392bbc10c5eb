//! What a condition is about: a named field, a path in the OCSF form, or a path in the raw record.

use std::fmt::{self, Display, Formatter};

use crate::search::query::escaped;

/// Names in a path at most: as deep as a record may be.
pub const PATH_PARTS_MAX: usize = 64;

/// Where a path starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Root {
    Ocsf,
    Raw,
}

/// What a condition is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Field {
    /// A field that people know by name.
    Named(Name),
    /// A path in the OCSF form.
    Ocsf(Vec<String>),
    /// A path in the record as the source sent it.
    Raw(Vec<String>),
}

macro_rules! names {
    ($($name:ident $word:literal $also:expr, $what:literal;)*) => {
        /// Fields that people know by name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name { $(#[doc = $what] $name,)* }

        impl Name {
            /// All of them, in the order of the manual.
            pub const ALL: &'static [Name] = &[$(Name::$name),*];

            /// Its first spelling.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Name::$name => $word,)* }
            }

            /// Its other spellings.
            #[must_use]
            pub const fn also(self) -> &'static [&'static str] {
                match self { $(Name::$name => $also,)* }
            }
        }
    };
}

names! {
    Actor "actor" &[], "Who did it.";
    Target "target" &["user"], "To whom it was done.";
    Action "action" &[], "What was done, in the vendor's word.";
    Outcome "outcome" &["status"], "Whether it succeeded.";
    Ip "ip" &[], "Addresses in it.";
    Source "source" &[], "The source's name.";
    Kind "kind" &[], "The kind of the source.";
    Class "class" &[], "The OCSF class.";
    Activity "activity" &[], "The OCSF activity.";
    Severity "severity" &[], "How severe it is.";
    UserAgent "user_agent" &[], "The program on the other side.";
    Session "session" &[], "The session.";
    Api "api" &[], "The operation called.";
    Resource "resource" &[], "What it was done with.";
    Account "account" &[], "The cloud account.";
    Region "region" &[], "The cloud region.";
    Country "country" &[], "The country that it came from.";
    Asn "asn" &[], "The network that it came from, by its number.";
    Message "message" &[], "What the event says in words.";
    Id "id" &[], "The record's own id.";
    Index "index" &[], "The entry's number in the log.";
    Entry "entry" &[], "Event, act or record.";
    Time "time" &[], "When it happened.";
    Received "received" &[], "When it was received.";
    Since "since" &[], "It happened at this time or later.";
    Until "until" &[], "It happened before this time.";
}

impl Name {
    fn of(word: &str) -> Option<Self> {
        let known = |name: &&Name| name.word().eq_ignore_ascii_case(word) || name.also().iter().any(|also| also.eq_ignore_ascii_case(word));
        Self::ALL.iter().find(known).copied()
    }

    /// Whether its values are points in time.
    #[must_use]
    pub const fn is_time(self) -> bool {
        matches!(self, Self::Time | Self::Received | Self::Since | Self::Until)
    }

    /// Whether its values are texts of many words: a condition asks for some of them.
    #[must_use]
    pub const fn is_prose(self) -> bool {
        matches!(self, Self::Message | Self::UserAgent)
    }
}

impl Field {
    /// Reads the name before a colon. The error says what to write instead.
    ///
    /// # Errors
    /// In words, to be put behind the column.
    pub fn parse(text: &str) -> Result<Self, String> {
        let path = |path: &str| -> Result<Vec<String>, String> {
            let parts: Vec<_> = path.split('.').map(str::to_owned).collect();
            if parts.len() > PATH_PARTS_MAX {
                Err(format!("a path of more than {PATH_PARTS_MAX} names: no record is that deep"))
            } else if parts.iter().any(String::is_empty) {
                Err(format!("{text:?} is no path: a name is missing between its dots"))
            } else {
                Ok(parts)
            }
        };
        if let Some(name) = Name::of(text) {
            return Ok(Self::Named(name));
        }
        for (prefix, root) in [("ocsf.", Root::Ocsf), ("raw.", Root::Raw)] {
            if let Some((start, rest)) = text.split_at_checked(prefix.len())
                && start.eq_ignore_ascii_case(prefix)
            {
                let path = path(rest)?;
                return Ok(if root == Root::Ocsf { Self::Ocsf(path) } else { Self::Raw(path) });
            }
        }
        if text.contains('.') {
            return path(text).map(Self::Ocsf);
        }
        let words: Vec<_> = Name::ALL.iter().map(|name| name.word()).collect();
        Err(format!(
            "there is no field {text:?}: use one of {}; or a path such as raw.{text} or ocsf.{text}; or put \"quotes\" around a text with a colon",
            words.join(", ")
        ))
    }

    /// The named field it is, if it is one.
    #[must_use]
    pub const fn name(&self) -> Option<Name> {
        match self {
            Self::Named(name) => Some(*name),
            _ => None,
        }
    }
}

impl Display for Field {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (root, path) = match self {
            Self::Named(name) => return f.write_str(name.word()),
            Self::Ocsf(path) => ("ocsf", path),
            Self::Raw(path) => ("raw", path),
        };
        f.write_str(root)?;
        for part in path {
            f.write_str(".")?;
            part.chars().try_for_each(|c| escaped(c, f))?;
        }
        Ok(())
    }
}
