//! Links and link data against vectors of the reference implementation.

#![allow(clippy::unwrap_used)]

mod agent_support;
mod link_vectors;

use agent_support::run;

#[test]
fn links() {
    run("links.json", |kind, case| match kind {
        "server_address" => link_vectors::address::written(case),
        "server_address_read" => link_vectors::address::read(case),
        "e2e_params_uri" => link_vectors::full::ratchet_parameters(case),
        "e2e_params_uri_read" => link_vectors::full::ratchet_parameters_read(case),
        "connection_request" => link_vectors::full::connection_request_written(case),
        "connection_request_read" => link_vectors::full::connection_request_read(case),
        "connection_request_binary_read" => link_vectors::full::connection_request_binary_read(case),
        "short_link" => link_vectors::short::written(case),
        "short_link_read" => link_vectors::short::read(case),
        "any_link_read" => link_vectors::short::any_link_read(case),
        "owner" => link_vectors::data::owner(case),
        "owner_read" => link_vectors::data::owner_read(case),
        "owner_list" => link_vectors::data::owner_list(case),
        "user_data_encoding" => link_vectors::data::user_data_encoding(case),
        "user_data_read" => link_vectors::data::user_data_read(case),
        "link_data" => link_vectors::data::link_data(case),
        "link_decrypt" => link_vectors::data::link_decrypt(case),
        other => panic!("unknown kind {other}"),
    });
}
