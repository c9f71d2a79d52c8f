//! `assay metrics`: what `/metrics` shows, in words.

use assay_telemetry::{MetricEntry, MetricsPage, ProcessMetrics};
use serde_json::json;

use crate::exit::Exit;
use crate::output::Output;

pub(crate) fn run(markdown: bool, out: Output) -> anyhow::Result<Exit> {
    let sets = sets();
    if markdown {
        out.line(page(&sets).trim_end())?;
    } else {
        for entry in sets.iter().flat_map(|(_, entries)| entries) {
            out.line(format!("{:<44} {:<9} {}", shown(entry), entry.kind, entry.help))?;
        }
    }
    let all = sets.iter().flat_map(|(part, entries)| {
        entries.iter().map(move |entry| {
            json!({
                "part": part,
                "name": shown(entry),
                "kind": entry.kind,
                "labels": entry.labels,
                "help": entry.help,
            })
        })
    });
    out.value(&json!(all.collect::<Vec<_>>()))?;
    Ok(Exit::Success)
}

/// The metrics of each part.
fn sets() -> Vec<(&'static str, Vec<MetricEntry>)> {
    let of = |put: &dyn Fn(&MetricsPage)| {
        let page = MetricsPage::default();
        put(&page);
        page.entries()
    };
    vec![
        ("Every process", of(&|page| drop(ProcessMetrics::new(page)))),
        ("Key broker service", of(&assay_key_broker_service::describe_metrics)),
    ]
}

/// The name as it stands on the page.
fn shown(entry: &MetricEntry) -> String {
    let ending = match entry.kind {
        "counter" => "_total",
        "info" => "_info",
        _ => "",
    };
    format!("{}{ending}", entry.name)
}

fn page(sets: &[(&str, Vec<MetricEntry>)]) -> String {
    let mut out = String::from(
        "# Metrics\n\n\
         Written by `make docs` from the program; change it there. `/metrics` needs no token, and names nothing that\n\
         a caller chose: each label has few values. It is in the OpenMetrics text format; a metric without a value\n\
         yet is not shown.\n",
    );
    for (part, entries) in sets {
        out.push_str(&format!("\n## {part}\n\n| metric | kind | labels | meaning |\n|---|---|---|---|\n"));
        for entry in entries {
            let labels: Vec<String> = entry.labels.iter().map(|label| format!("`{label}`")).collect();
            let (name, labels) = (shown(entry), labels.join(", "));
            out.push_str(&format!("| `{name}` | {} | {labels} | {} |\n", entry.kind, entry.help));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_page_in_docs_is_that_of_the_program() {
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/metrics.md");
        let found = std::fs::read_to_string(file).unwrap();
        assert_eq!(found.trim_end(), super::page(&super::sets()).trim_end(), "run `make docs`");
    }
}
