//! The sample TEE: evidence that proves nothing, for development.
//!
//! It has the wire form of Confidential Containers' sample attester, so that a guest without a TEE
//! can go through the whole protocol. Nothing signs it: whoever can send it can write whatever it
//! says. Its claims are therefore always marked as emulated, and a server takes it only with an
//! option spelled as a danger.
//!
//! ```text
//! {"svn": "1", "report_data": "<base64>"}  --SampleVerifier-->  claims svn, launch_digest, platform_version, debug
//! ```

#[cfg(feature = "attester")]
pub mod attest;
pub mod checks;
mod claims;
mod evidence;
mod verify;

pub use evidence::{Evidence, NotEvidence, PlatformVersion};
pub use verify::SampleVerifier;
