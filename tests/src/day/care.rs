//! What follows from the reading: measurements, lifestyle, advice, referrals, what to come back to, notes.

use jiff::civil::Date;
use jiff::{Span, Timestamp};
use serde_json::{Map, Value, json};
use wayside_protocol::clinical::RULES_VERSION;

use super::dice::Dice;
use super::people::Visitor;
use super::readings::{Level, Measured};

const NOTES: &[&str] = &[
    "Came in out of the rain, sat for five minutes first.",
    "Sleeve rolled up tight, asked to take the jumper off and measured again.",
    "Works nights, had just come off shift.",
    "Two coffees on the way here.",
    "Son translated; asked him to step out for the alcohol questions.",
    "Ran out of tablets while abroad and has not reordered.",
    "Fasting today.",
    "Says the surgery turned her away without proof of address.",
    "White coat worries, laughs about it.",
    "Mother died of a stroke at 61, keen to know more.",
    "Salt substitute leaflet in Sylheti would have been good.",
    "Wants the result in writing for his wife. 👍",
    "Prefers that we don't ring before 4pm.",
    "Said: \"I feel fine, why bother?\"\nStayed for ten minutes all the same.",
    "شکریہ – asked for Friday sessions to go on.",
    "Next of kin's phone given; no phone of their own.",
];

/// Measurements and lifestyle, or that they were not wanted. Answers whether the visitor smokes.
pub(super) fn look(
    dice: &mut Dice,
    whole_check: bool,
    man: bool,
    at: Timestamp,
    contact: &mut Map<String, Value>,
    declined: &mut Vec<&str>,
) -> bool {
    let (lifestyle, smoker) = lifestyle(dice, whole_check);
    let parts = [("measurements", measurements(dice, whole_check, man, at)), ("lifestyle", lifestyle)];
    for (field, part) in parts {
        match part {
            Some(part) => {
                contact.insert(field.into(), part);
            }
            None if dice.chance(8) => declined.push(field),
            None => {}
        }
    }
    smoker
}

fn measurements(dice: &mut Dice, whole_check: bool, man: bool, at: Timestamp) -> Option<Value> {
    if !whole_check && !dice.chance(25) {
        return None;
    }
    let height = dice.bell(if man { 175 } else { 161 }, 7).clamp(135, 205);
    // Tenths of a kilogram, around a body-mass index of 28.
    let weight = dice.bell(height * height * 28 / 1000, 150).clamp(380, 2200);
    let mut taken = vec![entry("height", json!(height), "cm", at), entry("weight", tenths(weight), "kg", at)];
    if whole_check || dice.chance(30) {
        taken.push(entry("waist", json!(dice.bell(height * 55 / 100, 10).clamp(58, 170)), "cm", at));
    }
    if whole_check && dice.chance(85) {
        taken.push(entry("total_cholesterol", tenths(dice.bell(52, 10).clamp(25, 95)), "mmol/L", at));
        taken.push(entry("hdl", tenths(dice.bell(13, 3).clamp(5, 25)), "mmol/L", at));
    }
    if whole_check && dice.chance(40) {
        taken.push(entry("hba1c", json!(dice.bell(39, 6).clamp(25, 110)), "mmol/mol", at));
    }
    Some(Value::Array(taken))
}

fn entry(what: &str, value: Value, unit: &str, at: Timestamp) -> Value {
    json!({"what": what, "value": value, "unit": unit, "taken_at": at.to_string()})
}

fn tenths(n: i64) -> Value {
    json!(n as f64 / 10.0)
}

fn lifestyle(dice: &mut Dice, whole_check: bool) -> (Option<Value>, bool) {
    if !whole_check && !dice.chance(55) {
        return (None, false);
    }
    let mut lifestyle = Map::new();
    let smoking = dice.weighted(&[
        ("never", 55),
        ("ex", 22),
        ("light", 9),
        ("moderate", 8),
        ("heavy", 5),
        ("very_heavy", 1),
    ]);
    lifestyle.insert("smoking".into(), json!(smoking));
    if whole_check || dice.chance(50) {
        let often = dice.weighted(&[(0, 45), (1, 20), (2, 15), (3, 12), (4, 8)]);
        // Never drinks: the other two are not asked and count nought.
        let (units, many) = if often == 0 { (0, 0) } else { (dice.between(0, 4), dice.between(0, often)) };
        lifestyle.insert("audit_c".into(), json!({"q1": often, "q2": units, "q3": many}));
    }
    if whole_check {
        let amounts = &["none", "under_1h", "1_to_3h", "3h_or_more"];
        let work = dice.pick(&["none", "sedentary", "standing", "physical", "heavy_manual"]);
        lifestyle.insert(
            "gppaq".into(),
            json!({"work": work, "exercise": dice.pick(amounts), "cycling": dice.pick(amounts)}),
        );
        if dice.chance(20) {
            lifestyle.insert("family_history".into(), json!(["chd_under_60"]));
        }
        if dice.chance(15) {
            let score = json!({"name": "QRISK3", "value": tenths(dice.between(8, 310)), "source": "letter from the practice"});
            lifestyle.insert("risk_score".into(), score);
        }
    }
    (Some(Value::Object(lifestyle)), !matches!(smoking, "never" | "ex"))
}

/// Everything said and arranged at the end of a contact.
pub(super) struct Closing<'a> {
    pub visitor: &'a Visitor,
    pub measured: &'a Measured,
    pub smoker: bool,
    pub date: Date,
    pub at: Timestamp,
}

impl Closing<'_> {
    pub(super) fn fill(&self, dice: &mut Dice, contact: &mut Map<String, Value>) {
        let advice: Vec<Value> = self.advice().into_iter().map(|code| self.advised(dice, code)).collect();
        let referrals = self.referrals(dice);
        let offered =
            self.measured.level == Level::High && !self.measured.irregular && !self.measured.red_flag;
        let diary = offered && !self.visitor.unnamed && dice.chance(35);
        let follow_ups = self.follow_ups(dice, diary);
        for (field, entries) in [("advice", advice), ("referrals", referrals), ("follow_ups", follow_ups)] {
            if !entries.is_empty() {
                contact.insert(field.into(), Value::Array(entries));
            }
        }
        if diary && dice.chance(60) {
            let device = format!("loan-{:02}", dice.between(1, 24));
            contact.insert("monitor_loan".into(), json!({"device": device, "lent_at": self.at.to_string()}));
        }
    }

    /// Action codes of the clinical pack.
    fn advice(&self) -> Vec<&'static str> {
        if self.measured.red_flag {
            return vec!["EMERGENCY_999_AE"];
        }
        let mut codes = match self.measured.level {
            Level::NotMeasured => vec![],
            Level::NotClassified => vec!["RECORD_ONLY", "LOCAL_PAEDIATRIC_ADVICE"],
            Level::Low => vec![match self.measured.symptom {
                Some("fainting" | "falls" | "near_faint") => "GP_SAME_DAY",
                Some(_) => "GP_WITHIN_3_WEEKS",
                None => "ADVICE_LOW",
            }],
            Level::Normal => vec!["ADVICE_RECHECK_5Y"],
            Level::Close => vec!["ADVICE_RECHECK_SOONER"],
            Level::High => vec!["OFFER_ABPM_HBPM"],
            Level::VeryHigh => vec!["GP_SAME_DAY"],
            Level::PregnantNotHigh => vec!["ROUTINE_ANTENATAL"],
            Level::PregnantHigh => vec!["MATERNITY_SAME_DAY"],
            Level::PregnantSevere => vec!["MATERNITY_EMERGENCY_NOW"],
        };
        if self.measured.irregular {
            // Whatever rests on trusting an automated reading is not said.
            codes.retain(|code| !code.starts_with("ADVICE_") && !code.starts_with("OFFER_"));
            codes.push("IRREGULAR_PULSE_GP_SAME_DAY");
        }
        codes
    }

    fn advised(&self, dice: &mut Dice, code: &str) -> Value {
        let language = if dice.chance(60) { self.visitor.language } else { "en" };
        let mut advised = json!({"code": code, "rules": RULES_VERSION, "given_at": self.at.to_string(), "language": language});
        if let Some(category) = self.measured.level.category() {
            advised["category"] = json!(category);
        }
        advised
    }

    fn referrals(&self, dice: &mut Dice) -> Vec<Value> {
        let symptom = self.measured.symptom;
        let mut to = match self.measured.level {
            _ if self.measured.red_flag => vec![("ambulance", "emergency", "red flag present", "999 call")],
            Level::PregnantSevere => {
                vec![("maternity", "emergency", "severe raised reading in pregnancy", "phone")]
            }
            Level::PregnantHigh => vec![("maternity", "same_day", "raised reading in pregnancy", "phone")],
            Level::VeryHigh => vec![("gp", "same_day", "very high reading", "phone")],
            // The irregular pulse goes to the practice below; an automated reading offers no monitoring.
            Level::High if self.measured.irregular => vec![],
            Level::High if dice.chance(60) => vec![("pharmacy", "routine", "24-hour monitoring", "leaflet")],
            Level::High => {
                vec![("gp", "within_3_weeks", "raised reading, monitoring declined", "secure e-mail")]
            }
            Level::Low if matches!(symptom, Some("fainting" | "falls" | "near_faint")) => {
                vec![("gp", "same_day", "fainting with low reading", "phone")]
            }
            Level::Low if symptom.is_some() => {
                vec![("gp", "within_3_weeks", "symptoms with low reading", "secure e-mail")]
            }
            _ => vec![],
        };
        if self.measured.irregular && !self.measured.red_flag {
            to.push(("gp", "same_day", "irregular pulse", "phone"));
        }
        if self.smoker && dice.chance(35) {
            to.push(("stop_smoking", "routine", "wants to stop", "secure e-mail"));
        }
        if dice.chance(4) {
            to.push((
                dice.pick(&["social_prescribing", "housing", "weight"]),
                "routine",
                "asked for help",
                "phone",
            ));
        }
        let at = self.at.to_string();
        to.into_iter()
            .map(|(to, urgency, reason, how)| {
                json!({"to": to, "urgency": urgency, "reason": reason, "made_at": at, "how": how})
            })
            .collect()
    }

    fn follow_ups(&self, dice: &mut Dice, diary: bool) -> Vec<Value> {
        if self.visitor.unnamed {
            return vec![];
        }
        let due = |days: i64| self.date.saturating_add(Span::new().days(days)).to_string();
        let mut list = Vec::new();
        match self.measured.level {
            _ if diary => list.push(json!({"type": "hbpm_diary", "due_on": due(8), "for": "van team"})),
            Level::VeryHigh | Level::PregnantSevere | Level::PregnantHigh => {
                list.push(json!({"type": "call", "due_on": due(1), "for": "van team"}));
                list.push(json!({"type": "repeat_bp", "due_on": due(7), "for": "gp"}));
            }
            Level::High => {
                list.push(json!({"type": "repeat_bp", "due_on": due(dice.between(7, 21)), "for": "van team"}))
            }
            _ => {}
        }
        let gp = self.visitor.person.pointer("/gp/wants_help_to_register");
        if gp.and_then(Value::as_bool) == Some(true) {
            list.push(json!({"type": "register_gp", "due_on": due(14), "for": "care coordinator"}));
        }
        list
    }
}

pub(super) fn notes(dice: &mut Dice, at: Timestamp) -> Option<Value> {
    let how_many = dice.weighted(&[(0, 62), (1, 32), (2, 6)]);
    let notes: Vec<Value> =
        (0..how_many).map(|_| json!({"text": dice.pick(NOTES), "at": at.to_string()})).collect();
    (!notes.is_empty()).then_some(Value::Array(notes))
}
