//! Compiles the service definition, without `protoc`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let file = "proto/attestation.proto";
    println!("cargo::rerun-if-changed={file}");
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).open_file(file)?;
    // For the reflection service, which tells clients what is served.
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("attestation.bin");
    std::fs::write(out, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure().compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
