//! What the sync costs, beside the least that it could cost, both measured in the same run.

mod bytes;
pub mod exchanges;
pub mod extract;
pub mod nodes;
mod offered;
pub mod pages;
pub mod party;
pub mod peers;
pub mod prepared;
mod records;
pub mod server;
pub mod tablet;
pub mod views;

use anyhow::Result;
use serde_json::{Map, Value};
use wayside_server::{Running, Server, ServerConfig};

pub use offered::offered;

pub const TEAM: &str = "Bench";
/// Other seeds than anything that a dictionary is ever trained on.
const SEED: u64 = 900_001;

/// One line of the table.
#[derive(Debug, Clone)]
pub struct Figure {
    pub what: String,
    pub value: f64,
    pub unit: &'static str,
    /// The least it could be, or the most, in the same unit.
    pub floor: f64,
    pub note: &'static str,
}

impl Figure {
    pub fn ratio(&self) -> f64 {
        self.value / self.floor
    }

    pub fn to_json(&self) -> Value {
        serde_json::json!({"what": self.what, "value": self.value, "unit": self.unit, "floor": self.floor,
                           "ratio": self.ratio()})
    }
}

/// A server and a team to sync with.
pub struct Bench {
    dir: tempfile::TempDir,
    server: Running,
}

impl Bench {
    pub async fn start() -> Result<Bench> {
        let dir = tempfile::tempdir()?;
        let data = dir.path().join("base");
        let server = Server::start(ServerConfig::local(&data)).await?;
        tokio::task::spawn_blocking(move || wayside_server::team_add(&data, TEAM)).await??;
        Ok(Bench { dir, server })
    }

    pub async fn stop(self) -> Result<()> {
        Ok(self.server.shutdown().await?)
    }
}

/// What a record's JSON line is made of, for changes that no tablet made.
pub(crate) fn part(line: &Value, name: &str) -> Map<String, Value> {
    line.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
}
