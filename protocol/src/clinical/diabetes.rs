//! Who should be offered a blood test for diabetes, and what its result means for what comes next.
//!
//! Filter: BMI or blood pressure (guidance of 2017; a validated risk tool is preferred now, which is not
//! here for its licence). Its list of groups with the lower cut is older than NG246's; the clinical pack
//! chooses NG246's, so the cut is where the class "obesity" begins for this person (D). HbA1c: PH38.

use super::bmi::{BmiCategory, BmiResult};
use super::bp::is_raised;
use super::choose::Pair;

spelt! {
    DiabetesFilter {
        Positive = "positive", "Offer a test for diabetes";
        AskFamilyBackground = "ask_family_background", "Depends on family background: ask";
        Negative = "negative", "No test for this reason";
        NotKnown = "not_known", "Not enough is known";
    }
}

/// BMI of 30 or more (27.5 with the lower thresholds) or 140/90 or more, either value. A raised reading
/// is enough without the BMI; both must be known to say no.
pub fn diabetes_filter(bmi: Option<BmiResult>, pair: Option<Pair>) -> DiabetesFilter {
    let obese = |category: BmiCategory| category >= BmiCategory::Obesity1;
    let by_pair = pair.map(|pair| is_raised(pair.systolic, pair.diastolic));
    // Outer `None`: no BMI; inner: it depends.
    let by_bmi = bmi.map(|bmi| match bmi.category() {
        Some(category) => Some(obese(category)),
        None if obese(bmi.standard) == obese(bmi.lower) => Some(obese(bmi.lower)),
        None => None,
    });
    match (by_pair, by_bmi) {
        (Some(true), _) | (_, Some(Some(true))) => DiabetesFilter::Positive,
        (_, Some(None)) => DiabetesFilter::AskFamilyBackground,
        (Some(false), Some(Some(false))) => DiabetesFilter::Negative,
        _ => DiabetesFilter::NotKnown,
    }
}

spelt! {
    /// HbA1c in mmol/mol (PH38). Never a diagnosis: the diabetes range needs a laboratory's confirmation.
    Hba1cBand {
        Below = "below", "Below 42";
        HighRisk = "high_risk", "42 to 47: high risk of diabetes";
        DiabetesRange = "diabetes_range", "48 or more: in the diabetes range, a laboratory must confirm";
    }
}

/// The band of a value in mmol/mol; `None` for what is no positive number. The value is not rounded.
pub fn hba1c_band(mmol_per_mol: f64) -> Option<Hba1cBand> {
    if !mmol_per_mol.is_finite() || mmol_per_mol <= 0.0 {
        return None;
    }
    Some(if mmol_per_mol >= 48.0 {
        Hba1cBand::DiabetesRange
    } else if mmol_per_mol >= 42.0 {
        Hba1cBand::HighRisk
    } else {
        Hba1cBand::Below
    })
}
