//! Figures that may leave the room: small numbers of people are not shown, and cannot be worked out.
//!
//! Clinical pack, 10.11: counts of 1 to 7 are shown as `*`, nothing is calculated from them, another cell is hidden where
//! one alone could be found by subtraction, and the rest is rounded to the nearest 5. Counts of nobody are shown.
//!
//! What is shown together is one total, cut up in one or more ways (by ethnic category, by quintile, ...), each with cells
//! that add up to the total. A cell is a [`Funnel`]: steps of which each is part of the one before. That a step is rounded
//! keeps the difference of two of them from saying that only a few were left out: it is known to the nearest 9 at best.

/// Counts up to here, but for nobody, are small.
pub const SMALL: u64 = 7;
const ROUND_TO: u64 = 5;

/// What is shown of a count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Figure {
    /// To the nearest 5.
    About(u64),
    /// Shown as `*`.
    Hidden,
}

impl Figure {
    /// What a percentage may be calculated from.
    pub fn value(self) -> Option<u64> {
        match self {
            Figure::About(value) => Some(value),
            Figure::Hidden => None,
        }
    }
}

/// Steps of which each is part of the one before: seen, raised, followed through.
pub type Funnel = Vec<u64>;

/// Whether a count of people is one that must not be shown.
pub fn is_small(count: u64) -> bool {
    (1..=SMALL).contains(&count)
}

fn rounded(count: u64) -> u64 {
    (count + ROUND_TO / 2) / ROUND_TO * ROUND_TO
}

/// What is shown of one way to cut a total up: a figure for each cell and each step. All cells of a cut add up to the
/// total, which is shown too, step by step. Hidden are small counts, and one more cell where they could be found by
/// taking the rest from the total.
pub fn cut(cells: &[Funnel]) -> Vec<Vec<Figure>> {
    let steps = cells.iter().map(Vec::len).max().unwrap_or(0);
    let small = |cell: &Funnel| cell.iter().map(|count| is_small(*count)).collect();
    let mut hidden: Vec<Vec<bool>> = cells.iter().map(small).collect();
    for step in 0..steps {
        hide_another(cells, &mut hidden, step);
    }
    let figures = |(cell, hidden): (&Funnel, &Vec<bool>)| {
        let figure = |(count, hidden): (&u64, &bool)| match hidden {
            true => Figure::Hidden,
            false => Figure::About(rounded(*count)),
        };
        cell.iter().zip(hidden).map(figure).collect()
    };
    cells.iter().zip(&hidden).map(figures).collect()
}

/// What a total shows of itself, step by step.
pub fn total(steps: &[u64]) -> Vec<Figure> {
    cut(std::slice::from_ref(&steps.to_vec())).pop().unwrap_or_default()
}

/// Where the hidden cells of a step hold together no more than a small number, or one cell alone is hidden, their sum is
/// the total less what is shown: hides the smallest that is shown, nobody's included if there is no other.
fn hide_another(cells: &[Funnel], hidden: &mut [Vec<bool>], step: usize) {
    let is_hidden = |hidden: &[Vec<bool>], index: usize| hidden[index].get(step).copied().unwrap_or(false);
    loop {
        let (mut count, mut sum) = (0, 0);
        for (index, cell) in cells.iter().enumerate() {
            if is_hidden(hidden, index) {
                (count, sum) = (count + 1, sum + cell.get(step).copied().unwrap_or(0));
            }
        }
        if count == 0 || (count > 1 && sum > SMALL) {
            return;
        }
        let left = (0..cells.len()).filter(|index| step < cells[*index].len() && !is_hidden(hidden, *index));
        // Somebody's before nobody's: a hidden nobody protects nothing.
        let Some(next) = left.min_by_key(|index| (cells[*index][step] == 0, cells[*index][step])) else {
            return;
        };
        hidden[next][step] = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(counts: &[u64]) -> Vec<Figure> {
        cut(&counts.iter().map(|count| vec![*count]).collect::<Vec<_>>()).concat()
    }

    #[test]
    fn small_numbers_are_hidden_and_never_alone() {
        use Figure::{About, Hidden};
        assert_eq!(flat(&[100, 52, 8, 0]), [About(100), About(50), About(10), About(0)]);
        assert_eq!(
            flat(&[100, 52, 7, 0]),
            [About(100), Hidden, Hidden, About(0)],
            "52 is what one more hides"
        );
        assert_eq!(flat(&[100, 1, 2, 0]), [Hidden, Hidden, Hidden, About(0)], "1 and 2 are 3 together");
        assert_eq!(flat(&[100, 5, 6, 0]), [About(100), Hidden, Hidden, About(0)]);
        assert_eq!(flat(&[3]), [Hidden]);
        assert_eq!(flat(&[0, 0]), [About(0), About(0)]);
        assert_eq!(flat(&[3, 0]), [Hidden, Hidden], "with a total of 3 nothing is left to show");
    }

    #[test]
    fn steps_are_rounded_each_by_itself() {
        use Figure::{About, Hidden};
        assert_eq!(total(&[103, 98, 40]), [About(105), About(100), About(40)]);
        assert_eq!(total(&[100, 60, 4]), [About(100), About(60), Hidden]);
    }

    /// Every pair of figures that are shown together: no difference is surely a small number, and no sum of what is
    /// shown of a cut, taken from its total, is surely one.
    #[test]
    fn no_figure_can_be_subtracted_from_another_to_reveal_a_small_number() {
        // All cuts of up to four cells with counts around the limits.
        let counts = [0, 1, 4, 7, 8, 11, 23, 60];
        let mut tables = 0;
        for a in counts {
            for b in counts {
                for c in counts {
                    for d in counts {
                        let steps = |n: u64| vec![n, n * 2 / 3, n / 3];
                        let cells = [a, b, c, d].map(steps).to_vec();
                        check(&cells);
                        tables += 1;
                    }
                }
            }
        }
        assert_eq!(tables, 4_096);
    }

    fn check(cells: &[Funnel]) {
        let shown = cut(cells);
        let sums: Vec<u64> = (0..3).map(|step| cells.iter().map(|cell| cell[step]).sum()).collect();
        let all = total(&sums);
        for step in 0..3 {
            let hidden: Vec<u64> = (0..cells.len())
                .filter(|index| shown[*index][step] == Figure::Hidden)
                .map(|index| cells[index][step])
                .collect();
            let together: u64 = hidden.iter().sum();
            // Whoever knows every true figure that is shown still knows no small group.
            let everything_hidden = hidden.len() == cells.len();
            assert!(
                hidden.is_empty() || everything_hidden || (hidden.len() > 1 && together > SMALL),
                "{cells:?} shows {shown:?}"
            );
            for cell in 0..cells.len() {
                assert!(shown[cell][step] == Figure::Hidden || !is_small(cells[cell][step]));
            }
            if everything_hidden && all[step] != Figure::Hidden {
                assert!(hidden.len() > 1, "one cell is its total: {cells:?}");
            }
        }
        // Each pair of figures, wherever they stand: the difference that is shown never says for certain that it is small.
        let figures: Vec<u64> =
            shown.iter().flatten().chain(&all).filter_map(|figure| figure.value()).collect();
        for one in &figures {
            for other in &figures {
                let (least, most) = difference(*one, *other);
                assert!(least < 1 || most > SMALL as i64, "{one} less {other} in {cells:?} shows {shown:?}");
            }
        }
    }

    /// What the true difference may be of two figures to the nearest 5, if the second is part of the first.
    fn difference(one: u64, other: u64) -> (i64, i64) {
        let range = |figure: u64| {
            let figure = figure as i64;
            // Nobody is nobody, and a small number is never shown.
            if figure == 0 { (0, 0) } else { ((figure - 2).max(SMALL as i64 + 1), figure + 2) }
        };
        let ((least, most), (from, to)) = (range(one), range(other));
        ((least - to).max(0), most - from)
    }
}
