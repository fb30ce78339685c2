//! The client agent: connections, messages and their durable state.
