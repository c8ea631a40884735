//! Seeds for simulations: a few in the quick run, thousands in `./tests/run --long`.

/// The seeds to try: `WAYSIDE_SEED=7` replays one, `WAYSIDE_SEEDS=5000` tries that many, else `few`.
pub fn seeds(few: u64) -> Vec<u64> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    match (number("WAYSIDE_SEED"), number("WAYSIDE_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, Some(many)) => (0..many).collect(),
        (None, None) => (0..few).collect(),
    }
}

/// As [`seeds`], for tests whose every seed takes seconds: the long run tries a fiftieth as many.
pub fn slow_seeds(few: u64) -> Vec<u64> {
    let all = seeds(few);
    let most = (all.len() as u64 / 50).max(few) as usize;
    all.into_iter().take(most).collect()
}
