//! Reads settings one by one and knows in the end whether there were others.

use evidence::act::{ConnectionAct, Setting};

use crate::door::poll::moment;
use crate::door::poll::origin::Origin;
use crate::door::poll::paged::Pace;
use crate::door::poll::settings::SettingError;

/// Shortest and longest time between looks, s: every five seconds is impolite, once an hour is late.
const INTERVAL_S: std::ops::RangeInclusive<i64> = 5..=3_600;
/// Longest lateness window: as long as the log knows ids, so that what is read again is dropped.
const LATE_MINUTES: std::ops::RangeInclusive<i64> = 0..=1_380;

/// A connection, being read.
pub struct Reader<'a> {
    act: &'a ConnectionAct,
    asked: Vec<&'static str>,
    secrets_asked: Vec<&'static str>,
}

impl<'a> Reader<'a> {
    pub fn new(act: &'a ConnectionAct) -> Self {
        Self { act, asked: Vec::new(), secrets_asked: Vec::new() }
    }

    fn setting(&mut self, name: &'static str) -> Option<&'a Setting> {
        self.asked.push(name);
        self.act.settings.get(name)
    }

    pub fn wrong(&self, name: &str, why: String) -> SettingError {
        SettingError::Wrong { name: name.to_owned(), why }
    }

    pub fn missing(&self, name: &'static str, what: &'static str) -> SettingError {
        SettingError::Missing { kind: self.act.kind.clone(), name, what }
    }

    pub fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, SettingError> {
        match self.setting(name) {
            None => Ok(None),
            Some(Setting::Text(text)) => Ok(Some(text)),
            Some(_) => Err(self.wrong(name, "it must be a text".to_owned())),
        }
    }

    pub fn required(&mut self, name: &'static str, what: &'static str) -> Result<&'a str, SettingError> {
        self.text(name)?.filter(|text| !text.is_empty()).ok_or_else(|| self.missing(name, what))
    }

    pub fn switch(&mut self, name: &'static str) -> Result<Option<bool>, SettingError> {
        match self.setting(name) {
            None => Ok(None),
            Some(Setting::Switch(on)) => Ok(Some(*on)),
            Some(_) => Err(self.wrong(name, "it must be true or false".to_owned())),
        }
    }

    pub fn list(&mut self, name: &'static str) -> Result<Option<Vec<String>>, SettingError> {
        match self.setting(name) {
            None => Ok(None),
            Some(Setting::List(list)) => Ok(Some(list.clone())),
            Some(Setting::Text(text)) => Ok(Some(vec![text.clone()])),
            Some(_) => Err(self.wrong(name, "it must be a list of texts".to_owned())),
        }
    }

    pub fn list_of(&mut self, name: &'static str, fits: impl Fn(&str) -> bool, what: &str) -> Result<Vec<String>, SettingError> {
        let list = self.list(name)?.unwrap_or_default();
        match list.iter().find(|item| !fits(item)) {
            Some(item) => Err(self.wrong(name, format!("`{item}` is not {what}"))),
            None => Ok(list),
        }
    }

    fn integer(&mut self, name: &'static str, range: &std::ops::RangeInclusive<i64>) -> Result<Option<u64>, SettingError> {
        match self.setting(name) {
            None => Ok(None),
            Some(Setting::Integer(number)) if range.contains(number) => Ok(Some(number.unsigned_abs())),
            Some(_) => Err(self.wrong(name, format!("it must be a whole number from {} to {}", range.start(), range.end()))),
        }
    }

    pub fn time(&mut self, name: &'static str) -> Result<Option<u64>, SettingError> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let why = || format!("`{text}` is no point in time: write it like 2026-01-31T00:00:00Z");
        moment::from_rfc3339(text).map(Some).ok_or_else(|| self.wrong(name, why()))
    }

    pub fn origin(&mut self, name: &'static str, default: Option<&str>, what: &'static str) -> Result<Origin, SettingError> {
        let text = match (self.text(name)?, default) {
            (Some(text), _) => text,
            (None, Some(default)) => return self.origin_of(name, default),
            (None, None) => return Err(self.missing(name, what)),
        };
        self.origin_of(name, text)
    }

    pub fn origin_of(&self, name: &str, text: &str) -> Result<Origin, SettingError> {
        Origin::parse(text).map_err(|why| self.wrong(name, why.to_string()))
    }

    pub fn pace(&mut self, default: Pace) -> Result<Pace, SettingError> {
        let interval_s = self.integer("interval_s", &INTERVAL_S)?;
        let late_minutes = self.integer("late_minutes", &LATE_MINUTES)?;
        Ok(Pace {
            interval_ms: interval_s.map_or(default.interval_ms, |seconds| seconds * 1_000),
            late_ms: late_minutes.map_or(default.late_ms, |minutes| minutes * 60_000),
            slice_ms: default.slice_ms,
        })
    }

    pub fn has_secret(&mut self, name: &'static str) -> bool {
        self.secrets_asked.push(name);
        self.act.secrets.contains_key(name)
    }

    pub fn secret(&mut self, name: &'static str, what: &'static str) -> Result<(), SettingError> {
        if self.has_secret(name) { Ok(()) } else { Err(SettingError::Secret { kind: self.act.kind.clone(), name, what }) }
    }

    /// Whatever was not asked for is a mistake: a setting that does nothing would be believed in.
    pub fn finish(self) -> Result<(), SettingError> {
        let unknown = |name: &String, known: &[&str]| SettingError::Unknown {
            kind: self.act.kind.clone(),
            name: name.clone(),
            known: known.join(", "),
        };
        if let Some(name) = self.act.settings.keys().find(|name| !self.asked.contains(&name.as_str())) {
            return Err(unknown(name, &self.asked));
        }
        match self.act.secrets.keys().find(|name| !self.secrets_asked.contains(&name.as_str())) {
            Some(name) => Err(unknown(name, &self.secrets_asked)),
            None => Ok(()),
        }
    }
}
