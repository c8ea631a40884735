//! What was measured and asked: one Observation for each place in a contact.

use serde_json::{Map, Value, json};
use wayside_protocol::clinical::activity::{GPPAQ_SNOMED, gppaq_of};
use wayside_protocol::clinical::alcohol::{AuditC, audit_c};
use wayside_protocol::clinical::smoking::Smoking;
use wayside_protocol::clinical::{Category, codes};
use wayside_protocol::record::schema::MEASUREMENTS_PATH;

use super::values::{
    Code, Place, absent, clean, concept, disputed, either, instant, note, places, plain, quantity,
    reading_path, text, unsettled,
};
use super::{Resource, Seen, Type};

const BLOOD_PRESSURE: &[Code] = &[
    Code::snomed("75367002", "Blood pressure"),
    Code::loinc("85354-9", "Blood pressure panel with all children optional"),
];
const SYSTOLIC: &[Code] = &[
    Code::snomed("72313002", "Systolic arterial pressure"),
    Code::loinc("8480-6", "Systolic blood pressure"),
];
const DIASTOLIC: &[Code] = &[
    Code::snomed("1091811000000102", "Diastolic arterial pressure"),
    Code::loinc("8462-4", "Diastolic blood pressure"),
];
const HEART_RATE: &[Code] = &[Code::snomed("364075005", "Heart rate"), Code::loinc("8867-4", "Heart rate")];
const BMI: &[Code] =
    &[Code::snomed("60621009", "Body mass index"), Code::loinc("39156-5", "Body mass index")];
/// Under which the BMI of a contact is known; no field has this path.
const BMI_PATH: &str = "derived/bmi";
const MEAN_PATH: &str = "derived/mean";

const HL7_BP: &str = "http://hl7.org/fhir/StructureDefinition/bp";
const UK_BP: &str = "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Observation-VitalSigns-BloodPressure";
const UK_HEART_RATE: &str =
    "https://fhir.hl7.org.uk/StructureDefinition/UKCore-Observation-VitalSigns-HeartRate";

/// All of a contact.
pub(super) fn observations(seen: &Seen<'_>) -> Vec<Resource> {
    let mut all = Vec::new();
    for place in places(seen.contact, "bp/readings") {
        all.push(blood_pressure(seen, &place));
        all.extend(heart_rate(seen, &place));
    }
    all.extend(mean(seen, &all));
    all.extend(places(seen.contact, MEASUREMENTS_PATH).iter().filter_map(|place| measurement(seen, place)));
    all.extend(bmi(seen));
    all.extend(places(seen.contact, "bp/red_flags").iter().filter_map(|place| red_flag(seen, place)));
    all.extend(asked(seen));
    all
}

/// An Observation as it grows.
struct Growing<'a> {
    seen: &'a Seen<'a>,
    path: String,
    /// What distinguishes two of one path.
    part: &'static str,
    fields: Map<String, Value>,
}

impl<'a> Growing<'a> {
    fn new(seen: &'a Seen<'a>, path: String, category: &str, code: Value, at: Option<&str>) -> Growing<'a> {
        let display = match category {
            "vital-signs" => "Vital Signs",
            "laboratory" => "Laboratory",
            "exam" => "Exam",
            "social-history" => "Social History",
            _ => "Survey",
        };
        let system = "http://terminology.hl7.org/CodeSystem/observation-category";
        let mut fields = Map::from_iter([
            ("status".to_owned(), Value::from("final")),
            (
                "category".to_owned(),
                json!([{"coding": [{"system": system, "code": category, "display": display}]}]),
            ),
            ("code".to_owned(), code),
            ("subject".to_owned(), seen.subject()),
            ("encounter".to_owned(), seen.encounter()),
        ]);
        let at = at.or(text(seen.contact, "/started_at")).and_then(instant);
        fields.extend(at.map(|at| ("effectiveDateTime".to_owned(), at.into())));
        fields.extend(seen.organization().map(|team| ("performer".to_owned(), json!([team]))));
        Growing { seen, path, part: "", fields }
    }

    fn part(mut self, part: &'static str) -> Self {
        self.part = part;
        self
    }

    fn set(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.to_owned(), value.into());
        self
    }

    fn maybe(self, name: &str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.set(name, value),
            None => self,
        }
    }

    /// How a place stands: struck out, corrected, or as it was taken.
    fn standing(self, place: &Place<'_>) -> Self {
        if place.live.is_empty() {
            let why = format!("Struck out: {}.", place.reason());
            return self.set("status", "entered-in-error").set("note", note(&why));
        }
        if place.was_corrected() { self.set("status", "corrected") } else { self }
    }

    /// Values disagree: nobody's truth.
    fn unsettled(self, values: &str) -> Self {
        self.set("status", "preliminary").set("dataAbsentReason", unsettled()).set("note", note(values))
    }

    fn done(mut self) -> Resource {
        if self.seen.is_in_error() {
            self.fields.insert("status".into(), "entered-in-error".into());
        }
        let place =
            if self.part.is_empty() { self.path.clone() } else { format!("{}/{}", self.path, self.part) };
        let made = Resource::of_place(Type::Observation, self.seen.id(), &place, self.fields);
        Resource { path: self.path, ..made }
    }
}

/// Both numbers of an entry, or neither.
fn pair(entry: &Value) -> Option<(i64, i64)> {
    Some((entry.get("systolic")?.as_i64()?, entry.get("diastolic")?.as_i64()?))
}

fn components(systolic: &[Code], diastolic: &[Code], (high, low): (i64, i64)) -> Value {
    let component = |codes: &[Code], text: &str, value: i64| json!({"code": concept(codes, text), "valueQuantity": quantity(value, "millimeter of mercury", "mm[Hg]")});
    json!([
        component(systolic, "Systolic blood pressure", high),
        component(diastolic, "Diastolic blood pressure", low)
    ])
}

/// A reading. Of corrections that disagree, or without both numbers, it has none.
fn blood_pressure(seen: &Seen<'_>, place: &Place<'_>) -> Resource {
    let stands = place.live.first().map(|(_, entry)| *entry).or(place.struck);
    let at = stands.and_then(|entry| text(entry, "/taken_at"));
    let code = concept(BLOOD_PRESSURE, "Blood pressure");
    let mut growing = Growing::new(seen, reading_path(place.root), "vital-signs", code, at).standing(place);
    let mut pairs: Vec<(i64, i64)> = place.live.iter().filter_map(|(_, entry)| pair(entry)).collect();
    pairs.dedup();
    if pairs.len() > 1 {
        let said: Vec<String> = pairs.iter().map(|(high, low)| format!("{high}/{low}")).collect();
        let said = format!("Not settled, corrections of this reading disagree: {} mmHg.", said.join(" and "));
        return growing.unsettled(&said).done();
    }
    let Some((entry, pair)) = stands.and_then(|entry| Some((entry, pair(entry)?))) else {
        return growing.set("dataAbsentReason", absent("unknown", "Unknown")).done();
    };
    growing = growing
        .set("meta", json!({"profile": [HL7_BP, UK_BP]}))
        .set("component", components(SYSTOLIC, DIASTOLIC, pair))
        .set("extension", extensions(entry))
        .maybe("bodySite", text(entry, "/arm").and_then(arm))
        .maybe("method", text(entry, "/method").and_then(method));
    let device =
        entry.get("device").map(|device| text(device, "/name").map_or_else(|| plain(device), str::to_owned));
    growing =
        growing.maybe("device", device.and_then(|name| clean(&name)).map(|name| json!({"display": name})));
    let chosen = text(seen.contact, "/derived/chosen_reading");
    if chosen.is_some() && place.live.iter().any(|(id, _)| Some(*id) == chosen) {
        growing = counts(growing);
    }
    growing.done()
}

/// The reading that counts says why, and what it comes to; not so as long as values disagree of that.
fn counts(growing: Growing<'_>) -> Growing<'_> {
    let derived = growing.seen.contact.get("derived").cloned().unwrap_or_default();
    let why = text(&derived, "/why").unwrap_or_default();
    let otherwise = derived.pointer("/disputed/otherwise").and_then(Value::as_array);
    if otherwise.is_some_and(|others| !others.is_empty()) {
        return growing.set("note", note(&format!("What this comes to is not settled. {why}.")));
    }
    let category = text(&derived, "/category").and_then(Category::parse);
    growing
        .set("note", note(&format!("Recorded blood pressure. {why}.")))
        .maybe("interpretation", category.and_then(interpretation))
}

fn interpretation(category: Category) -> Option<Value> {
    let (code, display) = match category {
        Category::Low => ("L", "Low"),
        Category::Normal | Category::PregNotHigh => ("N", "Normal"),
        Category::High | Category::HighStage1 | Category::HighStage2 | Category::PregHigh => ("H", "High"),
        Category::VeryHigh | Category::PregSevere => ("HH", "Critical high"),
        Category::NotClassified | Category::Invalid => return None,
    };
    let system = "http://terminology.hl7.org/CodeSystem/v3-ObservationInterpretation";
    Some(json!([{"coding": [{"system": system, "code": code, "display": display}]}]))
}

/// Position, and where it was measured.
fn extensions(entry: &Value) -> Value {
    let position = match text(entry, "/position") {
        Some("sitting") => Some(concept(&[Code::snomed("33586001", "Sitting position")], "")),
        Some("lying") => Some(concept(&[Code::snomed("40199007", "Supine body position")], "")),
        Some("standing") => Some(concept(&[], "Standing position")),
        _ => None,
    };
    let at_home = matches!(text(entry, "/setting"), Some("hbpm" | "abpm"));
    let mut extensions: Vec<Value> = Vec::new();
    extensions.extend(position.map(|position| {
        json!({"url": "http://hl7.org/fhir/StructureDefinition/observation-bodyPosition", "valueCodeableConcept": position})
    }));
    extensions.push(recording_setting(at_home));
    extensions.into()
}

fn recording_setting(at_home: bool) -> Value {
    let (code, display) = if at_home { ("residential", "Residential") } else { ("clinical", "Clinical") };
    let system = "https://fhir.hl7.org.uk/CodeSystem/UKCore-RecordingSetting";
    json!({"url": "https://fhir.hl7.org.uk/StructureDefinition/Extension-UKCore-RecordingSetting",
        "valueCodeableConcept": {"coding": [{"system": system, "code": code, "display": display}]}})
}

fn arm(code: &str) -> Option<Value> {
    Some(match code {
        "right" => concept(&[Code::snomed("368209003", "Right upper arm structure")], ""),
        "left" => concept(&[Code::snomed("368208006", "Left upper arm structure")], ""),
        other => concept(&[], &clean(other)?),
    })
}

fn method(code: &str) -> Option<Value> {
    Some(match code {
        "automatic" | "automated" | "oscillometric" => {
            concept(&[Code::snomed("31813000", "Vascular oscillometry")], "")
        }
        "manual" | "auscultation" => concept(&[Code::snomed("810061000000102", "Manual auscultation")], ""),
        other => concept(&[], &clean(&other.replace('_', " "))?),
    })
}

/// A reading's pulse; one that a correction took away again is in error, so that nobody keeps it.
fn heart_rate(seen: &Seen<'_>, place: &Place<'_>) -> Option<Resource> {
    let pulse = |entry: &Value| entry.get("pulse")?.as_i64();
    let mut live: Vec<i64> = place.live.iter().filter_map(|(_, entry)| pulse(entry)).collect();
    live.dedup();
    let stands = place.live.first().map(|(_, entry)| *entry).or(place.struck);
    let at = stands.and_then(|entry| text(entry, "/taken_at"));
    let code = concept(HEART_RATE, "");
    let growing =
        Growing::new(seen, reading_path(place.root), "vital-signs", code, at).part("pulse").standing(place);
    let rate = |pulse: i64| quantity(pulse, "per minute", "/min");
    let profile = json!({"profile": [UK_HEART_RATE]});
    Some(match live.as_slice() {
        [] => {
            let gone = place.all.iter().copied().find_map(pulse)?;
            growing
                .set("meta", profile)
                .set("status", "entered-in-error")
                .set("valueQuantity", rate(gone))
                .done()
        }
        [pulse] => growing.set("meta", profile).set("valueQuantity", rate(*pulse)).done(),
        several => {
            let several: Vec<String> = several.iter().map(i64::to_string).collect();
            growing
                .unsettled(&format!("Not settled, corrections disagree: {} a minute.", several.join(" and ")))
                .done()
        }
    })
}

/// The mean of a home diary or of 24 hours, where that is what counts.
fn mean(seen: &Seen<'_>, readings: &[Resource]) -> Option<Resource> {
    let derived = seen.contact.get("derived")?;
    let setting = text(seen.contact.get("bp")?.get("readings")?.as_object()?.values().next()?, "/setting");
    let at_home = match setting {
        Some("hbpm") => true,
        Some("abpm") => false,
        _ => return None,
    };
    let day = Code::snomed("2181371000000107", "Average 24 hour blood pressure");
    let code = if at_home {
        concept(BLOOD_PRESSURE, "Average home blood pressure")
    } else {
        concept(&[day, BLOOD_PRESSURE[0], BLOOD_PRESSURE[1]], "Average 24 hour blood pressure")
    };
    let growing = Growing::new(seen, MEAN_PATH.to_owned(), "vital-signs", code, None);
    let counted = derived.get("category").is_some_and(|category| !category.is_null());
    let found = pair(derived).filter(|_| counted && derived.get("chosen_reading").is_none_or(Value::is_null));
    let Some(pair) = found else {
        // It may have been there before a reading was struck out.
        let why = text(derived, "/why").unwrap_or("There is no average");
        return Some(
            growing
                .set("status", "cancelled")
                .set("dataAbsentReason", absent("not-performed", "Not Performed"))
                .set("note", note(why))
                .done(),
        );
    };
    let (mut systolic, mut diastolic) = (SYSTOLIC.to_vec(), DIASTOLIC.to_vec());
    if at_home {
        systolic.push(Code::snomed("413606001", "Average home systolic blood pressure"));
    } else {
        systolic.push(Code::snomed("2181381000000109", "Average 24 hour systolic blood pressure"));
        diastolic.push(Code::snomed("2181391000000106", "Average 24 hour diastolic blood pressure"));
    }
    let from: Vec<Value> = readings
        .iter()
        .filter(|made| {
            made.json.get("component").is_some() && text(&made.json, "/status") != Some("entered-in-error")
        })
        .map(Resource::reference)
        .collect();
    let growing = growing
        .set("meta", json!({"profile": [HL7_BP, UK_BP]}))
        .set("extension", json!([recording_setting(true)]))
        .set("component", components(&systolic, &diastolic, pair))
        .maybe("derivedFrom", (!from.is_empty()).then_some(from));
    Some(counts(growing).done())
}

/// What is measured, with its codes and units (pack 4.12-4.13): what, category, codes, name, unit, UCUM.
type Measured = (&'static str, &'static str, &'static [Code], &'static str, &'static str);

const MEASURED: &[Measured] = &[
    ("height", "vital-signs", &[Code::loinc("8302-2", "Body height")], "Height", "cm"),
    (
        "weight",
        "vital-signs",
        &[Code::snomed("27113001", "Body weight"), Code::loinc("29463-7", "Body weight")],
        "Weight",
        "kg",
    ),
    ("waist", "exam", &[Code::snomed("276361009", "Waist circumference")], "Waist", "cm"),
    (
        "total_cholesterol",
        "laboratory",
        &[Code::snomed("1005671000000105", "Total cholesterol")],
        "Total cholesterol",
        "mmol/L",
    ),
    (
        "hdl",
        "laboratory",
        &[Code::snomed("1005681000000107", "HDL cholesterol")],
        "HDL cholesterol",
        "mmol/L",
    ),
    ("hba1c", "laboratory", &[Code::snomed("1003671000000109", "HbA1c")], "HbA1c", "mmol/mol"),
];

fn measurement(seen: &Seen<'_>, place: &Place<'_>) -> Option<Resource> {
    let entry = place.live.first().map(|(_, entry)| *entry).or(place.struck)?;
    let what = text(entry, "/what").and_then(clean)?;
    let known = MEASURED.iter().find(|(name, ..)| *name == what);
    let (category, codes, name) = known
        .map_or(("survey", [].as_slice(), what.as_str()), |(_, category, codes, name, _)| {
            (*category, *codes, *name)
        });
    let unit = text(entry, "/unit").and_then(clean).or_else(|| known.map(|(.., unit)| (*unit).to_owned()));
    let code = concept(codes, &name.replace('_', " "));
    let path = format!("{MEASUREMENTS_PATH}/{}", place.root);
    let growing = Growing::new(seen, path, category, code, text(entry, "/taken_at")).standing(place);
    let mut values: Vec<&Value> = place.live.iter().filter_map(|(_, entry)| entry.get("value")).collect();
    values.dedup();
    if values.len() > 1 {
        return Some(growing.unsettled(&either(&values)).done());
    }
    let Some(value) = entry.get("value").filter(|value| value.is_number()) else {
        return Some(growing.set("dataAbsentReason", absent("unknown", "Unknown")).done());
    };
    // A unit that is none of ours has no code of UCUM's.
    let sent = match (unit, known) {
        (Some(unit), Some((.., code))) if unit == *code => quantity(value.clone(), &unit, code),
        (Some(unit), _) => json!({"value": value, "unit": unit}),
        (None, _) => json!({"value": value}),
    };
    Some(growing.set("valueQuantity", sent).done())
}

/// From the latest height and weight; where they are there and it cannot be said, it says so.
fn bmi(seen: &Seen<'_>) -> Option<Resource> {
    let places = places(seen.contact, MEASUREMENTS_PATH);
    let has = |what: &str| {
        places.iter().any(|place| place.all.iter().any(|entry| text(entry, "/what") == Some(what)))
    };
    if !(has("height") && has("weight")) {
        return None;
    }
    let growing =
        Growing::new(seen, BMI_PATH.to_owned(), "vital-signs", concept(BMI, "Body mass index"), None);
    Some(match seen.contact.pointer("/derived/bmi").filter(|bmi| bmi.is_number()) {
        Some(bmi) => growing.set("valueQuantity", quantity(bmi.clone(), "kg/m2", "kg/m2")).done(),
        None => growing
            .set("status", "cancelled")
            .set("dataAbsentReason", absent("not-performed", "Not Performed"))
            .done(),
    })
}

/// A warning sign that was asked for.
fn red_flag(seen: &Seen<'_>, place: &Place<'_>) -> Option<Resource> {
    let entry = place.live.first().map(|(_, entry)| *entry).or(place.struck)?;
    let flag = text(entry, "/flag").and_then(clean)?;
    let name = codes::label(codes::RED_FLAGS, &flag).map_or_else(|| flag.replace('_', " "), str::to_owned);
    let path = format!("bp/red_flags/{}", place.root);
    let code = concept(&[], &format!("Warning sign: {name}"));
    let growing = Growing::new(seen, path, "survey", code, text(entry, "/asked_at")).standing(place);
    Some(growing.set("valueBoolean", entry.get("present") == Some(&Value::Bool(true))).done())
}

/// Answers that stand in one field each.
fn asked(seen: &Seen<'_>) -> Vec<Resource> {
    let mut all = Vec::new();
    let mut ask = |path: &str,
                   category: &str,
                   code: Value,
                   answer: &dyn Fn(&Value) -> Option<(&'static str, Value)>| {
        let found = seen.contact.pointer(&format!("/{path}")).filter(|value| !value.is_null());
        let growing = Growing::new(seen, path.to_owned(), category, code, None);
        let values = disputed(seen.contact, path);
        if !values.is_empty() {
            all.push(growing.unsettled(&either(&values)).done());
        } else if let Some((name, value)) = found.and_then(answer) {
            all.push(growing.set(name, value).done());
        } else if found.is_none() && declined(seen.contact, path) {
            all.push(growing.set("dataAbsentReason", absent("asked-declined", "Asked But Declined")).done());
        }
    };
    let worded = |value: Value| Some(("valueCodeableConcept", value));
    let rhythm = |value: &Value| match value.as_str()? {
        "irregular" => worded(concept(&[Code::snomed("61086009", "Irregular pulse")], "Irregular pulse")),
        "regular" => worded(concept(&[], "Regular pulse")),
        _ => None,
    };
    ask("bp/pulse_rhythm", "exam", concept(&[], "Pulse rhythm"), &rhythm);
    ask("bp/pulse_rhythm_again", "exam", concept(&[], "Pulse rhythm after 5 minutes"), &rhythm);
    ask("pregnant", "survey", concept(&[], "Pregnancy status"), &|value| {
        worded(match value.as_bool()? {
            true => concept(&[Code::snomed("77386006", "Pregnant")], "Pregnant"),
            false => concept(&[Code::snomed("60001007", "Not pregnant")], "Not pregnant"),
        })
    });
    ask("lifestyle/smoking", "social-history", concept(&[], "Smoking status"), &|value| {
        let smoking = Smoking::parse(value.as_str()?)?;
        let codes: Vec<Code> =
            smoking.snomed().map(|code| Code::snomed(code, smoking.label())).into_iter().collect();
        worded(concept(&codes, smoking.label()))
    });
    let alcohol = codes::label(codes::SNOMED, "audit_c").map(|code| Code::snomed(code, "AUDIT-C score"));
    ask("lifestyle/audit_c", "survey", concept(alcohol.as_slice(), "AUDIT-C score"), &|answers| {
        let answer = |name: &str| answers.get(name).and_then(Value::as_i64);
        match audit_c(answer("q1"), answer("q2"), answer("q3")) {
            AuditC::Scored { score, .. } => Some(("valueInteger", score.into())),
            AuditC::Invalid | AuditC::Incomplete => None,
        }
    });
    let gppaq = concept(
        &[Code::snomed(GPPAQ_SNOMED, "General practice physical activity questionnaire")],
        "Physical activity (GPPAQ)",
    );
    ask("lifestyle/gppaq", "survey", gppaq, &|answers| {
        let activity = gppaq_of(answers)?;
        worded(concept(&[Code::snomed(activity.snomed(), activity.label())], activity.label()))
    });
    ask("lifestyle/family_history", "survey", concept(&[], "Family history"), &|value| {
        let members: Vec<&str> = value.as_array()?.iter().filter_map(Value::as_str).collect();
        let chd = codes::label(codes::SNOMED, "chd_under_60").filter(|_| members.contains(&"chd_under_60"));
        let coded: Vec<Code> = chd
            .map(|code| Code::snomed(code, "Family history of coronary heart disease under 60"))
            .into_iter()
            .collect();
        (!members.is_empty())
            .then(|| ("valueCodeableConcept", concept(&coded, &members.join(", ").replace('_', " "))))
    });
    ask("lifestyle/risk_score", "survey", concept(&[], "Cardiovascular risk score, typed in"), &|score| {
        let value = score.get("value").filter(|value| value.is_number())?;
        let name = text(score, "/name").and_then(clean)?;
        Some(("valueQuantity", json!({"value": value, "unit": name})))
    });
    all
}

/// Whether the person was asked and declined, as the record names it: the field, or the group around it.
fn declined(contact: &Value, path: &str) -> bool {
    let named =
        contact.get("declined").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let last = path.rsplit('/').next().unwrap_or(path);
    named.into_iter().any(|name| {
        name == path || name == last || path.strip_prefix(name).is_some_and(|rest| rest.starts_with('/'))
    })
}
