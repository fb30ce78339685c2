//! One module for each way in: `run` works on an input, `seeds` gives inputs that make sense.

pub mod address;
pub mod agent_envelope;
pub mod agent_message;
pub mod broker_message;
pub mod certificates;
pub mod chat_message;
pub mod client_block;
pub mod client_hello;
pub mod client_message;
pub mod command;
pub mod encrypted_block;
pub mod file_answer;
pub mod file_description;
pub mod file_link;
pub mod file_request;
pub mod keys;
pub mod link_data;
pub mod link_uri;
pub mod proxy;
pub mod ratchet_message;
pub mod ratchet_parameters;
pub mod ratchet_state;
pub mod received_body;
pub mod relay_block;
pub mod relay_hello;
pub mod service_response;
