//! The summary of one check for a GP practice: a document, its Composition first.

use serde_json::{Map, Value, json};
use wayside_protocol::clinical::gp_message::{GpItem, GpLine, GpMessage, GpStanding, Said};

use super::bundle::closed;
use super::people::escape;
use super::values::{instant, text};
use super::{Resource, Seen, Type, identifier};
use crate::web::words;

const TITLE: &str = "Outreach health check: summary for the GP practice";

/// Sections: title, items, and the types of resources that belong there.
type Section = (&'static str, &'static [GpItem], &'static [Type]);

const SECTIONS: &[Section] = &[
    (
        "Contact",
        &[
            GpItem::SeenAt,
            GpItem::Reason,
            GpItem::Consultation,
            GpItem::Organisation,
            GpItem::Clinician,
            GpItem::StaffRole,
            GpItem::Consent,
            GpItem::Summary,
        ],
        &[Type::Encounter],
    ),
    (
        "Findings",
        &[
            GpItem::BloodPressure,
            GpItem::PulseRate,
            GpItem::PulseRhythm,
            GpItem::Readings,
            GpItem::RedFlags,
            GpItem::Symptoms,
            GpItem::Pregnancy,
            GpItem::History,
            GpItem::FamilyHistory,
            GpItem::Treatment,
            GpItem::Measurements,
            GpItem::Lifestyle,
        ],
        &[Type::Observation],
    ),
    (
        "Advice and what comes next",
        &[GpItem::Advice, GpItem::Outcome, GpItem::Rules],
        &[Type::ServiceRequest, Type::Task],
    ),
];

/// The document. `resources` are those of the contact, its person and its team; `at` is when the record was last
/// changed, RFC 3339: two summaries of the same state are the same. Whether it may be sent says `message.share`.
pub fn summary(seen: &Seen<'_>, message: &GpMessage, resources: &[Resource], at: &str) -> Value {
    let sent = resources.iter().filter(|made| {
        // Who typed it on which tablet, and where somebody was seen, is not for the practice.
        !matches!(made.ty, Type::Provenance | Type::Location | Type::Consent)
    });
    let mut sent: Vec<Resource> = sent.cloned().collect();
    for made in sent.iter_mut().filter(|made| made.ty == Type::Encounter) {
        made.json.as_object_mut().map(|fields| fields.remove("location"));
    }
    let at = instant(at).or_else(|| instant(text(seen.contact, "/started_at")?)).unwrap_or_default();
    let composition = composition(seen, message, &sent, &at);
    let id = composition.id.clone();
    let resources = std::iter::once(composition).chain(sent).collect::<Vec<_>>();
    let entries: Vec<Value> = closed(&resources)
        .into_iter()
        .map(|made| json!({"fullUrl": format!("urn:uuid:{}", made.id), "resource": made.json}))
        .collect();
    let profile = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Bundle";
    json!({"resourceType": "Bundle", "meta": {"profile": [profile]}, "identifier": identifier(&id),
        "type": "document", "timestamp": at, "entry": entries})
}

fn composition(seen: &Seen<'_>, message: &GpMessage, sent: &[Resource], at: &str) -> Resource {
    let unsettled = message.lines.iter().any(|line| line.standing == GpStanding::Unsettled);
    let sections: Vec<Value> = SECTIONS
        .iter()
        .map(|(title, items, types)| {
            let entries: Vec<Value> =
                sent.iter().filter(|made| types.contains(&made.ty)).map(Resource::reference).collect();
            let mut section = Map::from_iter([
                ("title".to_owned(), Value::from(*title)),
                (
                    "text".to_owned(),
                    narrative(message.lines.iter().filter(|line| items.contains(&line.item))),
                ),
            ]);
            if !entries.is_empty() {
                section.insert("entry".into(), entries.into());
            }
            Value::Object(section)
        })
        .collect();
    let author = seen.organization().unwrap_or_else(|| json!({"display": "Outreach team"}));
    let status = match (seen.is_in_error(), unsettled) {
        (true, _) => "entered-in-error",
        // While values disagree nothing is final.
        (false, true) => "preliminary",
        (false, false) => "final",
    };
    let fields = Map::from_iter([
        ("status".to_owned(), Value::from(status)),
        ("type".to_owned(), json!({"text": TITLE})),
        ("title".to_owned(), TITLE.into()),
        ("text".to_owned(), narrative(message.lines.iter())),
        ("subject".to_owned(), seen.subject()),
        ("encounter".to_owned(), seen.encounter()),
        ("date".to_owned(), at.into()),
        ("author".to_owned(), json!([author])),
        ("section".to_owned(), sections.into()),
    ]);
    Resource::of_place(Type::Composition, seen.id(), "summary", fields)
}

/// Items as a table: what was not recorded is said, too.
fn narrative<'a>(lines: impl Iterator<Item = &'a GpLine>) -> Value {
    let rows: String = lines
        .map(|line| format!("<tr><th>{}</th><td>{}</td></tr>", escape(line.item.label()), said(line)))
        .collect();
    let div =
        format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><table><tbody>{rows}</tbody></table></div>");
    json!({"status": "generated", "div": div})
}

fn said(line: &GpLine) -> String {
    let told: Vec<String> = line
        .said
        .iter()
        .map(|said| match said {
            Said::Words(words) => escape(words),
            Said::Day(day) => escape(&words::birthday(day)),
            Said::At { at, words: told } if told.is_empty() => escape(&words::when(at)),
            Said::At { at, words: told } => escape(&format!("{}: {told}", words::when(at))),
        })
        .collect();
    match line.standing {
        GpStanding::Recorded => told.join("<br/>"),
        GpStanding::Unsettled => format!("<b>Not settled, values disagree.</b><br/>{}", told.join("<br/>")),
        GpStanding::Declined => "Asked, declined".to_owned(),
        GpStanding::NotRecorded => "Not recorded".to_owned(),
    }
}
