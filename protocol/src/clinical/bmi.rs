//! Body mass index and waist: kg/m² (NG246 1.8-1.9); rounded half up, then classified (D).
//!
//! For the Clinical Safety Officer: which ethnic categories use the lower thresholds (D), the band 0.4 to
//! 0.49 of waist/height (unsourced), rounding before classifying (D). NG246 asks for care with the index
//! at 65 and over and with a high muscle mass, and to ask permission first: the texts say so.

use super::codes::ethnic_category;
use super::limits::check_measurement;

spelt! {
    /// Where an index stands. Between standard and lower thresholds only the numbers differ.
    BmiCategory {
        Underweight = "underweight", "Underweight";
        Healthy = "healthy", "Healthy weight";
        Overweight = "overweight", "Overweight";
        Obesity1 = "obesity_1", "Obesity, class 1";
        Obesity2 = "obesity_2", "Obesity, class 2";
        Obesity3 = "obesity_3", "Obesity, class 3";
    }
}

spelt! {
    /// Which thresholds somebody's ethnic category calls for.
    BmiThresholds {
        Standard = "no", "Standard thresholds";
        Lower = "yes", "Lower thresholds";
        AskFamilyBackground = "ask_family_background", "Ask about family background; both are shown";
    }
}

spelt! {
    /// Waist over height (NG246; 0.4 unsourced). Below 0.4 no source gives a band.
    WaistBand {
        BelowBands = "below_bands", "Below 0.4: no band";
        Healthy = "healthy", "Healthy";
        Raised = "raised", "Increased";
        High = "high", "High";
    }
}

/// An index and where it stands.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct BmiResult {
    /// kg/m², one decimal place.
    pub bmi: f64,
    pub thresholds: BmiThresholds,
    pub standard: BmiCategory,
    pub lower: BmiCategory,
}

impl BmiResult {
    /// The category that counts; `None` where staff must ask and both are shown.
    pub fn category(&self) -> Option<BmiCategory> {
        match self.thresholds {
            BmiThresholds::Standard => Some(self.standard),
            BmiThresholds::Lower => Some(self.lower),
            BmiThresholds::AskFamilyBackground => None,
        }
    }

    /// The category's code, or `show_both`, as in the clinical pack.
    pub fn code(&self) -> &'static str {
        self.category().map_or("show_both", BmiCategory::as_str)
    }
}

/// Which thresholds go with an ethnic category (D, after NG246: South Asian, Chinese, other Asian, Middle
/// Eastern, Black African, African-Caribbean). Mixed and other categories hold people of both: ask, and
/// show both. So does a category that is missing, not stated, or not known here.
pub fn bmi_thresholds(ethnic_code: Option<&str>) -> BmiThresholds {
    match ethnic_code.and_then(ethnic_category).map(|category| category.code) {
        Some("H" | "J" | "K" | "L" | "M" | "N" | "R") => BmiThresholds::Lower,
        Some("A" | "B" | "C") => BmiThresholds::Standard,
        _ => BmiThresholds::AskFamilyBackground,
    }
}

/// Classifies an index that has been rounded to one decimal place, as [`bmi()`] returns it (NG246 1.8).
pub fn bmi_result(bmi: f64, ethnic_code: Option<&str>) -> BmiResult {
    // The same cut for underweight; the lower set begins each band above at its own number.
    let band = |cuts: [f64; 4]| match cuts.iter().filter(|cut| bmi >= **cut).count() {
        0 if bmi < 18.5 => BmiCategory::Underweight,
        0 => BmiCategory::Healthy,
        1 => BmiCategory::Overweight,
        2 => BmiCategory::Obesity1,
        3 => BmiCategory::Obesity2,
        _ => BmiCategory::Obesity3,
    };
    BmiResult {
        bmi,
        thresholds: bmi_thresholds(ethnic_code),
        standard: band([25.0, 30.0, 35.0, 40.0]),
        lower: band([23.0, 27.5, 32.5, 37.5]),
    }
}

/// Waist over height in hundredths, rounded half up, and its band. `None` outside the entry limits, and
/// from a BMI of 35 (NG246): there the waist adds nothing.
pub fn waist_to_height(waist_cm: f64, height_cm: f64, bmi: Option<f64>) -> Option<(f64, WaistBand)> {
    let possible = |what, value| !check_measurement(what, value).blocked();
    if !possible("waist", waist_cm) || !possible("height", height_cm) || bmi.is_some_and(|bmi| bmi >= 35.0) {
        return None;
    }
    let (waist, height) = (millionths(waist_cm)?, millionths(height_cm)?);
    let hundredths = (200 * waist + height) / (2 * height);
    let band = match hundredths {
        ..40 => WaistBand::BelowBands,
        40..50 => WaistBand::Healthy,
        50..60 => WaistBand::Raised,
        _ => WaistBand::High,
    };
    i32::try_from(hundredths).ok().map(|hundredths| (f64::from(hundredths) / 100.0, band))
}

/// BMI from height in cm and weight in kg, to one decimal place; `None` outside the entry limits.
///
/// Computed on the decimals as typed: in binary floating point 47.25 kg may be a shade less, and a
/// person would move across a threshold.
pub fn bmi(height_cm: f64, weight_kg: f64) -> Option<f64> {
    if check_measurement("height", height_cm).blocked() || check_measurement("weight", weight_kg).blocked() {
        return None;
    }
    let (height, weight) = (millionths(height_cm)?, millionths(weight_kg)?);
    // w/10⁶ ÷ (h/10⁸)² in tenths is w·10¹¹ ÷ h²; half is added for rounding.
    let square = height * height;
    let tenths = (2 * weight * 100_000_000_000 + square) / (2 * square);
    i32::try_from(tenths).ok().map(|tenths| f64::from(tenths) / 10.0)
}

/// A positive number as a whole count of millionths. What lies beyond the sixth decimal place is noise
/// of some computation.
fn millionths(value: f64) -> Option<i128> {
    format!("{value:.6}").replace('.', "").parse().ok()
}
