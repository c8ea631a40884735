//! Who was seen, who saw them, and where: Patient, Consent, Organization, Location.

use serde_json::{Map, Value, json};
use wayside_protocol::clinical::identity::ods_default;
use wayside_protocol::clinical::{NhsNumber, codes, ethnic_category};
use wayside_protocol::record::RecordId;

use super::values::{clean, disputed, either, instant, places, text};
use super::{Resource, Seen, Type, identifier, refer};

const UK_CORE: &str = "https://fhir.hl7.org.uk/StructureDefinition/";
const NHS_NUMBER: &str = "https://fhir.nhs.uk/Id/nhs-number";
pub(super) const ODS: &str = "https://fhir.nhs.uk/Id/ods-organization-code";

/// A person's record with its consents. `members` are all records of the same person, `standing` the one of them that
/// stands for all.
pub fn patient(person: &Value, standing: RecordId, members: &[RecordId]) -> Vec<Resource> {
    let Some(id) = text(person, "/id") else { return Vec::new() };
    let mut fields = details(person);
    let stands = standing.to_string() == id;
    let in_error = person.get("entered_in_error").is_some_and(Value::is_object);
    fields.insert("active".into(), (stands && !in_error).into());
    let link = |to: String, how: &str| json!({"other": refer(Type::Patient, &to), "type": how});
    let links: Vec<Value> = if stands {
        let others = members.iter().map(RecordId::to_string).filter(|other| other != id);
        others.map(|other| link(other, "replaces")).collect()
    } else {
        vec![link(standing.to_string(), "replaced-by")]
    };
    if !links.is_empty() {
        fields.insert("link".into(), links.into());
    }
    let mut identifiers: Vec<Value> = nhs_number(person).into_iter().collect();
    identifiers.push(identifier(id));
    fields.insert("identifier".into(), identifiers.into());
    if let Some(div) = unsettled(person) {
        fields.insert("text".into(), json!({"status": "generated", "div": div}));
    }
    let patient = Resource::of_record(Type::Patient, id, fields);
    let consents = places(person, "consents").into_iter().filter_map(|place| {
        let entry = place.live.first().map(|(_, entry)| *entry).or(place.struck)?;
        Some(consent(id, place.root, entry, in_error || place.live.is_empty()))
    });
    let consents: Vec<Resource> = consents.collect();
    std::iter::once(patient).chain(consents).collect()
}

/// The patient of a contact with somebody who gave no details.
pub(super) fn nobody(seen: &Seen<'_>) -> Resource {
    let mut fields = details(seen.contact);
    fields.insert("active".into(), (!seen.is_in_error()).into());
    let mut nobody = Resource::of_place(Type::Patient, seen.id(), "", fields);
    if let Some(fields) = nobody.json.as_object_mut() {
        fields.insert("identifier".into(), json!([identifier(&nobody.id)]));
    }
    nobody
}

/// What is known of somebody, without identifiers. Whatever values disagree of is left out.
fn details(person: &Value) -> Map<String, Value> {
    let mut fields = profile("UKCore-Patient");
    let settled = |path: &str| disputed(person, path).is_empty();
    let known = |path: &str| {
        let found = person.pointer(&format!("/{path}")).filter(|_| settled(path))?;
        found.as_str().and_then(clean)
    };
    let mut extensions = Vec::new();
    if let Some(category) = known("ethnic_category").and_then(|code| ethnic_category(&code)) {
        let system = "https://fhir.hl7.org.uk/CodeSystem/UKCore-EthnicCategoryEngland";
        let coding = json!({"system": system, "code": category.code, "display": category.description});
        extensions.push(json!({"url": format!("{UK_CORE}Extension-UKCore-EthnicCategory"),
            "valueCodeableConcept": {"coding": [coding]}}));
    }
    let interpreter = person.get("interpreter_needed").and_then(Value::as_bool);
    if let Some(needed) = interpreter.filter(|_| settled("interpreter_needed")) {
        let url = "http://hl7.org/fhir/StructureDefinition/patient-interpreterRequired";
        extensions.push(json!({"url": url, "valueBoolean": needed}));
    }
    let mut put = |name: &str, value: Option<Value>| {
        fields.extend(value.map(|value| (name.to_owned(), value)));
    };
    put("extension", (!extensions.is_empty()).then(|| extensions.into()));
    put("name", name(known("name/given"), known("name/family")));
    let phone = known("phone").map(|phone| json!({"system": "phone", "value": phone}));
    let email = known("email").map(|email| json!({"system": "email", "value": email}));
    let telecom: Vec<Value> = phone.into_iter().chain(email).collect();
    put("telecom", (!telecom.is_empty()).then(|| telecom.into()));
    let gender = known("gender").and_then(|code| gender(&code)).or_else(|| gender(&known("sex")?));
    put("gender", gender.map(Value::from));
    let born = text(person, "/date_of_birth").filter(|_| settled("birth"));
    put("birthDate", born.map(Value::from));
    put("address", person.get("address").filter(|_| settled("address")).and_then(address));
    put("communication", known("language").map(|language| communication(&language)));
    put("generalPractitioner", practice(person, known("gp/ods_code"), known("gp/practice_name")));
    fields
}

pub(super) fn profile(name: &str) -> Map<String, Value> {
    Map::from_iter([("meta".to_owned(), json!({"profile": [format!("{UK_CORE}{name}")]}))])
}

fn name(given: Option<String>, family: Option<String>) -> Option<Value> {
    let mut name = Map::from_iter([("use".to_owned(), Value::from("official"))]);
    name.extend(family.map(|family| ("family".to_owned(), family.into())));
    name.extend(given.map(|given| ("given".to_owned(), json!([given]))));
    (name.len() > 1).then(|| json!([name]))
}

/// FHIR's administrative gender, from the data dictionary's codes or from words.
fn gender(code: &str) -> Option<&'static str> {
    Some(match code.to_lowercase().as_str() {
        "1" | "m" | "male" => "male",
        "2" | "f" | "female" => "female",
        "9" | "3" | "4" | "indeterminate" | "non_binary" | "other" => "other",
        "x" | "unknown" => "unknown",
        _ => return None,
    })
}

fn address(address: &Value) -> Option<Value> {
    let lines = address.get("lines").and_then(Value::as_array).into_iter().flatten();
    let lines: Vec<String> = lines.filter_map(|line| clean(line.as_str()?)).collect();
    let mut sent = Map::from_iter([("use".to_owned(), Value::from("home"))]);
    if !lines.is_empty() {
        sent.insert("line".into(), lines.into());
    }
    sent.extend(
        text(address, "/postcode").and_then(clean).map(|code| ("postalCode".to_owned(), code.into())),
    );
    (sent.len() > 1).then(|| json!([sent]))
}

fn communication(language: &str) -> Value {
    let is_tag = language.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
    let concept = match is_tag {
        true => json!({"coding": [{"system": "urn:ietf:bcp:47", "code": language}]}),
        false => json!({"text": language}),
    };
    json!([{"language": concept, "preferred": true}])
}

/// By its code, which every system in England knows: no resource of ours stands for a practice. The codes that say
/// that there is none are no practice.
fn practice(person: &Value, code: Option<String>, name: Option<String>) -> Option<Value> {
    let registered = text(person, "/gp/registered").is_none_or(|registered| registered == "yes");
    let code = code.filter(|code| registered && ods_default(code).is_none());
    let mut practice = Map::new();
    practice.extend(code.map(|code| ("identifier".to_owned(), json!({"system": ODS, "value": code}))));
    practice.extend(name.filter(|_| registered).map(|name| ("display".to_owned(), name.into())));
    (!practice.is_empty()).then(|| json!([practice]))
}

/// A valid number that nobody disputes, with its verification status: 02 until somebody traced it.
fn nhs_number(person: &Value) -> Option<Value> {
    if !disputed(person, "nhs_number").is_empty() {
        return None;
    }
    let found = person.get("nhs_number")?;
    let number = NhsNumber::parse(found.get("value").unwrap_or(found).as_str()?).ok()?;
    let status = text(found, "/status").unwrap_or("02");
    let display = match status {
        "02" => "Number present but not traced",
        other => codes::label(codes::NHS_NUMBER_STATUS, other)?,
    };
    let system = "https://fhir.hl7.org.uk/CodeSystem/UKCore-NHSNumberVerificationStatusEngland";
    let coding = json!({"system": system, "code": status, "display": display});
    let verified = json!({"url": format!("{UK_CORE}Extension-UKCore-NHSNumberVerificationStatus"),
        "valueCodeableConcept": {"coding": [coding]}});
    Some(json!({"extension": [verified], "system": NHS_NUMBER, "value": number.as_str()}))
}

/// What values disagree of, as a narrative.
fn unsettled(person: &Value) -> Option<String> {
    const SHOWN: &[(&str, &str)] = &[
        ("name/given", "Given name"),
        ("name/family", "Family name"),
        ("birth", "Birth"),
        ("sex", "Sex"),
        ("gender", "Gender"),
        ("nhs_number", "NHS number"),
        ("address", "Address"),
        ("phone", "Phone"),
        ("email", "E-mail"),
        ("language", "Language"),
        ("interpreter_needed", "Interpreter"),
        ("ethnic_category", "Ethnic category"),
        ("gp/ods_code", "GP practice code"),
        ("gp/practice_name", "GP practice"),
        ("merged_into", "Merged into"),
    ];
    let lines: Vec<String> = SHOWN
        .iter()
        .map(|(path, label)| (label, disputed(person, path)))
        .filter(|(_, values)| !values.is_empty())
        .map(|(label, values)| format!("<li>{label}: {}</li>", escape(&either(&values))))
        .collect();
    (!lines.is_empty())
        .then(|| format!("<div xmlns=\"http://www.w3.org/1999/xhtml\"><ul>{}</ul></div>", lines.concat()))
}

/// Text inside XHTML.
pub(super) fn escape(text: &str) -> String {
    let kept = clean(text).unwrap_or_default();
    kept.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn consent(person: &str, entry_id: &str, entry: &Value, in_error: bool) -> Resource {
    let given = entry.get("given") == Some(&Value::Bool(true));
    let withdrawn = text(entry, "/withdrawn_at");
    let status = match (in_error, given, withdrawn) {
        (true, ..) => "entered-in-error",
        (_, false, _) => "rejected",
        (_, true, Some(_)) => "inactive",
        (_, true, None) => "active",
    };
    let purpose = text(entry, "/purpose").and_then(clean).unwrap_or_else(|| "unnamed".to_owned());
    let scope = json!({"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope",
        "code": "patient-privacy", "display": "Privacy Consent"}]});
    let permits = if given && withdrawn.is_none() { "permit" } else { "deny" };
    let mut fields = Map::from_iter([
        ("status".to_owned(), Value::from(status)),
        ("scope".to_owned(), scope),
        ("category".to_owned(), json!([{"text": purpose.replace('_', " ")}])),
        ("patient".to_owned(), refer(Type::Patient, person)),
        ("policyRule".to_owned(), json!({"text": "As recorded at the outreach session"})),
        ("provision".to_owned(), json!({"type": permits})),
    ]);
    fields.extend(text(entry, "/at").and_then(instant).map(|at| ("dateTime".to_owned(), at.into())));
    Resource::of_place(Type::Consent, person, &format!("consents/{entry_id}"), fields)
}

/// The team, as the organisation that sees people.
pub fn organization(team: &Value) -> Vec<Resource> {
    let Some(id) = text(team, "/id") else { return Vec::new() };
    let mut fields = profile("UKCore-Organization");
    fields.insert("identifier".into(), json!([identifier(id)]));
    fields.insert("active".into(), true.into());
    fields.insert(
        "name".into(),
        text(team, "/name").and_then(clean).unwrap_or_else(|| "Outreach team".to_owned()).into(),
    );
    vec![Resource::of_record(Type::Organization, id, fields)]
}

/// A venue. Its name and kind may say something of the religion of who comes (pack 10.1).
pub fn site_location(site: &Value) -> Vec<Resource> {
    let Some(id) = text(site, "/id") else { return Vec::new() };
    let mut fields = location(site, id);
    let name = text(site, "/name").and_then(clean).unwrap_or_else(|| "Venue".to_owned());
    fields.insert("name".into(), name.into());
    // A location has one address, and it is nobody's home.
    if let Some(Value::Object(mut address)) =
        site.get("address").and_then(address).and_then(|all| all.get(0).cloned())
    {
        address.insert("use".into(), "work".into());
        fields.insert("address".into(), address.into());
    }
    vec![Resource::of_record(Type::Location, id, fields)]
}

/// A session: the van or stall of that day, at its site.
pub fn session_location(session: &Value) -> Vec<Resource> {
    let Some(id) = text(session, "/id") else { return Vec::new() };
    let mut fields = location(session, id);
    let setting = text(session, "/setting").unwrap_or("pop_up");
    let what = match (text(session, "/vehicle").and_then(clean), setting) {
        (Some(vehicle), _) => vehicle,
        (None, "van") => "Outreach van".to_owned(),
        (None, "bus") => "Outreach bus".to_owned(),
        (None, "home_visit") => "Home visits".to_owned(),
        (None, _) => "Pop-up session".to_owned(),
    };
    let date = text(session, "/date").unwrap_or_default();
    fields.insert("name".into(), format!("{what}, {date}").trim_end_matches([',', ' ']).into());
    if matches!(setting, "van" | "bus") {
        let system = "http://terminology.hl7.org/CodeSystem/location-physical-type";
        let vehicle = json!({"coding": [{"system": system, "code": "ve", "display": "Vehicle"}]});
        fields.insert("physicalType".into(), vehicle);
    }
    if let Some(site) = text(session, "/site") {
        fields.insert("partOf".into(), refer(Type::Location, site));
    }
    vec![Resource::of_record(Type::Location, id, fields)]
}

fn location(record: &Value, id: &str) -> Map<String, Value> {
    let mut fields = profile("UKCore-Location");
    let used = record.get("active") != Some(&Value::Bool(false)) && record.get("entered_in_error").is_none();
    fields.insert("status".into(), if used { "active" } else { "inactive" }.into());
    fields.insert("mode".into(), "instance".into());
    fields.insert("identifier".into(), json!([identifier(id)]));
    let team = text(record, "/team").map(|team| refer(Type::Organization, team));
    fields.extend(team.map(|team| ("managingOrganization".to_owned(), team)));
    fields
}
