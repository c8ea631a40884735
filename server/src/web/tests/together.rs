//! What is done to accounts, tablets, people and recipients is done together with its row of the audit trail, or not at all.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header;
use serde_json::json;
use totp_rs::{Builder, Secret};
use wayside_protocol::record::{Kind, tablet_id};

use super::{Answer, Desk, ORIGIN, PASSWORD, form, inside, request};
use crate::accounts::{self, Role};
use crate::log::{self, By, audited};
use crate::testing::{START, Site, on_both};

const FROM: &str = "192.0.2.7";

on_both!(nothing_is_done_that_cannot_be_written_down);

/// An administrator, and what their acts leave.
struct Office {
    desk: Desk,
    cookie: String,
}

impl Office {
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let from: SocketAddr = format!("{FROM}:4711").parse().unwrap();
        let method = if path.starts_with("/sign-in/once") { "GET" } else { "POST" };
        let asked = request(method, path, &self.cookie)
            .header("sec-fetch-site", "same-origin")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .extension(ConnectInfo(from));
        self.desk.send(asked.body(Body::from(form(fields))).unwrap()).await
    }

    fn told(&self, sql: &str) -> String {
        self.desk.site.base.log.read(|conn| conn.only(sql, &[], |row| row.get(0))).unwrap()
    }

    fn run(&self, sql: &'static str) {
        self.desk.site.base.log.write(move |txn| txn.conn.execute(sql, &[])).unwrap();
    }

    /// Does it while no row can be written, which does nothing, and then again. `told` says whether it was done.
    async fn does(&self, act: &str, path: &str, fields: &[(&str, &str)], told: &str) -> Answer {
        let before = self.told(told);
        self.run("ALTER TABLE audit RENAME TO audit_away");
        let answer = self.post(path, fields).await;
        assert!(answer.status.is_server_error(), "{path}: {} {}", answer.status, answer.body);
        assert_eq!(self.told(told), before, "{path} was done without a row");
        self.run("ALTER TABLE audit_away RENAME TO audit");

        let rows = self.desk.site.count("audit");
        let answer = self.post(path, fields).await;
        assert!(answer.status.is_success() || answer.status.is_redirection(), "{path}: {}", answer.body);
        assert_ne!(self.told(told), before, "{path} was not done");
        let mut trail = self.desk.site.base.log.read(audited).unwrap();
        assert_eq!(self.desk.site.count("audit"), rows + 1, "{path}: {trail:?}");
        let row = trail.pop().unwrap();
        assert_eq!(
            (row.act.as_str(), row.account.is_some(), row.address.as_str()),
            (act, true, FROM),
            "{path}"
        );
        assert!(row.who.contains("ada"), "{path}: {row:?}");
        answer
    }
}

fn nothing_is_done_that_cannot_be_written_down(site: Site) {
    inside(acts(site));
}

async fn acts(site: Site) {
    let desk = Desk::of(site);
    let base = desk.site.base.clone();
    let (tablet, lost) = (desk.site.tablet(), desk.site.tablet());
    let (person, begin) =
        tablet.begin(Kind::Person, json!({"name": {"given": "Amina", "family": "Quillfeather"}}));
    tablet.push(&desk.site, &[begin]);
    desk.catch_up();
    let (mark, lost_mark) = (tablet_id(&tablet.public()), tablet_id(&lost.public()));
    let team = desk.site.team.to_string();
    let cookie = desk.signed_in("ada", Role::Administrator).await;
    desk.account("bela", Role::Administrator);
    let office = Office { desk, cookie };

    // Accounts.
    let password = "SELECT password FROM account WHERE name = 'ada'";
    let new = "another horse battery";
    let typed = [("current", PASSWORD), ("new", new), ("again", new)];
    office.does("change_password", "/account/password", &typed, password).await;
    let set_up = "SELECT cast(count(*) AS TEXT) FROM second_factor";
    let shown =
        office.does("second_factor_begin", "/account/second-factor", &[("password", new)], set_up).await;
    let secret = shown.body.split("<code id=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
    let secret = Secret::try_from_base32(secret).unwrap();
    let code = Builder::new().with_secret(secret).build().unwrap().generate(START / 1000).to_string();
    let codes = "SELECT cast(count(*) AS TEXT) FROM recovery_code";
    let path = "/account/second-factor/confirm";
    office.does("second_factor_add", path, &[("code", &code)], codes).await;
    let path = "/account/second-factor/remove";
    office.does("second_factor_remove", path, &[("password", new)], codes).await;
    let logins = "SELECT cast(count(*) AS TEXT) FROM login";
    office.does("sign_in", "/sign-in", &[("name", "ada"), ("password", new)], logins).await;
    let link = accounts::sign_in_link(&base, "ada", "").unwrap();
    office.does("sign_in", &link, &[], "SELECT cast(count(*) AS TEXT) FROM sign_in_link").await;
    let role = "SELECT role FROM account WHERE name = 'bela'";
    let fields = [("account", "bela"), ("team", "every"), ("role", "viewer")];
    office.does("set_role", "/accounts/roles", &fields, role).await;
    let tokens = "SELECT cast(count(*) AS TEXT) FROM api_token";
    let fields = [("account", "bela"), ("name", "nightly"), ("scope", "read"), ("days", "30")];
    office.does("token_add", "/accounts/tokens", &fields, tokens).await;
    let ended = "SELECT cast(count(*) AS TEXT) FROM api_token WHERE revoked_at IS NOT NULL";
    let n = accounts::tokens(&base).unwrap()[0].n;
    office.does("token_revoke", &format!("/accounts/tokens/{n}/revoke"), &[], ended).await;
    let recipients = "SELECT cast(count(*) AS TEXT) FROM recipient WHERE ended_at IS NULL";
    let path = "/extracts/recipients";
    office.does("recipients", path, &[("act", "add"), ("name", "Public health")], recipients).await;
    let n = base.log.read(log::recipients).unwrap()[0].n.to_string();
    office.does("recipients", path, &[("act", "end"), ("n", &n)], recipients).await;

    // Tablets. No server has listened on this directory, so it makes codes for an address that it is told.
    base.listens("https://base.example", &[7; 32], None).unwrap();
    let enrol_codes = "SELECT cast(count(*) AS TEXT) FROM enrol_code";
    office.does("enrol_code", "/fleet", &[("team", &team)], enrol_codes).await;
    let names = "SELECT max(name) FROM tablet";
    office.does("rename_tablet", &format!("/fleet/{mark}"), &[("name", "wagon")], names).await;
    let left = "SELECT cast(count(*) AS TEXT) FROM tablet_left";
    office.does("take_out_tablet", &format!("/fleet/{mark}/leave"), &[("team", &team)], left).await;
    let revoked = "SELECT cast(count(*) AS TEXT) FROM tablet WHERE revoked_at IS NOT NULL";
    office.does("revoke_tablet", &format!("/fleet/{lost_mark}/revoke"), &[], revoked).await;
    for (act, path) in [("refuse_held", "/quarantine/refuse"), ("admit_held", "/quarantine/admit")] {
        lost.push(&office.desk.site, &[lost.begin(Kind::Person, json!({"sex": "F"})).1]);
        let held = "SELECT cast(count(*) AS TEXT) FROM quarantine WHERE code = 'from_revoked_tablet'";
        office.does(act, path, &[("tablet", &lost_mark)], held).await;
    }

    // People. Another administrator has asked for the last.
    let requests = "SELECT cast(count(*) AS TEXT) FROM erase_request";
    let at = |part: &str| format!("/people/{}/erase{part}", person.id());
    office.does("erase_asked", &at(""), &[("reason", "Asked to be forgotten")], requests).await;
    office.does("erase_refused", &at("/refuse"), &[], requests).await;
    let bela = accounts::named(&base, "bela").unwrap().unwrap();
    let by = By { who: "bela".into(), account: Some(bela.n), ..By::default() };
    crate::api::ask_to_erase(&base, &by, person.id(), "Asked to be forgotten").unwrap();
    office.does("erase", &at("/confirm"), &[], requests).await;

    let everywhere = "/account/sign-out-everywhere";
    let path = accounts::sign_in_link(&base, "ada", ORIGIN).unwrap();
    office.does("sign_out_everywhere", everywhere, &[], logins).await;
    // The login that did it has ended; nor is the link of any use.
    assert_eq!(office.post(path.strip_prefix(ORIGIN).unwrap(), &[]).await.status.as_u16(), 401);
    let office = Office { cookie: office.desk.signed_in("ada 2", Role::Viewer).await, ..office };
    office.does("sign_out", "/sign-out", &[], logins).await;
    assert_eq!(base.verify_audit().unwrap().wrong, 0);
}
