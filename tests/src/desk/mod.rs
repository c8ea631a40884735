//! The coordinator's pages on a base after many days ([`crate::years`]), with somebody who looks at every one of them.

mod client;
mod crawl;
pub mod pictures;

use std::{path::Path, thread, time::Duration};

use anyhow::{Context, Result};
use rusqlite::Connection;
use tokio::runtime::Runtime;
use wayside_protocol::record::RecordId;
use wayside_server::{Base, Running, Server, ServerConfig, accounts, log};

use crate::years::{ADMINISTRATOR, Plan};
pub use client::Client;
pub use crawl::{Address, Found};

/// A server in this process, on its last evening.
pub struct Desk {
    runtime: Runtime,
    server: Running,
}

impl Desk {
    /// Serves what [`crate::years::make`] made; returns when the views show all of it.
    pub fn open(dir: &Path, plan: &Plan) -> Result<Desk> {
        let runtime = Runtime::new()?;
        let config = ServerConfig {
            clock: plan.clock(),
            name: "Hallowby Health on Wheels".to_owned(),
            pages: Some("127.0.0.1:0".into()),
            ..ServerConfig::local(dir)
        };
        let server = runtime.block_on(Server::start(config))?;
        let heads = server.base().log.read(log::heads)?;
        while views_head(dir)? < heads.iter().map(|(_, _, seq)| seq).sum() {
            thread::sleep(Duration::from_millis(100));
        }
        Ok(Desk { runtime, server })
    }

    pub fn base(&self) -> &Base {
        self.server.base()
    }

    /// Where the pages are.
    pub fn url(&self) -> String {
        self.server.pages_url()
    }

    /// Signs an account in once.
    pub fn link(&self, account: &str) -> Result<String> {
        Ok(accounts::sign_in_link(self.base(), account, &self.url())?)
    }

    /// Somebody who may see every page.
    pub fn client(&self) -> Result<Client> {
        Client::sign_in(self.server.pages_addr().context("pages")?, &self.link(ADMINISTRATOR)?)
    }

    /// Every address with something to look at; `first` are some that the pages need not link to.
    pub fn addresses(&self, client: &mut Client, first: &[String]) -> Result<Found> {
        crawl::addresses(client, first)
    }

    pub fn stop(self) -> Result<()> {
        Ok(self.runtime.block_on(self.server.shutdown())?)
    }
}

fn views_head(dir: &Path) -> Result<u64> {
    let views = Connection::open(dir.join("views.db"))?;
    // Before the server has made its tables there is nothing in them.
    let seen: rusqlite::Result<Option<u64>> =
        views.query_row("SELECT sum(seq) FROM cursor", [], |row| row.get(0));
    Ok(seen.ok().flatten().unwrap_or_default())
}

/// The largest of their kind, and those that are in some special state: a person who was here often, who is disputed, who was merged, and so on.
pub fn telling(dir: &Path) -> Result<Vec<String>> {
    let views = Connection::open(dir.join("views.db"))?;
    let id = |sql: &str| -> Result<Option<RecordId>> {
        let mut statement = views.prepare(sql)?;
        let mut rows = statement.query([])?;
        Ok(rows.next()?.map(|row| row.get(0)).transpose()?.map(RecordId::from_bytes))
    };
    let largest =
        "SELECT person FROM contact WHERE person IS NOT NULL GROUP BY person ORDER BY count(*) DESC LIMIT 1";
    let disputed = |kind: &str| {
        format!(
            "SELECT id FROM record WHERE kind = '{kind}' AND conflict_count > 0 ORDER BY created DESC LIMIT 1"
        )
    };
    let mut paths = Vec::new();
    for (path, sql) in [
        ("people", largest.to_owned()),
        ("people", disputed("person")),
        ("people", "SELECT id FROM person WHERE merged_into IS NOT NULL LIMIT 1".to_owned()),
        ("checks", disputed("contact")),
        ("records", disputed("person")),
    ] {
        paths.extend(id(&sql)?.map(|id| format!("/{path}/{id}")));
    }
    let session: Option<String> = views
        .query_row("SELECT session FROM contact GROUP BY session ORDER BY count(*) DESC LIMIT 1", [], |row| {
            row.get(0)
        })
        .ok();
    paths.extend(session.map(|id| format!("/sessions/{id}")));
    Ok(paths)
}
