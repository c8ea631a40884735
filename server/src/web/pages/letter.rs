//! The letter about one check, for paper: one sheet for the GP practice, where the person agreed to that, and one for
//! the person. The site is left out: that somebody was at a place of worship is nobody's business there (pack 10.1).

use askama::Template;
use axum::extract::Path;
use axum::response::Response;
use wayside_protocol::clinical::gp_message::{GpItem, GpLine, GpStanding, Said};
use wayside_protocol::clinical::text::Texts;

use super::super::words;
use super::Ask;
use super::frame::Frame;
use super::table::text;
use crate::api::{self, Letter};

/// One item of the message.
struct Line {
    key: &'static str,
    unsettled: bool,
    values: Vec<String>,
}

#[derive(Template)]
#[template(path = "letter.html")]
struct LetterPage {
    frame: Frame,
    check: String,
    may_send: bool,
    /// What the person said to it.
    share: &'static str,
    organisation: String,
    lines: Vec<Line>,
    /// What a message must have and nobody recorded.
    missing: String,
    unsettled: bool,
    provenance: String,
    /// The person's own sheet.
    name: String,
    seen: String,
    title: String,
    figures: String,
    /// The readings disagree: no figure is given.
    no_figures: bool,
    meaning: String,
    next: Vec<String>,
    warning: String,
}

pub async fn letter(ask: Ask, Path(id): Path<String>) -> Response {
    ask.page_of(id, move |door, frame, id| {
        let letter = api::letter(&door.web.base, &door.web.readers, id)?;
        let (card, message) = (&letter.card, &letter.message);
        let texts = Texts::english();
        let is_unsettled = |line: &GpLine| line.standing == GpStanding::Unsettled;
        let pressure = message.line(GpItem::BloodPressure);
        let no_figures = pressure.is_some_and(is_unsettled);
        let missing = message
            .lines
            .iter()
            .filter(|line| line.item.mandatory() && line.said.is_empty())
            .map(|line| line.item.label().to_owned());
        let told = message.lines.iter().filter(|line| !line.said.is_empty() || is_unsettled(line));
        let figures = card.figures.as_ref().filter(|_| !no_figures);
        Ok(LetterPage {
            check: id.to_string(),
            may_send: message.share.may_send(),
            share: message.share.label(),
            lines: told.map(line).collect(),
            missing: missing.collect::<Vec<_>>().join(", "),
            unsettled: message.lines.iter().any(is_unsettled),
            provenance: provenance(&letter),
            name: letter.check.person.as_ref().and_then(api::name_of).unwrap_or_default(),
            seen: card.seen_at.as_deref().map(words::when).unwrap_or_default(),
            title: texts.say(&card.title),
            figures: figures.map(|figures| texts.say(figures)).unwrap_or_default(),
            no_figures,
            meaning: if no_figures { String::new() } else { texts.say(&card.meaning) },
            next: card.next.iter().map(|line| texts.say(line)).collect(),
            warning: card.warning.as_ref().map(|warning| texts.say(warning)).unwrap_or_default(),
            organisation: letter.organisation,
            frame: frame.titled("Letter about a check", "", ""),
        })
    })
    .await
}

fn line(line: &GpLine) -> Line {
    let unsettled = line.standing == GpStanding::Unsettled;
    let values = if unsettled && line.item == GpItem::BloodPressure {
        // Not even the more urgent of them: on paper one figure would be taken for the truth.
        vec!["Recorded values of a reading disagree: see all readings".to_owned()]
    } else {
        line.said.iter().map(said).collect()
    };
    Line { key: line.item.label(), unsettled, values }
}

fn said(said: &Said) -> String {
    match said {
        Said::Words(words) => words::dated(words),
        Said::Day(day) => words::birthday(day),
        Said::At { at, words } if words.is_empty() => words::when(at),
        Said::At { at, words } => format!("{words}, {}", words::when(at)),
    }
}

/// When it was recorded, by the tablet's clock, and when it arrived.
fn provenance(letter: &Letter) -> String {
    let times = letter.check.shown.history.first().map(|change| {
        let at = text(&letter.check.shown.record, "/created/at").unwrap_or(&change.at);
        format!("Recorded {}; it reached base {}. ", words::when(at), words::when(&change.received_at))
    });
    format!("{}A raised reading is not a diagnosis.", times.unwrap_or_default())
}
