//! Suites of other files once more, on three servers over PostgreSQL behind a balancer: `programs!` knows this test by its
//! name. What is about a SQLite file alone stays out.

#[path = "../end_to_end.rs"]
mod end_to_end;
#[path = "../kills.rs"]
mod kills;
#[path = "../promises.rs"]
mod promises;
#[path = "../staff.rs"]
mod staff;
