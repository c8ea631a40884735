//! What happens to base: it starts, as one node or as two, dies, is backed up and put back.

use std::{fs, path::PathBuf, sync::Arc};

use anyhow::Result;
use rand::RngExt;
use wayside_server::{Base, backup, log, router};

use super::{
    disk::{Mark, copy_dir, copy_torn},
    history::Held,
    wire::{lock, log_in},
    world::World,
};

/// A backup of base, and a plain copy of its log from the same moment.
pub struct Shelved {
    pub at: u64,
    pub made: PathBuf,
    pub copy: PathBuf,
    pub held: Held,
}

fn throw_away(shelved: Vec<Shelved>) -> Result<()> {
    for one in shelved {
        fs::remove_file(one.copy)?;
        fs::remove_dir_all(one.made)?;
    }
    Ok(())
}

impl World {
    pub fn serve(&mut self) -> Result<()> {
        let base = Arc::new(Base::open(&self.data, self.clock())?);
        {
            let mut wire = lock(&self.wire);
            wire.nodes = vec![router(base.clone())];
            wire.log = log_in(&self.data);
            wire.identity = *base.identity.public();
            wire.died = None;
        }
        self.base = Some(base);
        if self.has_two_nodes() { self.start_second() } else { Ok(()) }
    }

    fn has_two_nodes(&self) -> bool {
        self.seed % 2 == 1
    }

    /// Another process over the same log, which takes half of the requests and knows of the rest what stands in the log.
    fn start_second(&mut self) -> Result<()> {
        let second = router(Arc::new(Base::open(&self.data, self.clock())?));
        let mut wire = lock(&self.wire);
        wire.nodes.truncate(1);
        wire.nodes.push(second);
        Ok(())
    }

    /// Base comes to an end: nothing of it is left in memory.
    pub fn stop(&mut self) {
        lock(&self.wire).nodes.clear();
        (self.base, self.views) = (None, None);
    }

    /// Base dies in the middle of what it has written since `mark`, and starts again.
    pub fn base_died(&mut self, mark: &Mark) -> Result<()> {
        let to = self.fresh("base");
        if copy_torn(&self.data, &to, "log.db", mark, &mut self.rng)? {
            self.did("base's write was torn");
        }
        self.stop();
        fs::remove_dir_all(&self.data)?;
        self.data = to;
        self.upset = self.step;
        self.serve()
    }

    pub fn restart_base(&mut self) -> Result<()> {
        if self.has_two_nodes() && self.rng.random() {
            self.did("one of two nodes restarted");
            return self.start_second();
        }
        self.did("base restarted");
        self.stop();
        self.upset = self.step;
        self.serve()
    }

    pub fn back_up(&mut self) -> Result<()> {
        let (shelf, copy) = (self.dir.path().join("shelf"), self.fresh("copy"));
        let made = backup::backup(self.base(), &shelf)?;
        // As somebody would copy it who does not know how: with the server stopped.
        self.stop();
        fs::copy(log_in(&self.data), &copy)?;
        self.serve()?;
        let (held, at) = (self.history.base.clone(), self.now());
        self.shelf.push(Shelved { at, made, copy, held });
        self.clear_shelf()
    }

    /// What is too old to be put back is thrown away.
    fn clear_shelf(&mut self) -> Result<()> {
        let oldest = self.now().saturating_sub(log::RESTORE_WINDOW_MS / 2);
        let (old, kept) = std::mem::take(&mut self.shelf).into_iter().partition(|one| one.at <= oldest);
        self.shelf = kept;
        throw_away(old)
    }

    /// Base is put back: from a backup as the documentation says, or silently by its file. False where there is none in the
    /// restore window.
    pub fn put_back(&mut self, silently: bool) -> Result<bool> {
        self.clear_shelf()?;
        if self.shelf.is_empty() {
            return Ok(false);
        }
        let n = self.any(self.shelf.len());
        let (made, copy) = (self.shelf[n].made.clone(), self.shelf[n].copy.clone());
        self.history.base = self.shelf[n].held.clone();
        // Later ones are of a time that was not.
        let never = self.shelf.split_off(n);
        self.stop();
        let to = self.fresh("base");
        fs::create_dir(&to)?;
        copy_dir(&self.data.join("keys"), &to.join("keys"))?;
        if silently {
            fs::copy(copy, log_in(&to))?;
        } else {
            backup::restore(&made, &to, &self.clock())?;
        }
        throw_away(never)?;
        fs::remove_dir_all(&self.data)?;
        self.data = to;
        self.upset = self.step;
        self.serve()?;
        Ok(true)
    }
}
