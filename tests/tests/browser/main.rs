//! Both pages in a real browser, driven as people would: the tablet's touch page and the coordinator's pages, with
//! the demo's own server, tablets and links between them. With `WAYSIDE_SCREENSHOTS=1` the story writes the pictures
//! of `docs/pages`.
#![allow(clippy::unwrap_used)]

mod afternoon;
mod coordinator;
mod disagree;
mod display;
mod guided;
mod long_case;
mod markup;
mod people;
mod staff;
mod story;
mod taps;
mod wcag;
mod world;
