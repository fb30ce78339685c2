//! Tests of what only a store on disk can do, or fail to do.

mod concurrency;
mod crash;
mod faults;
mod files;
mod full_disk;
mod pending;
mod persistence;
mod refusals;
