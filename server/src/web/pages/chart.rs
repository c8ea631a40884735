//! Charts as inline SVG, drawn here: no script, and no colour that says what no word says. Beside each stands a table
//! with the same figures.
//!
//! Lengths are in units of the drawing, which is scaled to the width that there is: 320 units on the narrowest phone,
//! so that letters of 11 units stay readable there.

use wayside_protocol::clinical::{Category, Threshold};

const WIDTH: i64 = 320;

/// One bar.
pub struct Bar {
    pub x: i64,
    pub y: i64,
    pub width: i64,
    pub height: i64,
    /// Above it.
    pub value: String,
    /// Below it; empty where there is no room.
    pub label: String,
    /// In the middle of the bar.
    pub middle: i64,
}

/// Counts next to each other.
#[derive(Default)]
pub struct Bars {
    pub bars: Vec<Bar>,
}

impl Bars {
    const TOP: i64 = 18;
    const BASE: i64 = 130;

    /// `counts` with their labels, in order.
    pub fn of(counts: &[(String, u64)]) -> Bars {
        let most = counts.iter().map(|(_, count)| *count).max().unwrap_or_default().max(1);
        let slot = WIDTH / i64::try_from(counts.len().max(1)).unwrap_or(1);
        // A label takes about 6 units a letter.
        let longest = counts.iter().map(|(label, _)| label.chars().count()).max().unwrap_or_default();
        let each = (longest * 6 + 6).div_ceil(usize::try_from(slot.max(1)).unwrap_or(1)).max(1);
        let bars = counts.iter().enumerate().map(|(n, (label, count))| {
            let share = i64::try_from(count * 100 / most).unwrap_or_default();
            let height = (Bars::BASE - Bars::TOP) * share / 100;
            let x = i64::try_from(n).unwrap_or_default() * slot;
            Bar {
                x: x + slot / 10 + 1,
                y: Bars::BASE - height,
                width: (slot * 8 / 10).max(1),
                height,
                value: if *count > 0 { count.to_string() } else { String::new() },
                label: if n % each == 0 { label.clone() } else { String::new() },
                middle: x + slot / 2,
            }
        });
        Bars { bars: bars.collect() }
    }
}

/// One blood pressure of a chart.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Where it stands in time, in any unit.
    pub at: i64,
    pub label: String,
    pub systolic: i64,
    pub diastolic: i64,
    /// Several values were recorded, and nobody has settled which is right.
    pub disputed: bool,
}

/// A line across the chart.
pub struct Line {
    pub y: i64,
    pub words: String,
}

/// A reading as it is drawn: from its upper to its lower value.
pub struct Drawn {
    pub x: i64,
    pub top: i64,
    pub bottom: i64,
    pub disputed: bool,
    /// Empty where there is no room: the table has all.
    pub systolic: String,
    pub diastolic: String,
    pub label: String,
}

/// Blood pressures with the thresholds of the rules.
#[derive(Default)]
pub struct Pressures {
    pub height: i64,
    pub lines: Vec<Line>,
    pub readings: Vec<Drawn>,
    /// Some are drawn with a broken line.
    pub disputed: bool,
}

impl Pressures {
    /// Of the labels at the left.
    const LEFT: i64 = 124;
    const TOP: i64 = 20;
    /// Room below for values and labels.
    const BELOW: i64 = 34;
    /// What is always shown (mmHg).
    const SHOWN: (i64, i64) = (60, 185);

    /// `readings` in the order of their times; `thresholds` as [`thresholds`](wayside_protocol::clinical::thresholds)
    /// has them. What is no possible value is left to the table.
    pub fn of(readings: &[Reading], thresholds: &[Threshold]) -> Pressures {
        let possible = |reading: &&Reading| {
            (20..=300).contains(&reading.diastolic) && (20..=300).contains(&reading.systolic)
        };
        let readings: Vec<&Reading> = readings.iter().filter(possible).collect();
        let Some((first, last)) = readings.first().zip(readings.last()) else { return Pressures::default() };
        let highest = readings.iter().map(|one| one.systolic.max(one.diastolic)).max().unwrap_or_default();
        let lowest = readings.iter().map(|one| one.diastolic.min(one.systolic)).min().unwrap_or_default();
        let (lowest, highest) = (lowest.min(Pressures::SHOWN.0), highest.max(Pressures::SHOWN.1));
        // 6 units for 5 mmHg: lines that are 10 apart leave room for their words.
        let y = |value: i64| Pressures::TOP + (highest - value) * 6 / 5;
        let room = WIDTH - Pressures::LEFT - 32;
        let span = (last.at - first.at).max(1);
        let x = |at: i64| match first.at == last.at {
            true => Pressures::LEFT + 16 + room / 2,
            false => {
                Pressures::LEFT
                    + 16
                    + i64::try_from(i128::from(at - first.at) * i128::from(room) / i128::from(span))
                        .unwrap_or(0)
            }
        };
        let mut drawn: Vec<Drawn> = Vec::new();
        let (mut values_end, mut labels_end) = (i64::MIN, i64::MIN);
        for one in &readings {
            let at = x(one.at);
            // A value takes 22 units, a label 6 for each letter.
            let roomy = at - 11 >= values_end;
            let half = i64::try_from(one.label.chars().count()).unwrap_or(0) * 3;
            let labelled = at - half >= labels_end && at + half <= WIDTH;
            if roomy {
                values_end = at + 11;
            }
            if labelled {
                labels_end = at + half + 4;
            }
            let said = |text: String, is: bool| if is { text } else { String::new() };
            drawn.push(Drawn {
                x: at,
                top: y(one.systolic),
                bottom: y(one.diastolic),
                disputed: one.disputed,
                systolic: said(one.systolic.to_string(), roomy),
                diastolic: said(one.diastolic.to_string(), roomy),
                label: said(one.label.clone(), labelled),
            });
        }
        let lines = thresholds.iter().flat_map(|threshold| {
            let words = short(threshold.category);
            [("upper", threshold.systolic), ("lower", threshold.diastolic)]
                .map(|(which, value)| Line { y: y(value), words: format!("{words}: {which} {value}") })
        });
        Pressures {
            height: y(lowest) + Pressures::BELOW,
            lines: lines.collect(),
            disputed: drawn.iter().any(|one| one.disputed),
            readings: drawn,
        }
    }
}

/// A category in the little room beside its line.
const fn short(category: Category) -> &'static str {
    match category {
        Category::VeryHigh => "Very high",
        Category::HighStage2 => "Stage 2",
        Category::HighStage1 => "Stage 1",
        Category::PregSevere => "Severe",
        _ => "Raised",
    }
}

#[cfg(test)]
mod tests {
    use wayside_protocol::clinical::{Circumstances, thresholds};

    use super::*;

    fn reading(at: i64, systolic: i64, diastolic: i64) -> Reading {
        Reading { at, label: format!("{at}"), systolic, diastolic, disputed: false }
    }

    #[test]
    fn higher_is_higher_up_and_a_reading_on_a_line_touches_it() {
        let lines = thresholds(&Circumstances::default());
        let chart = Pressures::of(&[reading(1, 140, 90), reading(2, 210, 50), reading(9, 120, 70)], lines);
        let line = |words: &str| chart.lines.iter().find(|line| line.words == words).unwrap().y;
        assert_eq!(chart.readings[0].top, line("Raised: upper 140"));
        assert_eq!(chart.readings[0].bottom, line("Raised: lower 90"));
        assert!(chart.readings[1].top < line("Very high: upper 180") && chart.readings[1].top > 0);
        assert!(chart.readings.iter().all(|one| one.bottom + 14 < chart.height && one.x < WIDTH));
        assert!(chart.readings.windows(2).all(|two| two[0].x < two[1].x));
        let mut heights: Vec<i64> = chart.lines.iter().map(|line| line.y).collect();
        heights.sort_unstable();
        assert!(heights.windows(2).all(|two| two[1] - two[0] >= 11), "{heights:?}");
        // Nothing to draw, and nothing that could be.
        assert!(Pressures::of(&[], lines).readings.is_empty());
        assert!(Pressures::of(&[reading(1, i64::MAX, 0)], lines).readings.is_empty());
    }

    #[test]
    fn values_that_would_run_into_each_other_are_left_to_the_table() {
        let many: Vec<Reading> = (0..60).map(|n| reading(n, 130, 80)).collect();
        let chart = Pressures::of(&many, &[]);
        let said = chart.readings.iter().filter(|one| !one.systolic.is_empty()).count();
        assert!(chart.readings.len() == 60 && (5..10).contains(&said), "{said}");
    }

    #[test]
    fn the_tallest_bar_reaches_the_top_and_labels_do_not_run_into_each_other() {
        let counts: Vec<(String, u64)> = (0..16).map(|n| (format!("{n}:15pm"), n % 9)).collect();
        let bars = Bars::of(&counts).bars;
        assert_eq!(bars.iter().map(|bar| bar.y).min(), Some(Bars::TOP));
        assert!(bars.iter().all(|bar| bar.y + bar.height == Bars::BASE && bar.x + bar.width <= WIDTH));
        let shown: Vec<&Bar> = bars.iter().filter(|bar| !bar.label.is_empty()).collect();
        assert!(shown.len() >= 4);
        assert!(shown.windows(2).all(|two| two[1].middle - two[0].middle >= 7 * 6));
        assert!(Bars::of(&[]).bars.is_empty());
        assert_eq!(Bars::of(&[("1pm".into(), 0)]).bars[0].height, 0);
    }
}
