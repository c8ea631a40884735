//! The reference tablet: what [`wayside_client_core::Tablet`] offers, as a command line and as a touch page.

pub mod cli;
mod key_file;
pub mod ui;

/// Makes panics say where they happened and nothing else: their text can quote a record. Call it first thing in a
/// program that holds records.
pub fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| {
        use std::io::Write;
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(std::io::stderr(), "panic at {place}");
    }));
}
