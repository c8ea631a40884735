//! What an administrator does with PostgreSQL's own tools: dumps, base backups with an archive of the log that is written
//! ahead, and recovery to a point in time.

use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::chown,
    path::{Path, PathBuf},
};

use anyhow::Result;

use super::{Postgres, USER};

impl Postgres {
    fn address(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user={USER} password={} dbname={database}", self.port, self.password)
    }

    /// Dumps a database into a file, which lives as long as this server.
    pub fn dump(&self, database: &str) -> Result<PathBuf> {
        let file = self.dir.join(format!("{database}.dump"));
        self.installed.run("pg_dump", |command| {
            command.arg("--format=custom").arg("--file").arg(&file);
            command.arg("--dbname").arg(self.address(database));
        })?;
        Ok(file)
    }

    /// Makes a database from a dump. One of this name, whoever uses it, is gone.
    pub fn restore(&self, dump: &Path, database: &str) -> Result<()> {
        self.sql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"))?;
        self.create(database)?;
        let restored = self.installed.run("pg_restore", |command| {
            command.args(["--exit-on-error", "--single-transaction"]);
            command.arg("--dbname").arg(self.address(database)).arg(dump);
        });
        restored.map(drop)
    }

    /// Fills a database that is there with what a dump in SQL says.
    pub fn fill(&self, database: &str, dump: &Path) -> Result<()> {
        // Where its user may read it.
        let file = self.dir.join(format!("{database}.sql"));
        self.write(&file, &fs::read_to_string(dump)?)?;
        let filled = self.installed.run("psql", |command| {
            command.args(["--no-psqlrc", "--quiet", "-v", "ON_ERROR_STOP=1", "--output=/dev/null"]);
            command.arg("--file").arg(&file).arg(self.address(database));
        });
        filled.map(drop)
    }

    /// From now on what it writes is archived, file by file.
    pub fn archive(&mut self) -> Result<()> {
        let archive = self.archived();
        fs::create_dir(&archive)?;
        self.own(&archive)?;
        self.sql("postgres", "ALTER SYSTEM SET archive_mode = 'on'")?;
        let copies = format!(r#"test ! -f "{0}/%f" && cp %p "{0}/%f""#, archive.display());
        self.sql("postgres", &format!("ALTER SYSTEM SET archive_command = '{copies}'"))?;
        self.stop()?;
        self.run()
    }

    fn archived(&self) -> PathBuf {
        self.dir.join("archive")
    }

    fn own(&self, path: &Path) -> Result<()> {
        Ok(self.installed.user.map_or(Ok(()), |(user, group)| chown(path, Some(user), Some(group)))?)
    }

    /// A copy of the whole cluster, not running, that [`Self::recover`] brings to a later moment.
    pub fn base_backup(&self) -> Result<Postgres> {
        let copy = Postgres::prepare(self.installed.clone(), self.password.clone())?;
        self.installed.run("pg_basebackup", |command| {
            command.args(["--no-sync", "--checkpoint=fast", "--wal-method=stream"]);
            command.arg("--dbname").arg(self.address("postgres")).arg("--pgdata").arg(copy.data());
        })?;
        Ok(copy)
    }

    /// Names this moment, and returns once it is in the archive.
    pub fn name_moment(&self, name: &str) -> Result<()> {
        self.sql("postgres", &format!("SELECT pg_create_restore_point('{name}')"))?;
        let file = self.sql("postgres", "SELECT pg_walfile_name(pg_switch_wal())")?;
        self.until(&format!("SELECT last_archived_wal >= '{file}' FROM pg_stat_archiver"), "t")
    }

    /// Starts a base backup, brings it to the moment that was named on `of` by way of its archive, and lets it take writes.
    pub fn recover(&mut self, of: &Postgres, moment: &str) -> Result<()> {
        let settings = format!(
            "restore_command = 'cp \"{}/%f\" \"%p\"'\nrecovery_target_name = '{moment}'\n\
             recovery_target_action = 'promote'\narchive_mode = 'off'\n",
            of.archived().display()
        );
        let mut file = File::options().append(true).open(self.data().join("postgresql.auto.conf"))?;
        file.write_all(settings.as_bytes())?;
        self.write(&self.data().join("recovery.signal"), "")?;
        self.run()?;
        self.until("SELECT pg_is_in_recovery()", "f")
    }
}
