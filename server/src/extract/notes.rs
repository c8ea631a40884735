//! What each column means: in words, its unit, its codes, whose they are, and whether it leaves without a name.
//!
//! A column without a note is a failing test, and stays out of what is pseudonymised: a field that somebody adds to the
//! schema never leaves by itself. Free text never does, whoever wrote it there: of a text only codes of its list go.

use wayside_protocol::clinical::codes::{
    CodeList, ETHNIC_CATEGORIES, NHS_NUMBER_ABSENT_REASON, NHS_NUMBER_STATUS, SYMPTOMS_DIZZY,
    SYMPTOMS_FAINTING,
};
use wayside_protocol::clinical::follow_up::TaskState;
use wayside_protocol::clinical::smoking::Smoking;
use wayside_protocol::clinical::{Action, Category, Urgency};

use super::columns::File;

/// How a column leaves in a pseudonymised file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {
    /// Not at all.
    Never,
    /// A number or true or false as it is; of texts only codes of the list, anything else as `other`.
    Same,
    /// The month of a date or time.
    Month,
    /// An id as a keyed hash.
    Pseudonym,
    /// An age, or a band that somebody wrote down, in bands of ten years.
    AgeBand,
    /// Of an ethnic category the national code.
    National,
    /// Names of columns alone.
    Names,
}

impl Shared {
    pub const fn as_str(self) -> &'static str {
        match self {
            Shared::Never => "left out",
            Shared::Same => "as it is; of texts only the codes, else other",
            Shared::Month => "month (YYYY-MM)",
            Shared::Pseudonym => "keyed hash, another for each recipient",
            Shared::AgeBand => "band of ten years",
            Shared::National => "national code",
            Shared::Names => "names of columns alone",
        }
    }
}

type Codes = fn() -> Vec<(String, String)>;

#[derive(Debug, Clone, Copy)]
pub struct Note {
    pub about: &'static str,
    /// Empty where there is none.
    pub unit: &'static str,
    /// Where the meaning comes from, by the clinical pack's short names where it names one.
    pub source: &'static str,
    pub codes: Codes,
    pub shared: Shared,
}

/// What stands in the records as Wayside's schema has it, without an outside source.
const SCHEMA: &str = "Wayside records";
const RULES: &str = "Wayside clinical rules";
const EXTRACT: &str = "Wayside extracts";

fn no_codes() -> Vec<(String, String)> {
    Vec::new()
}

impl Note {
    pub const MISSING: Note = says("");

    const fn unit(self, unit: &'static str) -> Note {
        Note { unit, ..self }
    }

    const fn of(self, source: &'static str) -> Note {
        Note { source, ..self }
    }

    const fn codes(self, codes: Codes) -> Note {
        Note { codes, ..self }
    }

    const fn shared(self, shared: Shared) -> Note {
        Note { shared, ..self }
    }

    pub fn has_codes(&self) -> bool {
        !(self.codes)().is_empty()
    }
}

const fn says(about: &'static str) -> Note {
    Note { about, unit: "", source: SCHEMA, codes: no_codes, shared: Shared::Never }
}

fn list(codes: &[(&str, &str)]) -> Vec<(String, String)> {
    codes.iter().map(|(code, label)| ((*code).to_owned(), (*label).to_owned())).collect()
}

fn plain(codes: &[&str]) -> Vec<(String, String)> {
    codes.iter().map(|code| ((*code).to_owned(), code.replace('_', " "))).collect()
}

fn listed(lists: &[CodeList]) -> Vec<(String, String)> {
    lists.iter().flat_map(|codes| list(codes)).collect()
}

/// How a row stands.
pub const STATUSES: &[(&str, &str)] = &[
    ("current", "as it stands"),
    ("unsettled", "values disagree: see the column unsettled"),
    ("struck_out", "taken back by somebody: not to be counted"),
    ("entered_in_error", "the whole record was entered in error: not to be counted"),
    ("erased", "the record was erased: delete it, and every row of it, by its id"),
    ("end", "the last row: the file is whole, and the next column is the place from which to ask next"),
];

fn statuses() -> Vec<(String, String)> {
    list(STATUSES)
}

fn sexes() -> Vec<(String, String)> {
    list(&[
        ("female", "Female"),
        ("male", "Male"),
        ("indeterminate", "Indeterminate"),
        ("unknown", "Not known"),
        ("1", "Male"),
        ("2", "Female"),
        ("9", "Indeterminate"),
        ("X", "Not known"),
    ])
}

fn genders() -> Vec<(String, String)> {
    let more = [("non_binary", "Non-binary"), ("other", "Other"), ("3", "Non-binary"), ("4", "Other")];
    [sexes(), list(&more)].concat()
}

fn ethnic() -> Vec<(String, String)> {
    let categories = ETHNIC_CATEGORIES.iter();
    categories.map(|category| (category.code.to_owned(), category.description.to_owned())).collect()
}

fn nhs_statuses() -> Vec<(String, String)> {
    list(NHS_NUMBER_STATUS)
}

fn absent_reasons() -> Vec<(String, String)> {
    list(NHS_NUMBER_ABSENT_REASON)
}

fn diagnoses() -> Vec<(String, String)> {
    plain(&[
        "hypertension",
        "af",
        "diabetes",
        "smi",
        "learning_disability",
        "chd",
        "ckd",
        "tia_stroke",
        "stroke",
        "heart_failure",
        "pad",
        "familial_hypercholesterolaemia",
    ])
}

fn symptoms() -> Vec<(String, String)> {
    [listed(&[SYMPTOMS_FAINTING, SYMPTOMS_DIZZY]), list(&[("none", "Asked, has none")])].concat()
}

fn smoking() -> Vec<(String, String)> {
    Smoking::ALL.iter().map(|code| (code.as_str().to_owned(), code.label().to_owned())).collect()
}

fn family() -> Vec<(String, String)> {
    list(&[("chd_under_60", "Coronary heart disease of a parent, brother or sister under 60")])
}

fn categories() -> Vec<(String, String)> {
    Category::ALL.iter().map(|code| (code.as_str().to_owned(), code.label().to_owned())).collect()
}

fn actions() -> Vec<(String, String)> {
    Action::ALL.iter().map(|code| (code.as_str().to_owned(), code.label().to_owned())).collect()
}

fn urgencies() -> Vec<(String, String)> {
    Urgency::ALL.iter().map(|code| (code.as_str().to_owned(), code.label().to_owned())).collect()
}

fn states() -> Vec<(String, String)> {
    let all = TaskState::ALL.iter().filter(|state| !matches!(state, TaskState::Due | TaskState::Overdue));
    all.map(|state| (state.as_str().to_owned(), state.label().to_owned())).collect()
}

fn follow_up_events() -> Vec<(String, String)> {
    plain(&["done", "rearranged", "not_reached", "declined"])
}

fn referral_events() -> Vec<(String, String)> {
    plain(&["sent", "received", "attended", "did_not_attend", "declined", "closed"])
}

fn arms() -> Vec<(String, String)> {
    plain(&["left", "right"])
}

fn positions() -> Vec<(String, String)> {
    plain(&["sitting", "standing", "lying"])
}

fn cuffs() -> Vec<(String, String)> {
    plain(&["small", "medium", "large", "extra_large"])
}

fn methods() -> Vec<(String, String)> {
    plain(&["oscillometric", "automatic", "automated", "auscultation", "manual"])
}

fn measured() -> Vec<(String, String)> {
    plain(&["height", "weight", "waist", "total_cholesterol", "hdl", "hba1c"])
}

fn units() -> Vec<(String, String)> {
    list(&[
        ("cm", "centimetres"),
        ("kg", "kilograms"),
        ("mmol/L", "millimoles a litre"),
        ("mmol/mol", "millimoles a mole"),
    ])
}

fn follow_up_types() -> Vec<(String, String)> {
    plain(&["repeat_bp", "hbpm_diary", "hbpm", "abpm", "home_monitor", "call", "register_gp"])
}

fn services() -> Vec<(String, String)> {
    plain(&[
        "gp",
        "999",
        "ambulance",
        "maternity",
        "pharmacy",
        "stop_smoking",
        "social_prescribing",
        "housing",
        "weight",
    ])
}

/// The note of a column; of one name in several files the first that fits.
pub fn note(file: File, column: &str) -> Option<Note> {
    let own = match file {
        File::People => PEOPLE,
        File::Contacts => CONTACTS,
        File::Readings => READINGS,
        File::Measurements => MEASUREMENTS,
        File::FollowUps | File::Referrals => TASKS,
        File::Sessions => SESSIONS,
        File::Sites => SITES,
    };
    let referrals = if file == File::Referrals { REFERRALS } else { &[] };
    let rows = referrals.iter().chain(own).chain(if file.entries().is_some() { ENTRIES } else { RECORDS });
    rows.chain(ALL).find(|(name, _)| *name == column).map(|(_, note)| *note)
}

type Notes = &'static [(&'static str, Note)];

const ALL: Notes = &[
    ("status", says("How the row stands.").of(EXTRACT).codes(statuses).shared(Shared::Same)),
    ("team", says("The team that the record belongs to.").shared(Shared::Same)),
    (
        "unsettled",
        says("Which columns are empty because values disagree that were recorded side by side, with those values; a JSON list of column and values.")
            .of(EXTRACT)
            .shared(Shared::Names),
    ),
    (
        "person",
        says("Who it is about: the record that stands for all that were found to be the same person. Empty where no details were given.")
            .shared(Shared::Pseudonym),
    ),
    ("session", says("The session at which it was recorded.").shared(Shared::Pseudonym)),
];

const RECORDS: Notes = &[
    ("id", says("The record.").shared(Shared::Pseudonym)),
    ("declined", says("What the person was asked and declined to say, by names of fields.")),
    ("entered_in_error_at", says("When the whole record was said to be entered in error.")),
    ("entered_in_error_by", says("Who said so.")),
    ("entered_in_error_reason", says("Why.")),
    ("ext", says("What other programs added, as they wrote it.")),
    ("created_at", says("When the record was begun, by the tablet's clock.").shared(Shared::Month)),
    ("created_by", says("Who began it: a member of staff.")),
    ("created_tablet", says("On which tablet.")),
    ("merged_into", says("The record that this one was merged into.").shared(Shared::Pseudonym)),
];

const ENTRIES: Notes = &[
    ("contact", says("The contact in which it was recorded.").shared(Shared::Pseudonym)),
    (
        "id",
        says("Its entry, the same however often it was corrected; unique in its contact.")
            .shared(Shared::Pseudonym),
    ),
    ("struck_out_reason", says("Why it was struck out.")),
    ("corrected", says("Whether it was corrected after it was first written down.").shared(Shared::Same)),
    (
        "confirmed_unusual",
        says("An unusual value was confirmed when it was entered.").of("D").shared(Shared::Same),
    ),
    ("taken_at", says("When it was measured, by the tablet's clock.").shared(Shared::Month)),
    ("by", says("Who recorded it: a member of staff.")),
    ("reason", says("Why it was corrected.")),
];

const PEOPLE: Notes = &[
    ("name_given", says("Given names.").of("GPC")),
    ("name_family", says("Family name.").of("GPC")),
    ("date_of_birth", says("Date of birth.").of("GPC")),
    ("age_years", says("Age, where no date of birth is known.").unit("years")),
    ("age_as_of", says("The day on which that was the age.")),
    ("age_is_estimate", says("Whether that age is an estimate.")),
    ("sex", says("Sex.").of("DD; UKC").codes(sexes).shared(Shared::Same)),
    ("gender", says("Gender, as the person says.").of("DD; UKC").codes(genders).shared(Shared::Same)),
    ("nhs_number_value", says("NHS number, ten digits.").of("DD")),
    (
        "nhs_number_status",
        says("How far the NHS number was verified.").of("UKC").codes(nhs_statuses).shared(Shared::Same),
    ),
    (
        "nhs_number_absent_reason",
        says("Why there is no NHS number.").of("UKC").codes(absent_reasons).shared(Shared::Same),
    ),
    ("address_lines", says("Lines of the home address.")),
    ("address_postcode", says("Postcode of the home address.").of("BS 7666")),
    ("postcode_status", says("What is known of the postcode where there is none.")),
    ("phone", says("Telephone number.")),
    ("email", says("E-mail address.")),
    ("contact_preference", says("How the person wants to be contacted.").of("UKC")),
    ("language", says("Preferred language, as in BCP 47.").of("UKC")),
    ("interpreter_needed", says("Whether an interpreter is needed.").of("UKC").shared(Shared::Same)),
    ("communication_needs", says("What is needed to communicate.").of("UKC")),
    (
        "ethnic_category",
        says("Ethnic category, as the person says; a second character is local.")
            .of("DD; UKC")
            .codes(ethnic)
            .shared(Shared::National),
    ),
    ("plus_groups", says("Inclusion groups.").of("RCP")),
    ("gp_registered", says("Whether registered with a GP practice.").shared(Shared::Same)),
    ("gp_ods_code", says("The practice, by its ODS code.").of("ODS catalogue")),
    ("gp_practice_name", says("The practice's name, as it was written down.")),
    ("gp_wants_help_to_register", says("Whether help to register is wanted.").shared(Shared::Same)),
    ("consents", says("What the person agreed to, and withdrew: entries by id.")),
    ("not_same_as", says("Whom a coordinator found to be somebody else: entries by id.")),
    ("religion", says("Religion, where the team asks for it.")),
    ("disability", says("Disability, where the team asks for it.")),
    ("sexual_orientation", says("Sexual orientation, where the team asks for it.")),
    ("gender_identity", says("Gender identity, where the team asks for it.").of("DD")),
];

const CONTACTS: Notes = &[
    (
        "age_band",
        says("Of somebody who gave no details: the age band that was written down.").shared(Shared::AgeBand),
    ),
    ("sex", says("Of somebody who gave no details: sex.").of("DD; UKC").codes(sexes).shared(Shared::Same)),
    (
        "ethnic_category",
        says("Of somebody who gave no details: ethnic category.")
            .of("DD; UKC")
            .codes(ethnic)
            .shared(Shared::National),
    ),
    ("started_at", says("When it began, by the tablet's clock.").shared(Shared::Month)),
    ("ended_at", says("When it ended.")),
    ("ended_how", says("How it ended.").shared(Shared::Same)),
    ("check_type", says("What kind of check.").shared(Shared::Same)),
    ("reason", says("What brought the person.").shared(Shared::Same)),
    (
        "prior_diagnosis",
        says("Diagnoses that the person has already.")
            .of("GP leaflet; NHSE")
            .codes(diagnoses)
            .shared(Shared::Same),
    ),
    ("on_treatment", says("Whether treated for high blood pressure.").of("N136").shared(Shared::Same)),
    ("pregnant", says("Whether pregnant.").of("NG133").shared(Shared::Same)),
    ("bp_pulse_rhythm", says("The pulse as it was felt.").of("N136").shared(Shared::Same)),
    ("bp_pulse_rhythm_again", says("The same five minutes later.").of("HCF").shared(Shared::Same)),
    ("bp_red_flags", says("Warning signs that were asked for: entries by id.").of("N136; D")),
    ("bp_symptoms", says("Symptoms.").of("HCF").codes(symptoms).shared(Shared::Same)),
    ("lifestyle_smoking", says("Smoking.").of("DHC; DD").codes(smoking).shared(Shared::Same)),
    (
        "lifestyle_audit_c_q1",
        says("AUDIT-C, how often.").unit("points, 0 to 4").of("Alcohol Learning Centre").shared(Shared::Same),
    ),
    (
        "lifestyle_audit_c_q2",
        says("AUDIT-C, how much.").unit("points, 0 to 4").of("Alcohol Learning Centre").shared(Shared::Same),
    ),
    (
        "lifestyle_audit_c_q3",
        says("AUDIT-C, how often much.")
            .unit("points, 0 to 4")
            .of("Alcohol Learning Centre")
            .shared(Shared::Same),
    ),
    ("lifestyle_gppaq", says("Answers to the physical activity questionnaire.").of("GP-PAQ sheet")),
    ("lifestyle_family_history", says("Family history.").of("SI351").codes(family).shared(Shared::Same)),
    ("lifestyle_risk_score_name", says("Which risk score was typed in.").of("D")),
    (
        "lifestyle_risk_score_value",
        says("A risk score from elsewhere, as it was typed in.")
            .unit("as its name says")
            .of("D")
            .shared(Shared::Same),
    ),
    ("lifestyle_risk_score_source", says("Where that score comes from.").of("D")),
    ("advice", says("What was advised: entries by id.")),
    ("calls", says("Calls to the person: entries by id.")),
    ("monitor_loan_device", says("The home monitor that was lent.")),
    ("monitor_loan_lent_at", says("When it was lent.").shared(Shared::Month)),
    ("notes", says("Notes of staff: entries by id.")),
    ("satisfaction", says("How satisfied the person was.").unit("points, 1 to 5").shared(Shared::Same)),
    (
        "category",
        says("What the blood pressure comes to. A raised reading is no diagnosis.")
            .of("N136; HCF; NG133")
            .codes(categories)
            .shared(Shared::Same),
    ),
    ("actions", says("What is to be done about it.").of("N136; HCF; D").codes(actions).shared(Shared::Same)),
    ("urgency", says("How soon.").of("N136; HCF; D").codes(urgencies).shared(Shared::Same)),
    (
        "systolic",
        says("Systolic pressure of the reading, or mean, that counts.")
            .unit("mmHg")
            .of("N136 1.2.2; D")
            .shared(Shared::Same),
    ),
    (
        "diastolic",
        says("Diastolic pressure of the same.").unit("mmHg").of("N136 1.2.2; D").shared(Shared::Same),
    ),
    ("why", says("Why that reading counts.").of(RULES)),
    (
        "another_reading_due",
        says("Whether another reading should have been taken.").of("N136 1.2.2").shared(Shared::Same),
    ),
    (
        "bmi",
        says("Body mass index of the latest height and weight.")
            .unit("kg/m2")
            .of("NG246")
            .shared(Shared::Same),
    ),
    ("age", says("Age on the day of the contact.").unit("years").of(RULES).shared(Shared::AgeBand)),
    ("rules", says("The version of the rules by which this was found.").of(RULES)),
];

const READINGS: Notes = &[
    (
        "systolic",
        says("Systolic pressure. Empty together with the diastolic one, never alone.")
            .unit("mmHg")
            .of("N136; UKC")
            .shared(Shared::Same),
    ),
    ("diastolic", says("Diastolic pressure.").unit("mmHg").of("N136; UKC").shared(Shared::Same)),
    ("pulse", says("Pulse rate.").unit("beats a minute").of("UKC").shared(Shared::Same)),
    ("arm", says("Which arm.").of("N136 1.1.4").codes(arms).shared(Shared::Same)),
    ("position", says("How the person sat or lay.").of("N136 1.1.4").codes(positions).shared(Shared::Same)),
    ("cuff", says("Size of the cuff.").of("N136 1.1.4").codes(cuffs).shared(Shared::Same)),
    ("method", says("By a monitor or by hand.").of("UKC").codes(methods).shared(Shared::Same)),
    ("device", says("The monitor.").of("N136 1.1.3")),
    ("setting", says("At the session, at home, or over 24 hours.").of("N136").shared(Shared::Same)),
    (
        "counts",
        says("Whether this is the reading that decided. Empty where that is not settled.")
            .of("N136 1.2.2; D")
            .shared(Shared::Same),
    ),
];

const MEASUREMENTS: Notes = &[
    ("what", says("What was measured.").of("DHC").codes(measured).shared(Shared::Same)),
    ("value", says("How much.").unit("as the column unit says").of("DHC").shared(Shared::Same)),
    ("unit", says("In which unit.").of("DHC").codes(units).shared(Shared::Same)),
];

const TASKS: Notes = &[
    ("type", says("What is to be done.").of("D").codes(follow_up_types).shared(Shared::Same)),
    ("due_on", says("The day that was agreed first.").shared(Shared::Month)),
    ("for", says("Who does it.")),
    (
        "state",
        says("How it stands, by what happened to it and not by today's date.")
            .of(RULES)
            .codes(states)
            .shared(Shared::Same),
    ),
    ("due", says("The day by which it is due now.").of("N136; D").shared(Shared::Month)),
    ("since", says("The day from which it stands so.").of(RULES).shared(Shared::Month)),
    (
        "attempts",
        says("How often the person was not reached or did not come.").unit("times").shared(Shared::Same),
    ),
    ("reasons_missed", says("Why, each in the words that were written down.")),
    ("last_status", says("What happened last.").codes(follow_up_events).shared(Shared::Same)),
    ("last_at", says("When.").shared(Shared::Month)),
    ("last_by", says("Who said so.")),
    ("last_outcome", says("What came of it, as it was written down.")),
];

const REFERRALS: Notes = &[
    ("to", says("To whom.").of("D").codes(services).shared(Shared::Same)),
    ("urgency", says("How urgent.").of("N136; HCF; D").shared(Shared::Same)),
    ("reason", says("Why.")),
    ("made_at", says("When it was made.").shared(Shared::Month)),
    ("how", says("How it was sent.")),
    ("last_status", says("What happened last.").codes(referral_events).shared(Shared::Same)),
];

const SESSIONS: Notes = &[
    ("site", says("Where it was.").shared(Shared::Pseudonym)),
    ("date", says("Its day.").shared(Shared::Month)),
    ("starts_at", says("When it was to begin.")),
    ("ends_at", says("When it was to end.")),
    ("setting", says("Van, bus, stall or home visits.").shared(Shared::Same)),
    ("vehicle", says("Which vehicle.")),
    ("staff", says("Who was there.")),
    ("languages", says("Languages that the staff spoke, as in BCP 47.")),
    ("audience", says("For whom it was.")),
    ("tallies_approached", says("People who were approached.").unit("people").shared(Shared::Same)),
    ("tallies_conversations", says("Conversations.").unit("people").shared(Shared::Same)),
    ("tallies_declined", says("People who declined.").unit("people").shared(Shared::Same)),
    ("tallies_leaflets", says("Leaflets that were given.").unit("leaflets").shared(Shared::Same)),
    (
        "tallies_helped_to_register",
        says("People who were helped to register with a practice.").unit("people").shared(Shared::Same),
    ),
    ("tallies", says("Everything that was counted, by name.")),
    ("notes", says("Notes of staff: entries by id.")),
];

const SITES: Notes = &[
    ("name", says("Its name.")),
    ("type", says("What kind of place. Places of worship may tell the religion of who comes.").of("10.1")),
    ("address_lines", says("Lines of its address.")),
    ("address_postcode", says("Its postcode.").of("BS 7666")),
    ("notes", says("Notes.")),
    ("active", says("Whether it is still used.")),
];
