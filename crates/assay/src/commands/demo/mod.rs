//! `assay demo`: the whole chain with emulated guests, in a throw-away server. One story for each TEE.

mod cca;
mod intel;
mod snp;
mod story;

use assay_types::Tee;

pub(crate) use snp::reference_values;
pub(crate) use story::problem_findings;

use crate::cli::DemoArgs;
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(args: &DemoArgs, out: Output) -> anyhow::Result<Exit> {
    match args.tee {
        Tee::Snp => snp::run(out).await,
        Tee::Cca => cca::run(out).await,
        Tee::Tdx | Tee::Sgx => intel::run(args.tee, out).await,
        tee => anyhow::bail!("there is no demonstration for {tee}; there are snp, cca, tdx and sgx"),
    }
}
