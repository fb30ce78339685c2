//! Admission: what each network of clients may take of the relay, so that none can take it from the others.
//!
//! * `origin`: the networks that an address belongs to, which are accounted together;
//! * `places`: connections, and which of them goes when there is no place left.

mod origin;
mod places;

pub(crate) use self::{
    origin::Origin,
    places::{Bounds, Guest, Place, Places},
};
