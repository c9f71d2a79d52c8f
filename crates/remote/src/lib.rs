//! Parts that call each other over gRPC: both ends.
//!
//! # The calling end
//! - [`RemoteSettings`] say where it is, whom to believe and what to show. Plain HTTP leads to loopback
//!   addresses only, and HTTPS names the authority that it believes: there is no other set of roots.
//! - [`RemoteEndpoint`] is the way there. It connects when it is first used, and again when the connection
//!   is lost; each call has a deadline, in which the connection is included. After a call that ran out of
//!   time the connection is given up, so that one which has gone silent is not kept.
//! - Token, certificate and key are read from their files again when the other part refuses the caller or
//!   cannot be reached: a file that was renewed is in force with the next call. A call that was refused is
//!   repeated with it at once.
//! - [`RemoteError`] is what a call may come to, with who is at fault.
//!
//! # The end that is called
//! - [`admit`] is the middleware before the methods of a part; a [`Gate`] says who may call which. A method
//!   that it does not name needs a role.
//! - [`Codec`] is for both ends (`codec_path` of `tonic-prost-build`).
//! - [`status`] makes an error's status: the code of its fault, and its own code and explanation in words.

mod codec;
mod endpoint;
mod error;
mod files;
mod gate;
mod settings;
mod status;

pub use codec::Codec;
pub use endpoint::{Outgoing, RemoteEndpoint, RemoteService};
pub use error::{CODE_HEADER, FAULT_HEADER, RemoteError, shown};
pub use gate::{Gate, Method, Need, admit};
pub use settings::RemoteSettings;
pub use status::{grpc_code, status};
