//! Both pages in a real browser, driven as people would: the tablet's touch page and the coordinator's pages, with
//! the demo's own server, tablets and links between them. With `WAYSIDE_SCREENSHOTS=1` the story writes the pictures
//! of `docs/pages`.
#![allow(clippy::unwrap_used)]

mod afternoon;
mod coordinator;
mod disagree;
mod display;
mod every_page;
mod extracts;
mod finding;
mod guided;
mod long_case;
mod markup;
mod oversight;
mod people;
mod sessions;
mod staff;
mod story;
mod taps;
mod today;
mod wcag;
mod world;
