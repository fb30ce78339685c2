//! Types and wire format of the SimpleX Messaging Protocol: transport, agent and links.
