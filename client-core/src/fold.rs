//! How the names of places are compared.

/// A name for finding the same site again: case and spacing do not matter, everything else does.
pub fn name(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_and_spacing_do_not_matter() {
        assert_eq!(name(" Masjid   Al-Noor"), "masjid al-noor");
    }
}
