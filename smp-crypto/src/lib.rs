//! Keys, boxes, key chains and post-quantum encapsulation of the SimpleX Messaging Protocol.
