//! `assay emulate`: evidence and trust anchors from a seed.

use assay_emulator::{Emulator, Seed};
use assay_types::Tee;
use serde_json::json;

use crate::arguments;
use crate::cli::EmulateCommand;
use crate::exit::Exit;
use crate::output::{self, Output};

pub(crate) fn run(command: &EmulateCommand, out: Output) -> anyhow::Result<Exit> {
    match command {
        EmulateCommand::Roots { seed, out: file } => {
            let anchors = Emulator::new(Seed::from_hex(seed)?).anchors();
            output::write(file, &serde_json::to_vec_pretty(&anchors)?)?;
            written(file, "trust anchors", out)
        }
        EmulateCommand::Evidence { tee, seed, report_data, init_data, set, out: file } => {
            let tee: Tee = tee.parse()?;
            let set =
                set.iter().map(|text| arguments::field_value(text)).collect::<anyhow::Result<Vec<_>>>()?;
            let init_data = arguments::init_data_digest(init_data.as_deref())?;
            let evidence = Emulator::new(Seed::from_hex(seed)?).evidence(
                tee,
                &arguments::hex(report_data)?,
                init_data.as_ref(),
                &set,
            )?;
            output::write(file, &serde_json::to_vec(&evidence)?)?;
            written(file, "evidence", out)
        }
    }
}

fn written(file: &std::path::Path, what: &str, out: Output) -> anyhow::Result<Exit> {
    if file != std::path::Path::new("-") {
        out.both(format!("{what} written to {}", file.display()), &json!({ "written": file }))?;
    }
    Ok(Exit::Success)
}
