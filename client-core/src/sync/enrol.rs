//! Joining a team with a one-time code.

use wayside_protocol::{
    error::Code,
    sync::{
        EnrolmentCode, Frame, UNKNOWN_SERVER,
        frame::{self, Enrol, Enrolled, PROTOCOL_VERSION},
        sign_request, verify_certificate,
    },
};

use super::{Enrolment, Running, by_status, link::Link};
use crate::{
    error::{Error, Result},
    store::meta::{self, Server},
    tablet::{Identity, Inner, Tablet},
};

const PATH: &str = "/sync/v1/enrol";

impl Tablet {
    /// Joins the team of a one-time code, and with the first one its server. `name` is what people call this
    /// tablet. Everything recorded before belongs to the first team.
    pub async fn enrol(&self, code: &str, name: &str) -> Result<Enrolment> {
        let code = EnrolmentCode::parse(code).map_err(|_| Error::Failed(Code::CodeMalformed))?;
        let running = Running::begin(&self.0)?;
        let (known, me) = running
            .on_store(|tablet| tablet.store.read(|conn| Ok((meta::server(conn)?, tablet.identity(conn)?))))
            .await?;
        // Before the code is spent on a server that this tablet cannot join.
        if known.as_ref().is_some_and(|known| known.pin != code.pin) {
            return Err(Error::Failed(Code::ForeignServer));
        }
        let mut link = Link::new(&code.url, code.pin, &self.0.env)?;
        let received = link.post(PATH, request(&me, &code, name)).await?;
        if let Some(cut) = received.cut {
            return Err(cut);
        }
        let enrolled = match frame::decode(&received.body).as_deref() {
            Ok([Frame::Enrolled(enrolled)]) => enrolled.clone(),
            Ok([Frame::Refusal(refusal)]) => return Err(Error::from(refusal)),
            _ if !received.status.is_success() => return Err(by_status(received.status)),
            _ => return Err(Error::Failed(Code::FrameMalformed)),
        };
        if known.is_some_and(|known| known.key != enrolled.server) {
            return Err(Error::Failed(Code::ForeignServer));
        }
        if !verify_certificate(&enrolled.server, &me.public, &enrolled.certificate) {
            return Err(Error::Failed(Code::SignatureInvalid));
        }
        let enrolment = Enrolment { team: enrolled.team, team_name: enrolled.team_name.clone() };
        let name = name.to_owned();
        running.on_store(move |tablet| keep(tablet, &code, &name, &enrolled)).await?;
        Ok(enrolment)
    }
}

fn request(me: &Identity, code: &EnrolmentCode, name: &str) -> Vec<u8> {
    let mut body = Vec::new();
    let enrol =
        Enrol { version: PROTOCOL_VERSION, secret: code.secret, tablet: me.public, name: name.to_owned() };
    Frame::Enrol(enrol).encode(&mut body);
    // The server's identity key is what this request asks for; the pin says who listens.
    let seal = sign_request(&me.key, &UNKNOWN_SERVER, &body);
    Frame::Seal(seal).encode(&mut body);
    body
}

fn keep(tablet: &Inner, code: &EnrolmentCode, name: &str, enrolled: &Enrolled) -> Result<()> {
    let server = Server {
        url: code.url.clone(),
        pin: code.pin,
        key: enrolled.server,
        certificate: enrolled.certificate,
    };
    let now = tablet.env.clock.now_ms();
    let offset = i64::try_from(enrolled.server_time_ms).unwrap_or(now).saturating_sub(now);
    tablet.store.write(|conn| {
        meta::set_server(conn, &server)?;
        meta::remove_notice(conn, Code::TabletWiped.as_str())?;
        meta::set(conn, meta::NAME, name)?;
        meta::set(conn, meta::CLOCK_OFFSET, offset)?;
        meta::set(conn, meta::SETTLED, 0)?;
        meta::set(conn, meta::SERVER_CAN, i64::try_from(enrolled.capabilities).unwrap_or(0))?;
        meta::join_team(conn, enrolled.team, &enrolled.team_name)
    })
}
