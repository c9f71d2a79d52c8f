//! Compiles the service definitions, without `protoc`.

use std::error::Error;
use std::path::PathBuf;

fn main() -> Result<(), Box<dyn Error>> {
    let files = ["proto/reference.proto", "proto/assay/reference_values/v1/reference_values.proto"];
    for file in files {
        println!("cargo::rerun-if-changed={file}");
    }
    let mut compiler = protox::Compiler::new(["proto"])?;
    compiler.include_imports(true).include_source_info(true).open_files(files)?;
    // For the reflection service, which tells clients what is served.
    let out = PathBuf::from(std::env::var("OUT_DIR")?).join("reference_values.bin");
    std::fs::write(out, compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        // Channels are made elsewhere.
        .build_transport(false)
        .codec_path("assay_remote::Codec")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}
