//! ttRPC: unary calls in frames over one stream.
//!
//! A frame is a header of 10 bytes (length of the payload, u32 big-endian; stream id, u32 big-endian, odd;
//! type, u8; flags, u8) and its payload: a protobuf [`Request`](frame::Request) or
//! [`Response`](frame::Response).

pub mod frame;
pub(crate) mod server;
