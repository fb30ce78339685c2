//! Admission: what each network of clients may take of the relay, so that none can take it from the others.
//!
//! * `origin`: the networks that an address belongs to, which are accounted together;
//! * `places`: connections, and which of them goes when there is no place left;
//! * `rates`: how often something may be done;
//! * `memory`: bytes of commands and answers in flight.

mod memory;
mod origin;
mod places;
mod rates;

pub(crate) use self::{
    memory::{Memory, Share},
    origin::Origin,
    places::{Bounds, Guest, Place, Places},
    rates::{MAX_WAIT, Rates, TooOften},
};
