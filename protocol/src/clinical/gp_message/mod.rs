//! What a GP practice is told of one check: the items of GP Connect's message (section 3 of the clinical pack), in
//! words, in the order in which a practice reads them.
//!
//! One collection for every form of it: a letter on paper, a FHIR document. An item of which values disagree is
//! told with all of them and marked, never as one. A blood pressure is always both its numbers. What the person
//! agreed to have sent is said in [`GpMessage::share`]: whoever sends must look there first. The wording is D.

mod share;

use serde::Serialize;
use serde_json::Value;

use super::activity::gppaq_of;
use super::alcohol::{AuditC, audit_c};
use super::codes::{self, ethnic_category};
use super::derive::{Derived, derive};
use super::disputed::disputed_members;
use super::entries::{Slot, is_declined, slots, strings, values_at};
use super::follow_up::{TaskKind, tasks};
use super::smoking::Smoking;
use super::text::Texts;
use super::{NhsNumber, RULES_VERSION};

pub use share::{SHARE_WITH_GP, Share, share_with_gp};

spelt! {
    /// One item.
    GpItem {
        Name = "name", "Name";
        DateOfBirth = "date_of_birth", "Date of birth";
        Age = "age", "Age";
        Sex = "sex", "Sex";
        NhsNumber = "nhs_number", "NHS number";
        Address = "address", "Address";
        Ethnicity = "ethnicity", "Ethnic category";
        Practice = "practice", "GP practice";
        SeenAt = "seen_at", "Seen";
        Organisation = "organisation", "Organisation";
        Clinician = "clinician", "Recorded by";
        StaffRole = "staff_role", "Role";
        Consultation = "consultation", "Type of contact";
        Reason = "reason", "Reason for the contact";
        Consent = "consent", "Consent to share";
        Summary = "summary", "Summary";
        BloodPressure = "blood_pressure", "Blood pressure";
        PulseRate = "pulse_rate", "Pulse rate";
        PulseRhythm = "pulse_rhythm", "Pulse rhythm";
        Readings = "readings", "All readings";
        RedFlags = "red_flags", "Warning signs asked for";
        Symptoms = "symptoms", "Symptoms";
        Pregnancy = "pregnancy", "Pregnant";
        History = "history", "Known diagnoses";
        FamilyHistory = "family_history", "Family history";
        Treatment = "treatment", "On treatment";
        Measurements = "measurements", "Measurements";
        Lifestyle = "lifestyle", "Lifestyle";
        Advice = "advice", "Advice given";
        Outcome = "outcome", "Referrals and follow-up";
        Rules = "rules", "Version of the rules";
    }
}

impl GpItem {
    /// Whether the message must have it (GP Connect).
    pub const fn mandatory(self) -> bool {
        matches!(
            self,
            GpItem::Name
                | GpItem::DateOfBirth
                | GpItem::Address
                | GpItem::Practice
                | GpItem::Reason
                | GpItem::SeenAt
                | GpItem::Organisation
                | GpItem::Clinician
                | GpItem::Summary
        )
    }
}

/// Something that an item says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Said {
    Words(String),
    /// `YYYY-MM-DD`.
    Day(String),
    /// RFC 3339, with what happened then; without words the time is all there is to say.
    At {
        at: String,
        words: String,
    },
}

/// How an item stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GpStanding {
    Recorded,
    NotRecorded,
    /// The person was asked and declined.
    Declined,
    /// Values disagree and nobody has settled them: all are there, and none is to be taken for the truth.
    Unsettled,
}

/// One item with what it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GpLine {
    pub item: GpItem,
    pub standing: GpStanding,
    /// Empty where nothing was recorded.
    pub said: Vec<Said>,
}

/// The whole message.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct GpMessage {
    pub share: Share,
    /// Every item once, also those of which nothing was recorded.
    pub lines: Vec<GpLine>,
}

impl GpMessage {
    pub fn line(&self, item: GpItem) -> Option<&GpLine> {
        self.lines.iter().find(|line| line.item == item)
    }
}

/// Who sends it, in words.
#[derive(Debug, Clone, Copy)]
pub struct Sender<'a> {
    pub organisation: &'a str,
    /// Who recorded the check.
    pub clinician: &'a str,
    /// Empty where the team's list does not say.
    pub role: &'a str,
}

/// The message of a contact; both records with their `conflicts`, as [`derive()`] takes them. `share` is that of
/// [`share_with_gp`].
pub fn gp_message(contact: &Value, person: Option<&Value>, share: Share, sender: Sender<'_>) -> GpMessage {
    let telling = Telling { contact, person, derived: derive(contact, person), texts: Texts::english() };
    let lines = GpItem::ALL.iter().map(|item| telling.line(*item, share, sender)).collect();
    GpMessage { share, lines }
}

struct Telling<'a> {
    contact: &'a Value,
    person: Option<&'a Value>,
    derived: Derived,
    texts: Texts,
}

impl Telling<'_> {
    fn line(&self, item: GpItem, share: Share, sender: Sender<'_>) -> GpLine {
        let (said, unsettled) = match item {
            GpItem::Name => self.name(),
            GpItem::DateOfBirth => self.birth(),
            GpItem::Age => (words(self.derived.age.map(|age| format!("{age} years"))), false),
            GpItem::Sex => self.of_person("sex", |sex| sex.as_str().map(str::to_owned)),
            GpItem::NhsNumber => self.of_person("nhs_number", nhs_number),
            GpItem::Address => self.of_person("address", address),
            GpItem::Ethnicity => self.of_person("ethnic_category", |code| {
                Some(ethnic_category(code.as_str()?)?.description.to_owned())
            }),
            GpItem::Practice => self.practice(),
            GpItem::SeenAt => {
                let found = distinct(values_at(self.contact, "started_at"));
                let at = |at: &&Value| Some(Said::At { at: at.as_str()?.to_owned(), words: String::new() });
                (found.iter().filter_map(at).collect(), found.len() > 1)
            }
            GpItem::Organisation => (words([sender.organisation.to_owned()]), false),
            GpItem::Clinician => (words([sender.clinician.to_owned()]), false),
            GpItem::StaffRole => (words([sender.role.to_owned()]), false),
            GpItem::Consultation => self.own("check_type", |code| self.coded("check-type", code)),
            GpItem::Reason => self.own("reason", |code| self.coded("reason", code)),
            GpItem::Consent => (words([share.label().to_owned()]), false),
            GpItem::Summary => (self.summary(), self.derived.disputed.is_some()),
            GpItem::BloodPressure => self.blood_pressure(),
            GpItem::PulseRate => self.pulse_rate(),
            GpItem::PulseRhythm => {
                let (mut first, disputed) = self.own("bp/pulse_rhythm", |code| self.coded("pulse", code));
                let (again, disputed_again) = self.own(super::PULSE_AGAIN, |code| {
                    Some(format!("After 5 minutes: {}", self.coded("pulse", code)?.to_lowercase()))
                });
                first.extend(again);
                (first, disputed || disputed_again)
            }
            GpItem::Readings => (self.readings(), self.unsettled_readings()),
            GpItem::RedFlags => self.red_flags(),
            GpItem::Symptoms => self.set("bp/symptoms", "symptom"),
            GpItem::Pregnancy => self.own("pregnant", yes_or_no),
            GpItem::History => self.set("prior_diagnosis", "diagnosis"),
            GpItem::FamilyHistory => self.set("lifestyle/family_history", "family-history"),
            GpItem::Treatment => self.own("on_treatment", |value| yes_or_no(value).or(plain(value))),
            GpItem::Measurements => self.measurements(),
            GpItem::Lifestyle => self.lifestyle(),
            GpItem::Advice => (self.advice(), false),
            GpItem::Outcome => (self.outcome(), false),
            GpItem::Rules => (words([RULES_VERSION.to_owned()]), false),
        };
        let standing = match (said.is_empty(), unsettled) {
            (_, true) => GpStanding::Unsettled,
            (false, _) => GpStanding::Recorded,
            (true, _) if self.declined(item) => GpStanding::Declined,
            (true, _) => GpStanding::NotRecorded,
        };
        GpLine { item, standing, said }
    }

    fn declined(&self, item: GpItem) -> bool {
        let paths: &[&str] = match item {
            GpItem::Name => &["name"],
            GpItem::DateOfBirth | GpItem::Age => &["birth", "date_of_birth"],
            GpItem::Sex => &["sex"],
            GpItem::NhsNumber => &["nhs_number"],
            GpItem::Address => &["address"],
            GpItem::Ethnicity => &["ethnic_category"],
            GpItem::Practice => &["gp"],
            GpItem::BloodPressure | GpItem::Readings => &["bp/readings"],
            GpItem::PulseRhythm => &["bp/pulse_rhythm"],
            GpItem::Pregnancy => &["pregnant"],
            GpItem::FamilyHistory => &["lifestyle/family_history"],
            GpItem::Measurements => &["measurements"],
            GpItem::Lifestyle => &["lifestyle"],
            _ => &[],
        };
        let refused = |record: &Value| paths.iter().any(|path| is_declined(record, path));
        refused(self.contact) || self.person.is_some_and(refused)
    }

    fn coded(&self, prefix: &str, code: &Value) -> Option<String> {
        let code = code.as_str()?;
        let id = format!("{prefix}-{code}");
        let said = if self.texts.knows(&id) { self.texts.say_id(&id) } else { code.replace('_', " ") };
        Some(capital(&said))
    }

    /// Every different value of a field of the contact.
    fn own(&self, path: &str, say: impl Fn(&Value) -> Option<String>) -> (Vec<Said>, bool) {
        let found = distinct(values_at(self.contact, path));
        (words(found.iter().filter_map(|value| say(value))), found.len() > 1)
    }

    /// The same of the person; of the contact where nobody gave details.
    fn of_person(&self, path: &str, say: impl Fn(&Value) -> Option<String>) -> (Vec<Said>, bool) {
        let found = match self.person {
            Some(person) => distinct(values_at(person, path)),
            None => distinct(values_at(self.contact, path)),
        };
        (words(found.iter().filter_map(|value| say(value))), found.len() > 1)
    }

    fn set(&self, path: &str, prefix: &str) -> (Vec<Said>, bool) {
        let members = strings(self.contact.pointer(&format!("/{path}")));
        let disputed = disputed_members(self.contact, path);
        let said = members.filter_map(|member| self.coded(prefix, &Value::from(member)));
        (words(said), !disputed.is_empty())
    }

    fn name(&self) -> (Vec<Said>, bool) {
        let part = |path: &'static str| {
            let found = self.person.map(|person| distinct(values_at(person, path))).unwrap_or_default();
            let said: Vec<String> = found.iter().filter_map(|value| plain(value)).collect();
            (said.join(" / "), found.len() > 1)
        };
        let ((given, one), (family, other)) = (part("name/given"), part("name/family"));
        (words([format!("{given} {family}").trim().to_owned()]), one || other)
    }

    fn birth(&self) -> (Vec<Said>, bool) {
        let Some(person) = self.person else { return (Vec::new(), false) };
        let births = distinct(std::iter::once(person).chain(values_at(person, "birth")));
        let mut said: Vec<Said> = Vec::new();
        for birth in births {
            let told = match (birth.get("date_of_birth").and_then(Value::as_str), birth.get("age_years")) {
                (Some(day), _) => Said::Day(day.to_owned()),
                (None, Some(years)) => Said::Words(format!("About {years} years old, by what was said")),
                (None, None) => continue,
            };
            if !said.contains(&told) {
                said.push(told);
            }
        }
        let unsettled = said.len() > 1;
        (said, unsettled)
    }

    fn practice(&self) -> (Vec<Said>, bool) {
        let parts = ["gp/practice_name", "gp/ods_code"].map(|path| self.of_person(path, plain));
        let unsettled = parts.iter().any(|(_, unsettled)| *unsettled);
        let mut said: Vec<Said> = parts.into_iter().flat_map(|(said, _)| said).collect();
        if said.is_empty() {
            said = self
                .of_person("gp/registered", |value| {
                    (value.as_str() == Some("no")).then(|| "Not registered with a GP practice".to_owned())
                })
                .0;
        }
        (said, unsettled)
    }

    /// What was found and what it calls for, in a few sentences.
    fn summary(&self) -> Vec<Said> {
        let derived = &self.derived;
        let category = derived.category.map_or("none", |category| category.as_str());
        let mut said = vec![self.texts.say_id(&format!("category-{category}")), derived.why.clone()];
        said.extend(derived.actions.iter().map(|action| self.texts.say_id(&format!("action-{action}"))));
        said.extend(derived.disputed.as_ref().map(|disputed| self.texts.say(&disputed.text)));
        words(said)
    }

    fn blood_pressure(&self) -> (Vec<Said>, bool) {
        let derived = &self.derived;
        let Some((high, low)) = derived.systolic.zip(derived.diastolic) else {
            return (Vec::new(), self.unsettled_readings());
        };
        let mut said = vec![format!("{high}/{low} mmHg")];
        for other in derived.disputed.iter().flat_map(|disputed| &disputed.otherwise) {
            let pair = other.systolic.zip(other.diastolic).map(|(high, low)| format!("{high}/{low} mmHg"));
            said.extend(pair.filter(|pair| !said.contains(pair)));
        }
        (words(said), self.unsettled_readings())
    }

    fn unsettled_readings(&self) -> bool {
        slots(self.contact.pointer("/bp/readings")).iter().any(|slot| pairs(slot).len() > 1)
    }

    fn pulse_rate(&self) -> (Vec<Said>, bool) {
        let slots = slots(self.contact.pointer("/bp/readings"));
        let of = |slot: &Slot<'_>| -> Vec<i64> {
            let mut pulses: Vec<i64> =
                slot.alternatives.iter().filter_map(|(_, entry)| entry.get("pulse")?.as_i64()).collect();
            pulses.dedup();
            pulses
        };
        let chosen = self.derived.chosen_reading.as_deref();
        let counts = |slot: &&Slot<'_>| slot.alternatives.iter().any(|(id, _)| Some(*id) == chosen);
        let pulses = slots.iter().find(counts).map(of).filter(|pulses| !pulses.is_empty());
        let pulses = pulses.or_else(|| slots.iter().rev().map(of).find(|pulses| !pulses.is_empty()));
        let pulses = pulses.unwrap_or_default();
        let unsettled = pulses.len() > 1;
        (words(pulses.into_iter().map(|pulse| format!("{pulse} a minute"))), unsettled)
    }

    /// All that were taken, in their order; of corrections that disagree each.
    fn readings(&self) -> Vec<Said> {
        let mut said = Vec::new();
        for slot in slots(self.contact.pointer("/bp/readings")) {
            let several = pairs(&slot).len() > 1;
            for (id, entry) in &slot.alternatives {
                let Some(pair) = pair(entry) else { continue };
                let mut parts = vec![format!("{pair} mmHg")];
                parts
                    .extend(entry.get("pulse").and_then(Value::as_i64).map(|pulse| format!("pulse {pulse}")));
                for (member, prefix) in [("arm", "arm"), ("position", "position")] {
                    let code = entry.get(member).and_then(|code| self.coded(prefix, code));
                    parts.extend(code.map(|said| said.to_lowercase()));
                }
                for (member, before) in [("cuff", "cuff "), ("method", "method "), ("device", "monitor ")] {
                    let told = entry.get(member).and_then(plain).filter(|told| !told.is_empty());
                    parts.extend(told.map(|told| format!("{before}{}", told.replace('_', " "))));
                }
                parts.extend(match entry.get("setting").and_then(Value::as_str) {
                    Some("hbpm") => Some("measured at home".to_owned()),
                    Some("abpm") => Some("24-hour monitor".to_owned()),
                    _ => None,
                });
                parts.extend(
                    (Some(*id) == self.derived.chosen_reading.as_deref() && !several)
                        .then(|| "this one counts".to_owned()),
                );
                parts.extend(several.then(|| "not settled".to_owned()));
                let at = entry.get("taken_at").and_then(Value::as_str).unwrap_or_default().to_owned();
                said.push(Said::At { at, words: parts.join(", ") });
            }
        }
        said
    }

    fn red_flags(&self) -> (Vec<Said>, bool) {
        let (mut there, mut absent) = (Vec::new(), Vec::new());
        for slot in slots(self.contact.pointer("/bp/red_flags")) {
            for (_, flag) in slot.alternatives {
                let Some(name) = flag.get("flag").and_then(|flag| self.coded("red-flag", flag)) else {
                    continue;
                };
                let list =
                    if flag.get("present") == Some(&Value::Bool(true)) { &mut there } else { &mut absent };
                if !list.contains(&name) {
                    list.push(name);
                }
            }
        }
        let unsettled = absent.iter().any(|flag| there.contains(flag));
        let mut said = Vec::new();
        if !there.is_empty() {
            said.push(format!("Present: {}", there.join(", ")));
        }
        if !absent.is_empty() {
            said.push(format!("Asked, not present: {}", absent.join(", ")));
        }
        (words(said), unsettled)
    }

    fn measurements(&self) -> (Vec<Said>, bool) {
        let (mut said, mut unsettled) = (Vec::new(), false);
        for slot in slots(self.contact.get("measurements")) {
            let mut values: Vec<String> = Vec::new();
            let mut name = String::new();
            for (_, entry) in &slot.alternatives {
                let (Some(what), Some(value)) =
                    (entry.get("what").and_then(Value::as_str), entry.get("value").and_then(Value::as_f64))
                else {
                    continue;
                };
                name = self.coded("measurement", &Value::from(what)).unwrap_or_default();
                let unit = entry.get("unit").and_then(Value::as_str).unwrap_or_default();
                // Display: height 0 dp; weight 1 dp (GP Connect).
                let shown = if what == "height" { format!("{value:.0}") } else { format!("{value:.1}") };
                let told = format!("{shown} {unit}");
                if !values.contains(&told) {
                    values.push(told);
                }
            }
            if values.is_empty() {
                continue;
            }
            unsettled |= values.len() > 1;
            let mark = if values.len() > 1 { " (not settled)" } else { "" };
            said.push(format!("{name}: {}{mark}", values.join(" / ").trim()));
        }
        said.extend(self.derived.bmi.map(|bmi| format!("BMI: {bmi:.1} kg/m²")));
        (words(said), unsettled)
    }

    fn lifestyle(&self) -> (Vec<Said>, bool) {
        let smoking =
            self.own("lifestyle/smoking", |value| Some(Smoking::parse(value.as_str()?)?.label().to_owned()));
        let alcohol = self.own("lifestyle/audit_c", |answers| {
            let answer = |name: &str| answers.get(name).and_then(Value::as_i64);
            match audit_c(answer("q1"), answer("q2"), answer("q3")) {
                AuditC::Scored { score, band, .. } => Some(format!("AUDIT-C {score}: {}", band.label())),
                AuditC::Invalid | AuditC::Incomplete => None,
            }
        });
        let activity = self.own("lifestyle/gppaq", |answers| {
            Some(format!("Physical activity (GPPAQ): {}", gppaq_of(answers)?.label().to_lowercase()))
        });
        let score = self.own("lifestyle/risk_score", |score| {
            let source = score.get("source").and_then(plain).map(|from| format!(", from {from}"));
            let (name, value) = (score.get("name").and_then(plain)?, score.get("value")?);
            Some(format!("{name} {value}, typed in{}", source.unwrap_or_default()))
        });
        let parts = [smoking, alcohol, activity, score];
        let unsettled = parts.iter().any(|(_, unsettled)| *unsettled);
        (parts.into_iter().flat_map(|(said, _)| said).collect(), unsettled)
    }

    fn advice(&self) -> Vec<Said> {
        let entries = slots(self.contact.get("advice")).into_iter().flat_map(|slot| slot.alternatives);
        let said = entries.filter_map(|(_, advice)| {
            let words = self.coded("action", advice.get("code")?)?;
            let at = advice.get("given_at").and_then(Value::as_str).unwrap_or_default().to_owned();
            Some(Said::At { at, words })
        });
        said.collect()
    }

    fn outcome(&self) -> Vec<Said> {
        // On the first of all days nothing is overdue: what stands here does not change by itself.
        let said = tasks(self.contact, jiff::civil::Date::MIN).into_iter().map(|task| {
            let what = task.what.replace('_', " ");
            let mut told = match task.kind {
                TaskKind::Referral => format!("Referred to {what}"),
                TaskKind::FollowUp => {
                    let id = format!("follow-up-{}", task.what);
                    if self.texts.knows(&id) { self.texts.say_id(&id) } else { capital(&what) }
                }
            };
            told.extend(task.urgency.map(|urgency| format!(", {}", urgency.label().to_lowercase())));
            told.extend(task.reason.map(|reason| format!(": {reason}")));
            told.extend(task.due_on.map(|day| format!(", by {}", day.strftime("%-d %B %Y"))));
            format!("{told} ({})", task.state.label().to_lowercase())
        });
        words(said)
    }
}

/// Different values, in order, without those that say nothing.
fn distinct<'a>(values: impl Iterator<Item = &'a Value>) -> Vec<&'a Value> {
    let mut found: Vec<&Value> = Vec::new();
    for value in values.filter(|value| !value.is_null()) {
        if !found.contains(&value) {
            found.push(value);
        }
    }
    found
}

fn words(said: impl IntoIterator<Item = String>) -> Vec<Said> {
    said.into_iter().filter(|said| !said.trim().is_empty()).map(Said::Words).collect()
}

fn plain(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        // A monitor or a service by its name.
        Value::Object(members) => ["name", "model", "id"].iter().find_map(|key| plain(members.get(*key)?)),
        _ => None,
    }
}

fn yes_or_no(value: &Value) -> Option<String> {
    Some(if value.as_bool()? { "Yes" } else { "No" }.to_owned())
}

fn nhs_number(value: &Value) -> Option<String> {
    let (number, status) = match value {
        Value::Object(members) => (members.get("value")?, members.get("status").and_then(Value::as_str)),
        bare => (bare, None),
    };
    let number = NhsNumber::parse(number.as_str()?).ok()?;
    let status = codes::label(codes::NHS_NUMBER_STATUS, status.unwrap_or("02"))?;
    Some(format!("{number} ({})", status.to_lowercase()))
}

fn address(value: &Value) -> Option<String> {
    let lines = strings(value.get("lines"));
    let postcode = value.get("postcode").and_then(Value::as_str);
    let parts: Vec<&str> = lines.chain(postcode).collect();
    Some(parts.join(", "))
}

/// `152/94`: both numbers or nothing.
fn pair(entry: &Value) -> Option<String> {
    Some(format!("{}/{}", entry.get("systolic")?.as_i64()?, entry.get("diastolic")?.as_i64()?))
}

/// The different pairs that one place holds.
fn pairs(slot: &Slot<'_>) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for pair in slot.alternatives.iter().filter_map(|(_, entry)| pair(entry)) {
        if !found.contains(&pair) {
            found.push(pair);
        }
    }
    found
}

fn capital(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}
