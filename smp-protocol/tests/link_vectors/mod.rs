//! The kinds of cases in `links.json`.

pub(crate) mod address;
pub(crate) mod data;
pub(crate) mod full;
pub(crate) mod short;
