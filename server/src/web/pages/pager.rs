//! The end of a list that has several pages: where this one is, and the way to the next.

/// Empty where there is only one page.
#[derive(Default)]
pub struct Pager {
    /// "Page 2 of 3".
    pub place: String,
    /// Addresses; empty where there is nothing.
    pub before: String,
    pub after: String,
}

impl Pager {
    /// Page `page` of `pages`, the first being 1; `address` says where a page is.
    pub fn new(page: u64, pages: u64, address: impl Fn(u64) -> String) -> Pager {
        if pages <= 1 {
            return Pager::default();
        }
        Pager {
            place: format!("Page {page} of {pages}"),
            before: if page > 1 { address(page - 1) } else { String::new() },
            after: if page < pages { address(page + 1) } else { String::new() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_has_none_before_it_and_the_last_none_after_it() {
        let at = |page, pages| {
            let pager = Pager::new(page, pages, |page| format!("/?page={page}"));
            (pager.place, pager.before, pager.after)
        };
        let said =
            |place: &str, before: &str, after: &str| (place.to_owned(), before.to_owned(), after.to_owned());
        assert_eq!(at(1, 1), said("", "", ""));
        assert_eq!(at(1, 2), said("Page 1 of 2", "", "/?page=2"));
        assert_eq!(at(2, 3), said("Page 2 of 3", "/?page=1", "/?page=3"));
        assert_eq!(at(3, 3), said("Page 3 of 3", "/?page=2", ""));
    }
}
