//! Lines over time as SVG.

use std::fmt::Write;

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 240.0;
/// Left of the plot, for numbers; above it and below.
const LEFT: f64 = 64.0;
const ABOVE: f64 = 28.0;
const BELOW: f64 = 30.0;
/// Told apart also without colours: by their dashes.
const LINES: [(&str, &str); 3] = [("#005eb8", ""), ("#b35900", "6 3"), ("#5b2c83", "2 3")];

/// One line: its name, and its points by minutes. Where there is none it has a gap.
pub struct Line {
    pub name: &'static str,
    pub points: Vec<(f64, Option<f64>)>,
}

/// A plot of at most three lines from nothing up to the highest of them. The second half, which is judged, is shaded.
pub fn plot(title: &str, unit: &str, lines: &[Line]) -> String {
    let all = || lines.iter().flat_map(|line| &line.points);
    let last = all().map(|point| point.0).fold(0.0, f64::max).max(0.01);
    let step = rounded(all().filter_map(|point| point.1).fold(0.0, f64::max) / 4.0);
    let highest = all().filter_map(|point| point.1).fold(step, f64::max);
    let steps = (highest / step).ceil();
    let x = |minutes: f64| LEFT + minutes / last * (WIDTH - LEFT - 12.0);
    let y = |value: f64| ABOVE + (1.0 - value / (steps * step)) * (HEIGHT - ABOVE - BELOW);
    let (top, bottom) = (y(steps * step), y(0.0));

    let mut svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title} over time\">\
         <rect x=\"{:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\" class=\"judged\"/>",
        x(last / 2.0),
        x(last) - x(last / 2.0),
        bottom - top
    );
    for n in 0..=steps as u32 {
        let value = f64::from(n) * step;
        let _ = write!(
            svg,
            "<line x1=\"{LEFT}\" x2=\"{:.1}\" y1=\"{1:.1}\" y2=\"{1:.1}\" class=\"grid\"/>\
             <text x=\"{2}\" y=\"{3:.1}\" text-anchor=\"end\">{4}</text>",
            x(last),
            y(value),
            LEFT - 6.0,
            y(value) + 4.0,
            number(value)
        );
    }
    let minutes = rounded(last / 6.0);
    for n in 0..=(last / minutes).floor() as u32 {
        let at = f64::from(n) * minutes;
        let _ = write!(
            svg,
            "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
            x(at),
            bottom + 16.0,
            number(at)
        );
    }
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">minutes</text>",
        x(last),
        bottom + 28.0
    );
    let _ = write!(svg, "<text x=\"{LEFT}\" y=\"14\" class=\"title\">{title}{}</text>", of(unit));
    for (n, (line, (colour, dash))) in lines.iter().zip(LINES).enumerate() {
        let mut path = String::new();
        let mut pen = 'M';
        for (at, value) in &line.points {
            let Some(value) = value else {
                pen = 'M';
                continue;
            };
            let _ = write!(path, "{pen}{:.1} {:.1}", x(*at), y(*value));
            pen = 'L';
        }
        let _ = write!(
            svg,
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.6\" stroke-dasharray=\"{dash}\"/>"
        );
        if lines.len() > 1 {
            let at = WIDTH - 120.0 * (lines.len() - n) as f64;
            let _ = write!(
                svg,
                "<line x1=\"{at}\" x2=\"{}\" y1=\"10\" y2=\"10\" stroke=\"{colour}\" stroke-width=\"2\" \
                 stroke-dasharray=\"{dash}\"/><text x=\"{}\" y=\"14\">{}</text>",
                at + 22.0,
                at + 28.0,
                line.name
            );
        }
    }
    svg + "</svg>"
}

fn of(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(", {unit}") }
}

/// The next of 1, 2, 5, 10, 20 and so on: what people read at a scale.
fn rounded(wanted: f64) -> f64 {
    if wanted <= 0.0 {
        return 1.0;
    }
    let ten = 10_f64.powf(wanted.log10().floor());
    [1.0, 2.0, 5.0, 10.0]
        .into_iter()
        .map(|step| step * ten)
        .find(|step| *step >= wanted * 0.999)
        .unwrap_or(ten)
}

fn number(value: f64) -> String {
    let text = format!("{value:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_what_people_read() {
        for (wanted, step) in [(0.0, 1.0), (0.3, 0.5), (1.0, 1.0), (1.2, 2.0), (37.0, 50.0), (60.0, 100.0)] {
            assert!((rounded(wanted) - step).abs() < 1e-9, "{wanted}: {}", rounded(wanted));
        }
        assert_eq!([number(0.0), number(0.25), number(1200.0)], ["0", "0.25", "1200"]);
    }

    #[test]
    fn a_gap_is_no_line_and_nothing_leaves_the_plot() {
        let points = vec![(0.0, Some(1.0)), (1.0, Some(3.0)), (2.0, None), (3.0, Some(8.0))];
        let svg = plot("Memory", "MB", &[Line { name: "memory", points }]);
        let path = svg.split("<path d=\"").nth(1).unwrap().split('"').next().unwrap();
        assert_eq!(path.matches('M').count(), 2, "{path}");
        for point in path.split(['M', 'L']).filter(|point| !point.is_empty()) {
            let (x, y) = point.split_once(' ').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!((LEFT..=WIDTH).contains(&x) && (ABOVE..=HEIGHT - BELOW).contains(&y), "{point}");
        }
        assert!(plot("Nothing", "", &[]).ends_with("</svg>"));
    }
}
