//! Failures explained: the words, the folder and the page, with bugs of the zoo as failures.

#![expect(
    clippy::unwrap_used,
    reason = "a test ends where something unexpected happens, in the functions that it calls too"
)]

mod browser;
mod caught;
mod folder;
mod pages;
mod words;
