//! Values in English as people write it: dates in London time, readings, codes, paths of fields.

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;
use wayside_protocol::clinical::codes::{self, CodeList};
use wayside_protocol::clinical::identity::show_phone;
use wayside_protocol::clinical::{Action, Category, Urgency, ethnic_category};
use wayside_protocol::record::{RecordId, path};

pub use super::languages::language;
use crate::api::Signs;

/// One zone, built in: the rules of the whole world would be a hundred times its size.
pub(crate) static LONDON: TimeZone = jiff::tz::get!("Europe/London");

/// "Friday 20 November 2026, 1:06pm", in London time. What is no time is shown as it is.
pub fn when(text: &str) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    at.to_zoned(LONDON.clone()).strftime("%A %-d %B %Y, %-I:%M%P").to_string()
}

/// "1:06pm", in London time.
pub fn clock(text: &str) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    at.to_zoned(LONDON.clone()).strftime("%-I:%M%P").to_string()
}

/// "Friday 20 November 2026" for a date that stands in a record.
pub fn date(text: &str) -> String {
    let Ok(date) = text.parse::<Date>() else { return text.to_owned() };
    date.strftime("%A %-d %B %Y").to_string()
}

/// "3 February 1968": nobody knows the weekday of a birth.
pub fn birthday(text: &str) -> String {
    let Ok(date) = text.parse::<Date>() else { return text.to_owned() };
    date.strftime("%-d %B %Y").to_string()
}

/// A message of the rules, its dates as `birthday` writes them.
pub fn dated(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (n, word) in text.split(' ').enumerate() {
        shown.push_str(if n > 0 { " " } else { "" });
        match word.split_at_checked(10) {
            Some((day, rest)) if day.parse::<Date>().is_ok() => {
                shown.push_str(&birthday(day));
                shown.push_str(rest);
            }
            _ => shown.push_str(word),
        }
    }
    shown
}

/// A stored telephone number in groups; one that was stored as it was typed stays so.
pub fn phone(text: &str) -> String {
    if text.bytes().all(|c| c.is_ascii_digit()) { show_phone(text) } else { text.to_owned() }
}

/// "20 November" for a time, in London.
pub fn short_day(text: &str) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    at.to_zoned(LONDON.clone()).strftime("%-d %B").to_string()
}

/// "November 2026", for `2026-11`.
pub fn month(text: &str) -> String {
    let Ok(date) = format!("{text}-01").parse::<Date>() else { return text.to_owned() };
    date.strftime("%B %Y").to_string()
}

/// "Nov 26", for `2026-11`.
pub fn short_month(text: &str) -> String {
    let Ok(date) = format!("{text}-01").parse::<Date>() else { return text.to_owned() };
    date.strftime("%b %y").to_string()
}

/// "today at 1:06pm", "3 days ago", for something that was.
pub fn ago(text: &str, now_ms: u64) -> String {
    let Ok(at) = text.parse::<Timestamp>() else { return text.to_owned() };
    let now = i64::try_from(now_ms).unwrap_or(i64::MAX);
    let minutes = now.saturating_sub(at.as_millisecond()).max(0) / 60_000;
    match minutes {
        0 => "less than a minute ago".to_owned(),
        1..60 => count(minutes, "minute") + " ago",
        60..2880 => count(minutes / 60, "hour") + " ago",
        _ => count(minutes / 1440, "day") + " ago",
    }
}

/// "1 check", "2 checks".
pub fn count(n: impl Into<i64>, what: &str) -> String {
    let n = n.into();
    if n == 1 { format!("1 {what}") } else { format!("{} {what}s", grouped(n)) }
}

/// 12,345.
pub fn grouped(n: i64) -> String {
    let digits = n.unsigned_abs().to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if n < 0 { format!("-{out}") } else { out }
}

/// How far a clock is off, when that is worth a word.
pub fn skew(ms: i64) -> Option<String> {
    let minutes = ms.unsigned_abs() / 60_000;
    let amount = i64::try_from(minutes).unwrap_or(i64::MAX);
    let amount = match minutes {
        0..2 => return None,
        2..120 => count(amount, "minute"),
        120..2880 => count(amount / 60, "hour"),
        _ => count(amount / 1440, "day"),
    };
    Some(format!("clock {amount} {}", if ms > 0 { "fast" } else { "slow" }))
}

/// "999 000 0018".
pub fn nhs_number(text: &str) -> String {
    match (text.get(..3), text.get(3..6), text.get(6..)) {
        (Some(a), Some(b), Some(c)) if text.len() == 10 => format!("{a} {b} {c}"),
        _ => text.to_owned(),
    }
}

pub fn category(code: &str) -> String {
    Category::parse(code).map_or_else(|| code.to_owned(), |category| category.label().to_owned())
}

pub fn action(code: &str) -> String {
    Action::parse(code).map_or_else(|| code.to_owned(), |action| action.label().to_owned())
}

pub fn urgency(code: &str) -> String {
    Urgency::parse(code).map_or_else(|| spaced(code), |urgency| urgency.label().to_owned())
}

/// The colour of an urgency's tag; the words beside it say the same.
pub fn urgency_colour(code: &str) -> &'static str {
    match Urgency::parse(code) {
        Some(Urgency::Emergency) => "app-tag--emergency",
        Some(Urgency::SameDay) => "nhsuk-tag--red",
        Some(Urgency::Within7Days) => "nhsuk-tag--orange",
        Some(Urgency::Within3Weeks) => "nhsuk-tag--yellow",
        Some(Urgency::Routine) => "nhsuk-tag--green",
        None => "nhsuk-tag--grey",
    }
}

/// The class of a row of this urgency.
pub fn urgency_row(code: &str) -> &'static str {
    match Urgency::parse(code) {
        Some(Urgency::Emergency) => "app-row--emergency",
        Some(Urgency::SameDay) => "app-row--today",
        _ => "",
    }
}

/// The signs of a check that matter beside its reading, a line each.
pub fn signs(signs: &Signs) -> Vec<String> {
    let flags = signs.red_flags.iter().map(|flag| format!("Red flag: {}", coded("flag", flag)));
    let symptoms = signs.symptoms.iter().map(|symptom| format!("Symptom: {}", coded("symptoms", symptom)));
    let mut lines: Vec<String> = flags.chain(symptoms).collect();
    lines.extend(signs.irregular_pulse.then(|| "Irregular pulse".to_owned()));
    lines.extend(signs.pregnant.then(|| "Pregnant".to_owned()));
    lines
}

/// The label of a code in a field, or the code with spaces.
pub fn coded(field: &str, code: &str) -> String {
    let lists: &[CodeList] = match field {
        "flag" => &[codes::RED_FLAGS],
        "symptoms" => &[codes::SYMPTOMS_FAINTING, codes::SYMPTOMS_DIZZY, codes::RED_FLAGS],
        "status" => &[codes::NHS_NUMBER_STATUS],
        "nhs_number_absent_reason" => &[codes::NHS_NUMBER_ABSENT_REASON],
        "contact_preference" => &[codes::CONTACT_PREFERENCE],
        "gender" => &[codes::GENDER],
        "gender_identity" => &[codes::GENDER_IDENTITY],
        _ => &[],
    };
    if field == "ethnic_category"
        && let Some(category) = ethnic_category(code)
    {
        return capital(category.label);
    }
    if field == "urgency" {
        return urgency(code);
    }
    lists.iter().find_map(|list| codes::label(list, code)).map_or_else(|| spaced(code), str::to_owned)
}

/// Codes are in lower case without spaces; names and notes are not touched.
pub fn is_code(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// `stop_smoking` as "Stop smoking". Abbreviations stay in capitals.
pub fn spaced(code: &str) -> String {
    let words: Vec<String> = code
        .split('_')
        .enumerate()
        .map(|(index, word)| match word {
            "bp" | "gp" | "nhs" | "hbpm" | "abpm" | "bmi" | "hdl" | "smi" | "ods" | "af" => {
                word.to_uppercase()
            }
            "nhs111" => "NHS 111".to_owned(),
            _ if index == 0 => capital(word),
            _ => word.to_owned(),
        })
        .collect();
    words.join(" ")
}

fn capital(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

/// The name of a field for people: `name/family` is "Family name".
pub fn field(at: &str) -> String {
    let segments = path::split(at);
    let entry = |name: &str| name.to_owned();
    match segments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["name", "given"] => entry("Given name"),
        ["name", "family"] => entry("Family name"),
        ["birth"] => entry("Date of birth or age"),
        ["bp", "readings", ..] => entry("Blood pressure reading"),
        ["bp", "red_flags", ..] => entry("Red flag"),
        ["bp", "symptoms", name] => format!("Symptom: {}", coded("symptoms", name)),
        ["bp", name] => spaced(name),
        ["measurements", ..] => entry("Measurement"),
        ["referrals", ..] => entry("Referral"),
        ["referral_events", ..] => entry("What became of a referral"),
        ["follow_ups", ..] => entry("Follow-up"),
        ["follow_up_events", ..] => entry("What became of a follow-up"),
        ["advice", ..] => entry("Advice"),
        ["notes", ..] => entry("Note"),
        ["consents", ..] => entry("Consent"),
        ["tallies", ..] => entry("Tally"),
        ["amendments", ..] => entry("Added to an earlier entry"),
        ["staff", _] => entry("Staff"),
        ["languages", code] => format!("Language: {}", language(code)),
        ["ext", name] => format!("Extra: {name}"),
        [only] => spaced(only),
        [first, rest @ ..] => {
            let rest: Vec<String> = rest.iter().map(|part| spaced(part)).collect();
            format!("{}: {}", spaced(first), rest.join(", "))
        }
        [] => String::new(),
    }
}

/// Any stored value in words.
pub fn value(field: &str, of: &Value) -> String {
    match of {
        Value::Null => "Cleared".to_owned(),
        Value::Bool(true) => "Yes".to_owned(),
        Value::Bool(false) => "No".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text_value(field, text),
        Value::Array(items) => items.iter().map(|item| value(field, item)).collect::<Vec<_>>().join(", "),
        Value::Object(members) => object(members),
    }
}

fn text_value(field: &str, text: &str) -> String {
    match field {
        "date_of_birth" => birthday(text),
        "phone" => phone(text),
        "nhs_number" | "value" if text.len() == 10 && text.bytes().all(|b| b.is_ascii_digit()) => {
            nhs_number(text)
        }
        "date" | "due_on" | "calibrated_on" | "age_as_of" => date(text),
        "ethnic_category"
        | "status"
        | "urgency"
        | "flag"
        | "symptoms"
        | "nhs_number_absent_reason"
        | "contact_preference"
        | "gender"
        | "gender_identity" => coded(field, text),
        "language" | "languages" => language(text),
        "code" => action(text),
        "category" => category(text),
        _ if field.ends_with("_at") || field == "at" => when(text),
        "what"
        | "type"
        | "kind"
        | "plus_groups"
        | "communication_needs"
        | "prior_diagnosis"
        | "audience"
        | "family_history"
        | "setting"
        | "reason"
        | "arm"
        | "position"
        | "purpose"
        | "how"
        | "sex"
        | "check_type"
        | "registered"
        | "pulse_rhythm"
        | "method"
        | "to"
        | "name"
        | "for"
        | "smoking"
        | "on_treatment"
        | "outcome"
        | "role"
            if is_code(text) =>
        {
            spaced(text)
        }
        // Enough to tell two from each other where they are in conflict.
        "session" | "person" | "site" | "merged_into" if text.parse::<RecordId>().is_ok() => {
            format!("Record ending {}", text.get(text.len().saturating_sub(6)..).unwrap_or(text))
        }
        // Nobody writes so: a code of a list that is not named above.
        _ if is_code(text) && text.contains('_') => spaced(text),
        _ => text.to_owned(),
    }
}

fn object(members: &serde_json::Map<String, Value>) -> String {
    let number = |name: &str| members.get(name).and_then(Value::as_i64);
    let mut parts = Vec::new();
    if let (Some(systolic), Some(diastolic)) = (number("systolic"), number("diastolic")) {
        parts.push(format!("{systolic}/{diastolic}"));
    }
    for (name, member) in members {
        let said = matches!(name.as_str(), "systolic" | "diastolic") && !parts.is_empty();
        // Ids of other entries say nothing to people.
        let link = matches!(name.as_str(), "corrects" | "supersedes" | "referral" | "follow_up" | "entry");
        if said || link || member.is_null() {
            continue;
        }
        match name.as_str() {
            "text" | "set" | "lines" | "value" | "date_of_birth" => parts.push(value(name, member)),
            _ => parts.push(format!("{}: {}", spaced(name).to_lowercase(), value(name, member))),
        }
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn times_are_those_of_london() {
        assert_eq!(when("2026-11-20T13:06:00Z"), "Friday 20 November 2026, 1:06pm");
        assert_eq!(when("2026-07-01T23:30:00Z"), "Thursday 2 July 2026, 12:30am");
        assert_eq!(when("tomorrow"), "tomorrow");
        assert_eq!(clock("2026-11-20T09:05:30Z"), "9:05am");
        assert_eq!(date("2026-11-20"), "Friday 20 November 2026");
        assert_eq!(birthday("1968-02-03"), "3 February 1968");
        assert_eq!(dated("Pop-up of 2026-11-22, in a van"), "Pop-up of 22 November 2026, in a van");
        assert_eq!(dated("Reading 188/122"), "Reading 188/122");
        assert_eq!(phone("07700900461"), "07700 900461");
        assert_eq!(phone("07700 900 461"), "07700 900 461");
    }

    #[test]
    fn amounts_read_as_people_say_them() {
        assert_eq!(ago("2026-11-20T13:06:00Z", 1_795_182_420_000), "41 minutes ago");
        assert_eq!(count(1, "check"), "1 check");
        assert_eq!(count(12_345, "check"), "12,345 checks");
        assert_eq!(skew(-90_000), None);
        assert_eq!(skew(-86_400_000).as_deref(), Some("clock 24 hours slow"));
        assert_eq!(nhs_number("9990000018"), "999 000 0018");
    }

    #[test]
    fn fields_and_values_have_words() {
        assert_eq!(field("name/family"), "Family name");
        assert_eq!(field("bp/readings/aaaaaaaa"), "Blood pressure reading");
        assert_eq!(field("wants_help_to_register"), "Wants help to register");
        assert_eq!(value("reason", &json!("walk_up")), "Walk up");
        assert_eq!(value("reason", &json!("the monitor slipped")), "the monitor slipped");
        assert_eq!(
            value("", &json!({"systolic": 152, "diastolic": 94, "arm": "left", "corrects": "aaaaaaaa"})),
            "152/94; arm: Left"
        );
        assert_eq!(value("contact_preference", &json!("4")), "E-mail");
        for code in 1..=9 {
            let words = value("contact_preference", &json!(code.to_string()));
            assert!(words.len() > 1, "{code} is shown as {words}");
        }
        assert_eq!(value("languages", &json!(["ur", "en"])), "Urdu, English");
        assert_eq!(field("languages/ur"), "Language: Urdu");
        assert_eq!(value("", &json!("not_on_any_list")), "Not on any list");
        let id = "01a15382-d6b0-730e-96ca-c89aed3e40ad";
        assert_eq!(value("merged_into", &json!(id)), "Record ending 3e40ad");
        assert_eq!(value("ethnic_category", &json!("J")), "Asian or Asian British: Pakistani");
    }
}
