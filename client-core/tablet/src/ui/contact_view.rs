//! A contact as the page shows it: what it means in words, what to do next, every reading.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::{Value, json};
use wayside_client_core::{Code, Hash, RecordId};
use wayside_protocol::clinical::{
    Action, Category, Pair, Urgency,
    codes::{RED_FLAGS, label},
    derive,
    hindsight::hindsight,
    red_flag_questions_due,
};

use super::{app::App, care, fail::Fail, guide, people, today, words};

pub fn heads_text(heads: &[Hash]) -> Value {
    heads.iter().map(|head| HEXLOWER_PERMISSIVE.encode(head)).collect::<Vec<_>>().into()
}

/// The heads that a screen was shown on, as the page sends them back.
pub fn heads(texts: &[String]) -> Result<Vec<Hash>, Fail> {
    let decode = |text: &String| HEXLOWER_PERMISSIVE.decode(text.as_bytes()).ok()?.try_into().ok();
    texts.iter().map(|text| decode(text).ok_or_else(|| Fail::code(Code::BadId))).collect()
}

fn actions(derived: &Value) -> Vec<Action> {
    let codes = derived["actions"].as_array().into_iter().flatten().filter_map(Value::as_str);
    codes.filter_map(Action::parse).collect()
}

fn urgency(derived: &Value) -> Urgency {
    derived["urgency"].as_str().and_then(Urgency::parse).unwrap_or(Urgency::Routine)
}

/// The category in words; null without one.
pub fn category(app: &App, derived: &Value) -> Value {
    let close = actions(derived).contains(&Action::AdviceRecheckSooner);
    let category = derived["category"].as_str().and_then(Category::parse);
    category.map_or(Value::Null, |category| words::category(app, category, close))
}

/// The entries of a map that are neither struck out nor corrected.
pub fn live<'a>(contact: &'a Value, pointer: &str) -> Vec<(&'a String, &'a Value)> {
    let entries = contact.pointer(pointer).and_then(Value::as_object).into_iter().flatten();
    entries.filter(|(_, entry)| state(entry) == "live").collect()
}

fn state(entry: &Value) -> &'static str {
    if !entry["struck_out"].is_null() {
        "struck_out"
    } else if entry["corrected_by"].as_array().is_some_and(|by| !by.is_empty()) {
        "corrected"
    } else {
        "live"
    }
}

/// The most urgent of those who were told.
fn told(contact: &Value) -> Option<Urgency> {
    let told = live(contact, "/referrals").into_iter();
    told.filter_map(|(_, referral)| referral["urgency"].as_str().and_then(Urgency::parse)).max()
}

/// Somebody must be phoned, for nobody at base can see it.
pub fn phone_now(contact: &Value, waiting: bool) -> bool {
    let urgency = urgency(&contact["derived"]);
    waiting && urgency >= Urgency::SameDay && told(contact) < Some(urgency)
}

/// Whether any reading calls for the red-flag questions and not all of them have been answered.
fn flags_due(contact: &Value) -> bool {
    let readings: Vec<Pair> = live(contact, "/bp/readings")
        .into_iter()
        .filter_map(|(_, reading)| {
            Some(Pair::new(reading["systolic"].as_i64()?, reading["diastolic"].as_i64()?))
        })
        .collect();
    let flags = live(contact, "/bp/red_flags");
    let present = flags.iter().any(|(_, flag)| flag["present"] == Value::Bool(true));
    let all = RED_FLAGS.iter().all(|(code, _)| flags.iter().any(|(_, flag)| flag["flag"] == *code));
    red_flag_questions_due(&readings) && !present && !all && !declined(contact, "bp/red_flags")
}

fn declined(contact: &Value, word: &str) -> bool {
    contact["declined"].as_array().is_some_and(|declined| declined.iter().any(|one| one == word))
}

/// What the page shows of a contact.
pub fn view(app: &App, id: RecordId) -> Result<Value, Fail> {
    let shown = app.tablet.show(id)?;
    let json = shown.json;
    if json["kind"] != "contact" {
        return Err(Fail::code(Code::WrongKind));
    }
    let derived = &json["derived"];
    let waiting = app.tablet.waiting_records()?.contains(&id);
    let place = json["session"].as_str().and_then(|session| today::place(app, session.parse().ok()?).ok());
    let place = place.map(|place| match place.postcode {
        Some(postcode) => format!("{}, {postcode}", place.site_name),
        None => place.site_name,
    });
    let person = json["person"].as_str().map(|person| {
        people::known(app, person).unwrap_or_else(
            || json!({"id": person, "name": "Details not here yet", "about": "", "conflicts": 0}),
        )
    });
    let of_person = json["person"].as_str().and_then(|person| app.tablet.show(person.parse().ok()?).ok());
    let now = derive(&json, of_person.as_ref().map(|person| &person.json));
    let readings = readings(&json);
    let latest = readings.iter().rev().find(|reading| reading["state"] == "live");
    let latest = latest.map(|reading| format!("{}/{}", reading["systolic"], reading["diastolic"]));
    let urgency = urgency(derived);
    let todo = actions(derived);
    let emergency = if todo.contains(&Action::Emergency999Ae) {
        json!("999")
    } else if todo.contains(&Action::MaternityEmergencyNow) {
        json!("maternity")
    } else {
        Value::Null
    };
    Ok(json!({
        "id": id,
        "heads": heads_text(&shown.heads),
        "session": json["session"],
        "where": place.unwrap_or_else(|| "Not known here".to_owned()),
        "person": person,
        "started_at": json["started_at"],
        "ended": json.pointer("/ended/how"),
        "waiting": waiting,
        "phone_now": phone_now(&json, waiting),
        "readings": readings,
        "latest": latest,
        "red_flags": red_flags(&json),
        "flags_due": flags_due(&json),
        "emergency": emergency,
        "told_emergency": told(&json) == Some(Urgency::Emergency),
        "emergency_refused": declined(&json, "referrals"),
        "arranged": care::arranged(app, &json)?,
        "told_due": told_due(&json, urgency, &todo),
        "asked": asked(&json),
        "conflicts": json["conflicts"].as_array().map_or(0, Vec::len),
        "refused": refused(&json),
        "in_error": json["entered_in_error"]["reason"],
        "check_type": json["check_type"],
        "step": guide::step(app, &app.tablet.next_step(id)?),
        "result": {
            "category": category(app, derived),
            "rules": derived["rules"],
            "disputed": now.disputed.as_ref().map(|disputed| app.say(&disputed.text)),
            "then": hindsight(&json, &now).map(|differs| app.say(&differs.text)),
            "todo": todo.iter().map(|action| words::action(app, *action)).collect::<Vec<_>>(),
            "urgency": urgency,
            "systolic": derived["systolic"],
            "diastolic": derived["diastolic"],
            "why": derived["why"],
            "another_reading_due": derived["another_reading_due"],
        },
    }))
}

/// In the order taken, a correction after what it corrects.
fn readings(contact: &Value) -> Vec<Value> {
    let entries = contact.pointer("/bp/readings").and_then(Value::as_object).into_iter().flatten();
    let mut readings: Vec<Value> = entries
        .map(|(id, reading)| {
            let struck = &reading["struck_out"]["reason"];
            json!({
                "id": id,
                "systolic": reading["systolic"],
                "diastolic": reading["diastolic"],
                "pulse": reading["pulse"],
                "arm": reading["arm"],
                "position": reading["position"],
                "setting": reading["setting"],
                "taken_at": reading["taken_at"],
                "state": state(reading),
                "chosen": contact["derived"]["chosen_reading"] == id.as_str(),
                "corrects": reading["corrects"],
                "confirmed_unusual": reading["confirmed_unusual"] == Value::Bool(true),
                "reason": if struck.is_null() { &reading["reason"] } else { struck },
            })
        })
        .collect();
    readings.sort_by_key(|reading| {
        let text = |name: &str| reading[name].as_str().unwrap_or_default().to_owned();
        (text("taken_at"), !reading["corrects"].is_null(), text("id"))
    });
    readings
}

fn red_flags(contact: &Value) -> Vec<Value> {
    let entries = contact.pointer("/bp/red_flags").and_then(Value::as_object).into_iter().flatten();
    let flags = entries.map(|(id, flag)| {
        let code = flag["flag"].as_str().unwrap_or_default();
        json!({
            "id": id,
            "flag": code,
            "label": label(RED_FLAGS, code).unwrap_or(code),
            "present": flag["present"],
            "struck_out": !flag["struck_out"].is_null(),
        })
    });
    flags.collect()
}

/// Whom to tell, as long as nobody was; null when it is not urgent.
fn told_due(contact: &Value, urgency: Urgency, actions: &[Action]) -> Value {
    if urgency < Urgency::SameDay || told(contact) >= Some(urgency) {
        return Value::Null;
    }
    let maternity =
        actions.iter().any(|one| matches!(one, Action::MaternitySameDay | Action::MaternityEmergencyNow));
    let choices = words::TOLD.iter().filter(|(code, _)| match *code {
        "gp" => !maternity && urgency == Urgency::SameDay,
        "nhs111" => urgency == Urgency::SameDay,
        "maternity" => maternity,
        "999" => true,
        _ => false,
    });
    choices.map(|(code, label)| json!({"code": code, "label": label})).collect()
}

/// What somebody may mention at any time, whether it stands so, and what a tap on it sets.
fn asked(contact: &Value) -> Vec<Value> {
    let symptoms = contact.pointer("/bp/symptoms").and_then(Value::as_array);
    let questions = words::asked().into_iter().map(|(label, path, yes, no)| {
        let on = match path.strip_prefix("bp/symptoms/") {
            Some(symptom) => symptoms.is_some_and(|symptoms| symptoms.iter().any(|one| one == symptom)),
            None => contact.pointer(&format!("/{path}")) == Some(&yes),
        };
        json!({"label": label, "on": on, "set": {path: if on { no } else { yes }}})
    });
    questions.collect()
}

pub fn refused(json: &Value) -> Vec<Value> {
    let mut reasons: Vec<Value> = Vec::new();
    for change in json["quarantined"].as_array().into_iter().flatten() {
        if !reasons.contains(&change["message"]) {
            reasons.push(change["message"].clone());
        }
    }
    reasons
}
