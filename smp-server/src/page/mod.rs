//! The information page of a relay, for browsers. One page, without scripts and without
//! anything from elsewhere; everything on it is public anyway.
//!
//! Links to people begin with the host of a relay too; for these there is a page that says what to do with them (`link`).
//!
//! * `server` speaks HTTP, with bounds, and `tls` makes HTTPS of it, for as long as `validity` says;
//! * `site` keeps the page as long as the settings are the same;
//! * `content` says what stands on it, in `facts`, `html` writes it down, `qr` draws the address.

mod content;
mod facts;
mod html;
mod link;
mod qr;
mod server;
mod site;
mod tls;
mod validity;

pub(crate) use server::serve;
pub(crate) use site::Site;
pub use tls::PageTlsError;
pub(crate) use tls::{PageTls, load as load_tls, watch as watch_tls};
pub use validity::{CertificateState, PageCertificate};
