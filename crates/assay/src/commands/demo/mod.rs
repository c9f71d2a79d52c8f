//! `assay demo`: the whole chain with emulated guests, in a throw-away server. One story for each TEE.

mod agent;
mod cca;
mod intel;
mod passport;
mod snp;
mod story;

use assay_types::Tee;

pub(crate) use snp::reference_values;
pub(crate) use story::problem_findings;

use crate::cli::{DemoArgs, DemoMode};
use crate::exit::Exit;
use crate::output::Output;

pub(crate) async fn run(args: &DemoArgs, out: Output) -> anyhow::Result<Exit> {
    if args.mode == Some(DemoMode::Agent) {
        anyhow::ensure!(
            args.tee.is_none_or(|tee| tee == Tee::Tdx),
            "the agent's demonstration is a TD: leave --tee out"
        );
        return agent::run(out).await;
    }
    if args.mode == Some(DemoMode::Passport) {
        anyhow::ensure!(
            args.tee.is_none_or(|tee| tee == Tee::Snp),
            "the passport's demonstration is an SNP guest: leave --tee out"
        );
        return passport::run(out).await;
    }
    match args.tee.unwrap_or(Tee::Snp) {
        Tee::Snp => snp::run(out).await,
        Tee::Cca => cca::run(out).await,
        tee @ (Tee::Tdx | Tee::Sgx) => intel::run(tee, out).await,
        tee => anyhow::bail!("there is no demonstration for {tee}; there are snp, cca, tdx and sgx"),
    }
}
