//! The server's process.

use std::{
    fs::{self, File},
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use anyhow::{Context, Result, ensure};
use rustix::process::{Pid, Signal, kill_process};

pub struct Served {
    child: Child,
    /// Where its errors are written.
    errors: PathBuf,
    /// Where tablets find it, and browsers.
    pub url: String,
    pub pages: SocketAddr,
}

impl Served {
    /// Starts it with pages on this machine, and waits until it says where it listens. Blocks.
    pub fn start(program: &Path, data: &Path) -> Result<Served> {
        let errors = data.with_extension("log");
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--pages", "127.0.0.1:0", "--data"])
            .arg(data)
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .spawn()
            .context("the server starts")?;
        let mut lines =
            BufReader::new(child.stdout.take().context("its output")?).lines().map_while(Result::ok);
        let mut after = |words: &str| {
            let found =
                lines.find_map(|line| Some(line.split_once(words)?.1.trim_end_matches('/').to_owned()));
            found.with_context(|| format!("the server does not say where it listens: {}", said(&errors)))
        };
        let url = format!("https://{}", after("https://")?);
        let pages = after("http://")?.parse().context("the address of the pages")?;
        // Nobody must close its output while it may still say something.
        thread::spawn(move || lines.for_each(drop));
        Ok(Served { child, errors, url, pages })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    pub fn runs(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }

    /// What it complained of.
    pub fn said(&self) -> String {
        said(&self.errors)
    }

    /// As an administrator stops it. Blocks.
    pub fn stop(mut self) -> Result<()> {
        kill_process(Pid::from_child(&self.child), Signal::TERM)?;
        let ended = self.child.wait()?;
        ensure!(ended.success(), "the server did not end well: {}", self.said());
        Ok(())
    }
}

fn said(errors: &Path) -> String {
    fs::read_to_string(errors).unwrap_or_default()
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
