//! Whose records are due for review. Nothing is deleted from here but by erasing a person.

use axum::response::Response;

use super::super::words;
use super::Ask;
use super::table::{Cell, Row, Table};
use super::trail::ListedPage;
use crate::api::{self, Due};

pub async fn retention(ask: Ask) -> Response {
    ask.page(|door, frame| {
        let review = api::review(&door.web.base, &door.web.readers)?;
        let mut lead = vec![
            "Health records of adults are kept for 8 years after the last contact, those of children until the 25th birthday, or the 26th of who was 17 at the last contact (Records Management Code of Practice 2021). These are due for review: look whether there is a reason to keep them. If there is none, an administrator asks on the person's page to erase them. Nothing is deleted by itself.".to_owned(),
        ];
        if review.more {
            lead.push("There are more than are shown: these are the ones who were seen longest ago.".to_owned());
        }
        let head = vec!["Name", "Last contact", "Due since"];
        Ok(ListedPage {
            frame: frame.titled("Records due for review", "", ""),
            back: (String::new(), ""),
            lead,
            none: "Nobody's record is due.",
            table: Table { caption: "People", head, rows: review.due.iter().map(row).collect() },
        })
    })
    .await
}

fn row(due: &Due) -> Row {
    let name = due.name.clone().unwrap_or_else(|| "No name given".to_owned());
    let last = Cell::new(words::birthday(&due.last));
    let cells = vec![
        Cell::link(name, format!("/people/{}", due.id)),
        if due.seen { last } else { last.lines(vec!["Never seen: when the record was made".to_owned()]) },
        Cell::new(words::birthday(&due.since)),
    ];
    Row { key: due.id.clone(), class: "", cells }
}
