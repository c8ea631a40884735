//! Figures are counted once for each state of the views and of the reference data, and kept until either moves on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::places::Places;
use super::{Asked, Reach, count};
use crate::accounts::Teams;
use crate::api::Readers;
use crate::base::Base;
use crate::error::Result;
use crate::reference::{Dataset, Reference};

/// Answers that are kept: people look at a few periods, again and again.
const MOST: usize = 64;

#[derive(Default)]
pub struct Reaches(Mutex<Option<Kept>>);

struct Kept {
    datasets: Vec<Dataset>,
    places: Places,
    /// What the live channel said when these were counted.
    viewed: String,
    /// By what was asked, and of which teams.
    answers: HashMap<(Asked, Teams), Arc<Reach>>,
}

impl Kept {
    fn new(reference: Reference) -> Result<Kept> {
        let datasets = reference.datasets()?;
        let places = Places::new(reference)?;
        Ok(Kept { datasets, places, viewed: String::new(), answers: HashMap::new() })
    }
}

impl Reaches {
    /// Whom the team reached on these days. Blocks.
    pub fn read(&self, base: &Base, readers: &Readers, asked: &Asked) -> Result<Arc<Reach>> {
        // One at a time: two who ask for the same would count it twice.
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the views are: what comes in between is counted again, never missed.
        let viewed = base.viewed().borrow().clone();
        let mut now = match kept.take() {
            Some(kept) if kept.datasets == kept.places.reference().datasets()? => kept,
            _ => Kept::new(Reference::open(base.data())?)?,
        };
        if now.viewed != viewed || now.answers.len() >= MOST {
            now.answers.clear();
            now.viewed = viewed;
        }
        let Kept { places, answers, viewed, .. } = &mut now;
        let key = (asked.clone(), readers.teams().clone());
        let answer = match answers.get(&key) {
            // Where nobody follows the log nothing says that the views moved.
            Some(answer) if !viewed.is_empty() => answer.clone(),
            _ => {
                let counted = Arc::new(readers.read(base, |views| count::reach(views, places, asked))?);
                answers.insert(key, counted.clone());
                counted
            }
        };
        *kept = Some(now);
        Ok(answer)
    }
}
