//! Every setting that there is. Whoever adds one adds a row here, reads it in `cli/serve.rs`, and renews `docs/wayside.toml`.

use wayside_protocol::sync::frame::{PROTOCOL_VERSION, STREAMED_VERSION};

use crate::archive::DAYS;
use crate::web::DEFAULT_NAME;

/// What a setting holds, and so what is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Text,
    /// A file or directory; `credential:NAME` is that file of systemd's credentials directory.
    Path,
    /// Where to listen: `127.0.0.1:8443`.
    Address,
    /// The same on this machine only.
    Local,
    /// `https://base.example:8443`.
    Url,
    /// A whole number within these bounds.
    Number(u64, u64),
    Flag,
    One(&'static [&'static str]),
    /// `postgres://USER@HOST/DATABASE`, `file:PATH` of a file with such an address, or `credential:NAME`. Never shown: there
    /// may be a password in it.
    Database,
    /// Which lines go into the log, as `tracing` filters them.
    Filter,
    /// Several texts; in the environment and in arguments with commas between them.
    List,
    /// The same of addresses and networks: `192.0.2.7`, `10.0.0.0/8`.
    Networks,
}

/// What holds where nobody says anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Default {
    /// Nothing; with an example of what could stand there.
    Nothing(&'static str),
    Text(&'static str),
    Number(u64),
    Flag(bool),
}

#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// As in the file: `tls.cert` is `cert` under `[tls]`.
    pub key: &'static str,
    pub kind: Kind,
    pub default: Default,
    /// What it does, for `docs/wayside.toml`; a line each.
    pub about: &'static [&'static str],
}

const fn setting(key: &'static str, kind: Kind, default: Default, about: &'static [&'static str]) -> Setting {
    Setting { key, kind, default, about }
}

impl Setting {
    /// The variable of the environment that overrides the file.
    pub fn variable(&self) -> String {
        match self.key {
            "logging.filter" => "WAYSIDE_LOG".into(),
            "database.log" => "WAYSIDE_LOG_URL".into(),
            "database.ledger" => "WAYSIDE_LEDGER_URL".into(),
            key => format!("WAYSIDE_{}", key.replace('.', "_").to_uppercase()),
        }
    }

    pub fn is_secret(&self) -> bool {
        self.kind == Kind::Database
    }
}

/// More of anything than there ever is.
const LARGE: u64 = u32::MAX as u64;

/// By table, in the order of the example.
pub const SETTINGS: &[Setting] = &[
    setting(
        "data",
        Kind::Path,
        Default::Nothing("/var/lib/wayside"),
        &["The data directory: log, views, keys. Made on the first run. Needed."],
    ),
    setting("name", Kind::Text, Default::Text(DEFAULT_NAME), &["What the pages call your service."]),
    setting(
        "listen",
        Kind::Address,
        Default::Text("127.0.0.1:8443"),
        &["Where tablets, pages and programs are served, over TLS."],
    ),
    setting(
        "url",
        Kind::Url,
        Default::Nothing("https://base.example:8443"),
        &["Where tablets reach this server, if that is not where it listens."],
    ),
    setting(
        "pages",
        Kind::Local,
        Default::Nothing("127.0.0.1:8080"),
        &["Serves the pages without TLS, too, for a browser or a reverse proxy on this machine."],
    ),
    setting(
        "tls.cert",
        Kind::Path,
        Default::Nothing("/etc/wayside/tls.crt"),
        &["A certificate chain (PEM) instead of our own. With tls.key, or neither."],
    ),
    setting(
        "tls.key",
        Kind::Path,
        Default::Nothing("credential:tls.key"),
        &["Its private key (PEM). Tablets pin this key: keep it when the certificate is renewed."],
    ),
    setting(
        "database.log",
        Kind::Database,
        Default::Nothing("file:/etc/wayside/log.url"),
        &[
            "A log that several servers share: postgres://USER@HOST/DATABASE. Without it the log lies in the data directory.",
            "With a password in it, put the address into a file that only the server reads: file:PATH, or credential:NAME.",
        ],
    ),
    setting(
        "database.ledger",
        Kind::Database,
        Default::Nothing("file:/etc/wayside/ledger.url"),
        &["The ledger of such a log, in another database. With database.log, or neither."],
    ),
    setting(
        "logging.format",
        Kind::One(&["text", "json"]),
        Default::Text("text"),
        &["How the log on standard error is written: for people, or a JSON object for each line."],
    ),
    setting(
        "logging.filter",
        Kind::Filter,
        Default::Text("warn,wayside_server=info"),
        &["What goes into it. wayside_server=debug has a line for each request."],
    ),
    setting(
        "metrics.listen",
        Kind::Address,
        Default::Nothing("127.0.0.1:9464"),
        &[
            "Where GET /metrics answers Prometheus, without TLS and without a password: on this machine or a network of your own.",
        ],
    ),
    setting(
        "tablets.archive_after_days",
        Kind::Number(0, 36_500),
        Default::Number(DAYS as u64),
        &["Once a day, what nobody has changed for so many days leaves the tablets; 0 for never."],
    ),
    setting(
        "tablets.oldest_version",
        Kind::Number(PROTOCOL_VERSION as u64, STREAMED_VERSION as u64),
        Default::Number(PROTOCOL_VERSION as u64),
        &["Tablets that speak an older version of the sync protocol only send, and are told to be updated."],
    ),
    setting(
        "limits.trusted_proxies",
        Kind::Networks,
        Default::Nothing("[\"10.0.0.0/8\"]"),
        &[
            "Proxies and load balancers whose word on where a request comes from is believed: addresses or networks.",
        ],
    ),
    setting(
        "limits.proxy_header",
        Kind::One(&["x-forwarded-for", "forwarded", "none"]),
        Default::Text("x-forwarded-for"),
        &["The one header in which they say it; none where they pass on bytes."],
    ),
    setting(
        "limits.tablet_per_minute",
        Kind::Number(1, LARGE),
        Default::Number(1_200),
        &[
            "Requests of one tablet a minute, in the long run. Who is refused comes again later; nothing is lost.",
        ],
    ),
    setting(
        "limits.tablet_burst",
        Kind::Number(1, LARGE),
        Default::Number(2_000),
        &["And at one time, after a pause."],
    ),
    setting(
        "limits.tablet_at_once",
        Kind::Number(1, LARGE),
        Default::Number(16),
        &["Requests of one tablet that are open at once."],
    ),
    setting(
        "limits.address_per_minute",
        Kind::Number(1, LARGE),
        Default::Number(30_000),
        &["Requests from one address. A whole fleet may stand behind one: keep it generous."],
    ),
    setting(
        "limits.address_burst",
        Kind::Number(1, LARGE),
        Default::Number(20_000),
        &["And at one time, after a pause."],
    ),
    setting(
        "limits.address_at_once",
        Kind::Number(1, LARGE),
        Default::Number(2_000),
        &["Requests from one address that are open at once."],
    ),
    setting(
        "limits.held_by_tablet",
        Kind::Number(1, LARGE),
        Default::Number(20_000),
        &["Changes of one tablet that may lie in quarantine."],
    ),
    setting(
        "limits.held_by_tablet_mib",
        Kind::Number(1, 1_048_576),
        Default::Number(64),
        &["And their size, in MiB."],
    ),
    setting(
        "limits.held_of_team",
        Kind::Number(1, LARGE),
        Default::Number(100_000),
        &["Changes of one team that may lie in quarantine."],
    ),
    setting(
        "limits.held_of_team_mib",
        Kind::Number(1, 1_048_576),
        Default::Number(512),
        &["And their size, in MiB."],
    ),
    setting(
        "backup.to",
        Kind::Path,
        Default::Nothing("/var/backups/wayside"),
        &["Where encrypted backups go. Without it none is made but by `wayside backup`."],
    ),
    setting(
        "backup.recipients",
        Kind::List,
        Default::Nothing("[\"age1...\"]"),
        &["Whose private keys open them: their public keys, of age. Needed beside backup.to."],
    ),
    setting(
        "backup.every_hours",
        Kind::Number(1, 168),
        Default::Number(24),
        &["One is due when the newest in backup.to is older."],
    ),
    setting(
        "backup.keep_daily",
        Kind::Number(1, 3650),
        Default::Number(14),
        &["How many of the last days are kept."],
    ),
    setting(
        "backup.keep_weekly",
        Kind::Number(0, 520),
        Default::Number(8),
        &["And of the last weeks, one each."],
    ),
    setting(
        "backup.keep_monthly",
        Kind::Number(0, 120),
        Default::Number(6),
        &["And of the last months, one each."],
    ),
    setting(
        "accounts.administrators_need_second_factor",
        Kind::Flag,
        Default::Flag(false),
        &["An administrator without a second factor may do nothing on the pages but set one up."],
    ),
];

/// The setting of a key.
pub fn setting_of(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
