//! Admission: what each network of clients may take of the relay, so that none can take it from the others.
//!
//! * `origin`: the networks that an address belongs to, which are accounted together;
//! * `places`: connections, and which of them goes when there is no place left;
//! * `rates`: how often something may be done;
//! * `memory`: bytes of commands and answers in flight;
//! * `allowance`: bytes that are put on the relay;
//! * `turns`: work that goes on at the same time.

mod allowance;
mod memory;
mod origin;
mod places;
mod rates;
mod turns;

pub(crate) use self::{
    allowance::{Allowance, Quota, Taken},
    memory::{Memory, Share},
    origin::Origin,
    places::{Bounds, Guest, Place, Places},
    rates::{MAX_WAIT, Rates, TooOften},
    turns::{Turn, Turns},
};
