//! Where people live, as far as the reference data knows: looked up once for each postcode.

use std::collections::HashMap;

use wayside_protocol::clinical::identity::{Postcode, PostcodeStatus};

use crate::error::Result;
use crate::reference::{Reference, Year};
use crate::views::DECLINED;

/// What a place counts as.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// `1` to `5`, 1 the most deprived; `none` for a place outside England or no fixed abode; empty for not known.
    pub quintile: String,
    /// The ward's code; empty for not known.
    pub ward: String,
    pub district: String,
}

pub struct Places {
    reference: Reference,
    pub year: Option<Year>,
    known: HashMap<String, Place>,
}

impl Places {
    pub fn new(reference: Reference) -> Result<Places> {
        let year = reference.deprivation_year()?;
        Ok(Places { reference, year, known: HashMap::new() })
    }

    pub fn reference(&self) -> &Reference {
        &self.reference
    }

    pub fn of(&mut self, postcode: &str) -> Result<Place> {
        if let Some(place) = self.known.get(postcode) {
            return Ok(place.clone());
        }
        let place = self.look_up(postcode)?;
        self.known.insert(postcode.to_owned(), place.clone());
        Ok(place)
    }

    fn look_up(&self, postcode: &str) -> Result<Place> {
        let nowhere = |quintile: &str| Place {
            quintile: quintile.to_owned(),
            ward: String::new(),
            district: String::new(),
        };
        if postcode == DECLINED {
            return Ok(nowhere(DECLINED));
        }
        if let PostcodeStatus::Pseudo(_) = Postcode::parse(postcode).status {
            return Ok(nowhere("none"));
        }
        let Some(area) = self.reference.area(postcode)? else { return Ok(nowhere("")) };
        let deprivation = match self.year {
            Some(year) => self.reference.deprivation(&area, year)?,
            None => None,
        };
        let quintile = match deprivation {
            Some(deprivation) => deprivation.quintile().to_string(),
            // England's codes begin with E: elsewhere the index does not reach.
            None if !area.country.is_empty() && !area.country.starts_with('E') => "none".to_owned(),
            None => String::new(),
        };
        Ok(Place { quintile, ward: area.ward, district: area.district })
    }
}
