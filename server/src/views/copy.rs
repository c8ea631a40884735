//! A copy of the views, for a server that is to begin with them instead of from nothing.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rusqlite::Connection;
use rusqlite::backup::Backup;

use super::Views;
use crate::error::{Error, Result};

const WHAT: &str = "copy of the views";

impl Views {
    /// Copies them into a new file, while others go on reading and following. It holds personal data as the log does.
    /// Blocks.
    pub fn copy_to(&self, to: &Path) -> Result<()> {
        let new = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to);
        let file = new.map_err(|error| Error::File(WHAT, error))?;
        let mut copy = Connection::open(to)?;
        // All pages in one step: one moment of them.
        Backup::new(&self.conn, &mut copy)?.step(-1)?;
        // One file, without companions that would have to be copied with it.
        copy.pragma_update(None, "journal_mode", "DELETE")?;
        copy.close().map_err(|(_, error)| error)?;
        file.sync_all().map_err(|error| Error::File(WHAT, error))
    }
}
