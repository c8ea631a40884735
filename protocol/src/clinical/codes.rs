//! Code lists with their labels. Entry is checked only against lists that a source gives in full.

use crate::error::{Code, Invalid};

/// An ethnic category (DD; UK Core 1.1.1): self-reported, and its national code only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EthnicCategory {
    pub code: &'static str,
    /// The national description of 2001, to which the codes belong.
    pub description: &'static str,
    pub group: &'static str,
    /// The nearest wording of the 2021 census, for screens.
    pub label: &'static str,
}

const fn ethnic(
    code: &'static str,
    description: &'static str,
    group: &'static str,
    label: &'static str,
) -> EthnicCategory {
    EthnicCategory { code, description, group, label }
}

/// All 18. `Z` (asked, chose not to say) and `99` (not asked or could not be asked) are never merged: the
/// first is an answer, the second a gap to close.
#[rustfmt::skip]
pub const ETHNIC_CATEGORIES: &[EthnicCategory] = &[
    ethnic("A", "White - British", "White", "White: English, Welsh, Scottish, Northern Irish or British"),
    ethnic("B", "White - Irish", "White", "White: Irish"),
    ethnic("C", "White - Any other White background", "White", "White: Any other White background (also Gypsy or Irish Traveller; Roma)"),
    ethnic("D", "Mixed - White and Black Caribbean", "Mixed", "White and Black Caribbean"),
    ethnic("E", "Mixed - White and Black African", "Mixed", "White and Black African"),
    ethnic("F", "Mixed - White and Asian", "Mixed", "White and Asian"),
    ethnic("G", "Mixed - Any other mixed background", "Mixed", "Any other Mixed or multiple ethnic background"),
    ethnic("H", "Asian or Asian British - Indian", "Asian", "Asian or Asian British: Indian"),
    ethnic("J", "Asian or Asian British - Pakistani", "Asian", "Asian or Asian British: Pakistani"),
    ethnic("K", "Asian or Asian British - Bangladeshi", "Asian", "Asian or Asian British: Bangladeshi"),
    ethnic("L", "Asian or Asian British - Any other Asian background", "Asian", "Any other Asian background"),
    ethnic("M", "Black or Black British - Caribbean", "Black", "Caribbean"),
    ethnic("N", "Black or Black British - African", "Black", "African"),
    ethnic("P", "Black or Black British - Any other Black background", "Black", "Any other Black, Black British or Caribbean background"),
    ethnic("R", "Other Ethnic Groups - Chinese", "Other", "Asian or Asian British: Chinese"),
    ethnic("S", "Other Ethnic Groups - Any other ethnic group", "Other", "Other: Arab; any other ethnic group"),
    ethnic("Z", "Not stated", "Not stated", "asked, chose not to say"),
    ethnic("99", "Not known", "Not known", "not asked or could not be asked"),
];

/// The category of a code; a second character, which is local, is allowed after a national letter (DD).
pub fn ethnic_category(code: &str) -> Option<&'static EthnicCategory> {
    let national = match code.as_bytes() {
        [first, second] if first.is_ascii_uppercase() && second.is_ascii_alphanumeric() => code.get(..1)?,
        _ => code,
    };
    ETHNIC_CATEGORIES.iter().find(|category| category.code == national)
}

/// Codes and labels.
pub type CodeList = &'static [(&'static str, &'static str)];

/// What volunteers ask for. Chest pain and new confusion NG136 1.5.2; breathlessness, as a lay sign of
/// heart failure, D; the others unsourced. Any of them is 999 whatever the blood pressure (D).
pub const RED_FLAGS: CodeList = &[
    ("chest_pain", "Chest pain"),
    ("new_confusion", "New confusion"),
    ("breathlessness", "Breathlessness"),
    ("stroke_signs", "Signs of a stroke"),
    ("sudden_sight_change", "Sudden change of sight"),
    ("severe_headache", "Severe headache"),
    ("fit", "Fit"),
    ("collapse", "Collapse"),
];

/// Symptoms that change what a low reading means (HCF); the spelling of the codes is D.
pub const SYMPTOMS_FAINTING: CodeList =
    &[("fainting", "Regular fainting"), ("falls", "Falls"), ("near_faint", "Nearly fainting, near-daily")];
pub const SYMPTOMS_DIZZY: CodeList = &[("dizzy", "Dizzy"), ("nausea", "Nausea"), ("tired", "Tired")];

/// The member of `bp/symptoms` that says that somebody was asked and has none: an empty set cannot (D).
pub const NO_SYMPTOMS: &str = "none";

/// Symptoms that call for a reading on standing: falls, dizziness (NG136 1.1.5). Fainting and nearly
/// fainting count with them (D).
pub const SYMPTOMS_POSTURAL: &[&str] = &["falls", "dizzy", "fainting", "near_faint"];

/// SNOMED CT of what is measured and asked (DHC): what, code.
pub const SNOMED: CodeList = &[
    ("audit_c", "763256006"),
    ("chd_under_60", "266895004"),
    ("waist", "276361009"),
    ("total_cholesterol", "1005671000000105"),
    ("hdl", "1005681000000107"),
    ("hba1c", "1003671000000109"),
    ("gppaq", "1086511000000107"),
];

/// UK Core NHS number verification status.
pub const NHS_NUMBER_STATUS: CodeList = &[
    ("01", "Present and verified"),
    ("02", "Present, not traced"),
    ("03", "Trace required"),
    ("04", "No match, or several"),
    ("05", "Conflict"),
    ("06", "Trace in progress"),
    ("07", "Absent, no trace needed"),
    ("08", "Absent, baby"),
];

/// UK Core: why there is no NHS number.
pub const NHS_NUMBER_ABSENT_REASON: CodeList = &[
    ("nhs-number-not-known", "NHS number not known"),
    ("overseas-patient", "Overseas patient"),
    ("devolved-nation", "Number of a devolved nation"),
];

/// UK Core PreferredContactMethod (2.1.0; 9 came with a later one): how somebody would like to be contacted.
pub const CONTACT_PREFERENCE: CodeList = &[
    ("1", "Letter"),
    ("2", "Visit"),
    ("3", "Telephone"),
    ("4", "E-mail"),
    ("5", "Minicom (textphone)"),
    ("6", "Telephone, by way of somebody else"),
    ("7", "Sign language"),
    ("8", "Anything but telephone"),
    ("9", "Text message"),
];

/// Person stated gender (DD).
pub const GENDER: CodeList = &[("1", "Male"), ("2", "Female"), ("9", "Indeterminate"), ("X", "Not known")];

/// Gender identity (DD, June 2026).
pub const GENDER_IDENTITY: CodeList = &[
    ("1", "Male (including trans man)"),
    ("2", "Female (including trans woman)"),
    ("3", "Non-binary"),
    ("4", "Other"),
    ("Z", "Not stated"),
    ("X", "Not known"),
];

/// The label of a code in a list; `None` for one that is not in it.
pub fn label(list: CodeList, code: &str) -> Option<&'static str> {
    list.iter().find(|(listed, _)| *listed == code).map(|(_, label)| *label)
}

/// Checks the coded value of a field, by the field's path in its record. Fields without a list in full
/// pass: a list that an integrator extends must not stop a contact from being saved.
pub fn check_code(path: &str, code: &str) -> Result<(), Invalid> {
    let (known, message) = match path {
        "ethnic_category" => (
            ethnic_category(code).is_some(),
            "Ethnic category must be one of the national codes A to S, Z (asked, chose not to say) or 99 (not known).",
        ),
        "nhs_number/status" => {
            (label(NHS_NUMBER_STATUS, code).is_some(), "NHS number status must be one of 01 to 08.")
        }
        "nhs_number_absent_reason" => (
            label(NHS_NUMBER_ABSENT_REASON, code).is_some(),
            "The reason must be nhs-number-not-known, overseas-patient or devolved-nation.",
        ),
        _ => return Ok(()),
    };
    if known { Ok(()) } else { Err(Invalid::new(Code::UnknownValue, path, message)) }
}
