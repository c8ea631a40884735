//! Body mass index: kg/m² (NG246 1.8); rounded half up to one decimal place, then classified (D).

use super::limits::check_measurement;

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
