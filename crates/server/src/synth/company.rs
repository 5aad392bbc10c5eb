//! What a synthetic company is made of, read from `company.toml`: names, cities, browsers, lists.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::synth::SynthError;
use crate::synth::draw::Weighted;

const FILE: &str = "company.toml";

/// A place where people are.
#[derive(Clone, Debug, Deserialize)]
pub struct City {
    /// Its name.
    pub city: String,
    /// The part of the country it is in.
    pub state: String,
    /// A postal code of it.
    pub postal: String,
    /// Two letters of the country (ISO 3166).
    pub code: String,
    /// The country's name.
    pub country: String,
    /// Latitude, as it is written in records.
    pub lat: String,
    /// Longitude, as it is written in records.
    pub lon: String,
    /// Hours its clocks are before those of UTC.
    pub utc: i64,
    /// How many people live there, relative to others.
    pub weight: u64,
}

/// A browser on a kind of device.
#[derive(Clone, Debug, Deserialize)]
pub struct Agent {
    /// What it sends as `User-Agent`.
    pub text: String,
    /// The system it runs on.
    pub os: String,
    /// Its name as Okta writes it.
    pub browser: String,
    /// `Computer` or `Mobile`.
    pub device: String,
    /// How many people use it, relative to others.
    pub weight: u64,
}

/// Texts by name that templates may use.
pub type Fragments = BTreeMap<String, String>;

#[derive(Deserialize)]
struct Told {
    given_names: String,
    family_names: String,
    providers: Vec<String>,
    directory_header: String,
    directory_row: String,
    lists: BTreeMap<String, Vec<String>>,
    fragments: Fragments,
    agent: Vec<Agent>,
    city: Vec<City>,
}

/// What a company is made of.
#[derive(Clone, Debug)]
pub struct Company {
    /// First names.
    pub given_names: Vec<String>,
    /// Last names.
    pub family_names: Vec<String>,
    /// Who runs the networks.
    pub providers: Vec<String>,
    /// Names of the columns of the directory of identities.
    pub directory_header: String,
    /// Template of its rows.
    pub directory_row: String,
    /// Lists to pick from.
    pub lists: BTreeMap<String, Arc<[String]>>,
    /// Texts that all templates may use.
    pub fragments: Fragments,
    /// Browsers.
    pub agents: Vec<Agent>,
    /// How many people use each browser.
    pub agent_weights: Weighted,
    /// Cities.
    pub cities: Vec<City>,
    /// How many people live in each city.
    pub city_weights: Weighted,
}

impl Company {
    /// Reads the company that is built in.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn built_in() -> Result<Self, SynthError> {
        let told: Told = toml::from_str(include_str!("company.toml")).map_err(SynthError::data(FILE))?;
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect();
        let agent_weights = told.agent.iter().map(|agent| agent.weight).collect();
        let city_weights = told.city.iter().map(|city| city.weight).collect();
        Ok(Self {
            given_names: words(&told.given_names),
            family_names: words(&told.family_names),
            providers: told.providers,
            directory_header: told.directory_header,
            directory_row: told.directory_row,
            lists: told.lists.into_iter().map(|(name, list)| (name, list.into())).collect(),
            fragments: told.fragments,
            agent_weights: Weighted::new(agent_weights).map_err(SynthError::data(FILE))?,
            agents: told.agent,
            city_weights: Weighted::new(city_weights).map_err(SynthError::data(FILE))?,
            cities: told.city,
        })
    }

    /// The number of a city.
    ///
    /// # Errors
    /// [`SynthError::Data`].
    pub fn city(&self, name: &str) -> Result<usize, SynthError> {
        self.cities
            .iter()
            .position(|city| city.city == name)
            .ok_or_else(|| SynthError::Data { file: FILE, why: format!("there is no city {name:?}") })
    }
}
