//! What every van meets sooner or later, met here within the first contacts of every tablet.

use super::dice::Dice;

/// What a contact is made to contain. The default asks for nothing: an ordinary contact.
#[derive(Clone, Copy)]
pub(super) struct Case {
    /// Found again in tests; never in the output.
    pub name: &'static str,
    /// Youngest and oldest.
    pub age: Option<(i64, i64)>,
    pub sex: Option<&'static str>,
    pub pregnant: bool,
    pub unnamed: bool,
    /// Exactly these readings, in order; none asked for means whatever the dice say.
    pub readings: Option<&'static [(i64, i64)]>,
    pub confirmed_unusual: bool,
    pub irregular: bool,
    pub red_flag: Option<&'static str>,
    pub symptom: Option<&'static str>,
    pub left_early: bool,
    pub on_treatment: bool,
    pub check_type: Option<&'static str>,
}

pub(super) const ORDINARY: Case = Case {
    name: "",
    age: None,
    sex: None,
    pregnant: false,
    unnamed: false,
    readings: None,
    confirmed_unusual: false,
    irregular: false,
    red_flag: None,
    symptom: None,
    left_early: false,
    on_treatment: false,
    check_type: None,
};
const ADULT: Case = Case { age: Some((30, 79)), ..ORDINARY };

impl Case {
    pub(super) fn is_ordinary(&self) -> bool {
        self.name.is_empty()
    }

    /// The case that contact `i` of a tablet must be: case k is contact 2k or 2k + 1, so that all of them are
    /// within the first 60 and a short day still has the first ones.
    pub(super) fn of(seed: u64, tablet: &str, i: usize) -> Case {
        let k = i / 2;
        let odd = Dice::new(seed, tablet, k, "cases").below(2) as usize;
        match GUARANTEED.get(k) {
            Some(case) if i == 2 * k + odd => *case,
            _ => ORDINARY,
        }
    }
}

/// In order of what a short day should not miss.
pub(super) const GUARANTEED: &[Case] = &[
    Case { name: "high_at_threshold", readings: Some(&[(140, 90), (141, 91)]), ..ADULT },
    Case { name: "very_high_at_threshold", readings: Some(&[(184, 122), (180, 120)]), ..ADULT },
    Case { name: "unnamed", unnamed: true, ..ADULT },
    Case { name: "red_flag", readings: Some(&[(192, 104)]), red_flag: Some("chest_pain"), ..ADULT },
    Case { name: "close_below_high", readings: Some(&[(139, 89)]), ..ADULT },
    Case { name: "low", readings: Some(&[(89, 59)]), ..ADULT },
    Case {
        name: "pregnant_severe",
        age: Some((22, 39)),
        sex: Some("female"),
        pregnant: true,
        readings: Some(&[(160, 110)]),
        ..ORDINARY
    },
    Case { name: "under_18", age: Some((12, 17)), readings: Some(&[(132, 84)]), ..ORDINARY },
    Case { name: "irregular_pulse", readings: Some(&[(145, 92), (143, 90)]), irregular: true, ..ADULT },
    Case { name: "no_readings", readings: Some(&[]), ..ADULT },
    Case { name: "confirmed_unusual_low", readings: Some(&[(69, 45)]), confirmed_unusual: true, ..ADULT },
    Case {
        name: "fainting_with_low",
        readings: Some(&[(88, 55), (86, 54)]),
        symptom: Some("fainting"),
        ..ADULT
    },
    Case { name: "left_early", readings: Some(&[(152, 94)]), left_early: true, ..ADULT },
    Case { name: "very_high", readings: Some(&[(188, 102), (185, 100)]), ..ADULT },
    Case { name: "highest_accepted", readings: Some(&[(300, 120), (300, 120)]), ..ADULT },
    Case { name: "three_readings", readings: Some(&[(161, 99), (148, 88), (146, 92)]), ..ADULT },
    Case {
        name: "high_with_low_diastolic",
        readings: Some(&[(150, 55), (151, 56)]),
        age: Some((75, 92)),
        ..ORDINARY
    },
    Case { name: "isolated_diastolic", readings: Some(&[(138, 90), (137, 91)]), ..ADULT },
    Case { name: "just_below_very_high", readings: Some(&[(179, 119), (179, 119)]), ..ADULT },
    Case { name: "dizzy_with_low", readings: Some(&[(89, 60)]), symptom: Some("dizzy"), ..ADULT },
    Case {
        name: "red_flag_with_normal",
        readings: Some(&[(120, 80)]),
        red_flag: Some("stroke_signs"),
        ..ADULT
    },
    Case {
        name: "pregnant_high",
        age: Some((19, 44)),
        sex: Some("female"),
        pregnant: true,
        readings: Some(&[(140, 88), (142, 89)]),
        ..ORDINARY
    },
    Case {
        name: "treated_high",
        readings: Some(&[(147, 86), (144, 84)]),
        on_treatment: true,
        age: Some((55, 88)),
        ..ORDINARY
    },
    Case { name: "unnamed_high", unnamed: true, readings: Some(&[(166, 98), (163, 97)]), ..ADULT },
    Case { name: "confirmed_unusual_high", readings: Some(&[(250, 185)]), confirmed_unusual: true, ..ADULT },
    Case {
        name: "under_18_pregnant",
        age: Some((16, 17)),
        sex: Some("female"),
        pregnant: true,
        readings: Some(&[(118, 76)]),
        ..ORDINARY
    },
    Case { name: "smi_physical", check_type: Some("smi_physical"), ..ADULT },
    Case { name: "health_check", age: Some((40, 74)), check_type: Some("nhs_health_check"), ..ORDINARY },
    Case { name: "very_old", age: Some((97, 104)), readings: Some(&[(134, 84)]), ..ORDINARY },
];
