//! Compiles the service definitions, without `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/attestation-agent.proto", "proto/confidential-data-hub.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let descriptors = protox::compile(files, ["proto"])?;
    tonic_prost_build::configure()
        // Whoever connects brings the channel: the agent itself has no gRPC client.
        .build_transport(false)
        .codec_path("crate::faces::codec::Codec")
        .compile_fds(descriptors)?;
    Ok(())
}
