//! A configuration file of Trustee, as the leaves of its tree.

use std::path::Path;

use anyhow::Context as _;
use serde_json::Value;

use crate::output;

/// The largest configuration file in bytes.
const MAX_LEN: usize = 1 << 20;

/// The most levels and leaves of one.
const MAX_DEPTH: usize = 16;
const MAX_LEAVES: usize = 10_000;

/// Reads a file: TOML, or JSON when its name ends so or it begins with a brace.
pub(super) fn read(path: &Path) -> anyhow::Result<Value> {
    let text = output::read_text(path)?;
    anyhow::ensure!(text.len() <= MAX_LEN, "{} is larger than {MAX_LEN} bytes", path.display());
    let ending = path.extension().and_then(|e| e.to_str()).unwrap_or_default();
    let tree: Value = if ending.eq_ignore_ascii_case("yaml") || ending.eq_ignore_ascii_case("yml") {
        anyhow::bail!(
            "{} is YAML, which is not read here; convert it first, for instance with `yq -o=json`",
            path.display()
        );
    } else if ending.eq_ignore_ascii_case("json") || text.trim_start().starts_with('{') {
        serde_json::from_str(&text).with_context(|| format!("{} is not JSON", path.display()))?
    } else {
        let table = toml::from_str::<toml::Table>(&text).map_err(|error| not_toml(path, &text, &error))?;
        serde_json::to_value(table).with_context(|| format!("{} cannot be read", path.display()))?
    };
    anyhow::ensure!(tree.is_object(), "{} is not an object of settings", path.display());
    Ok(tree)
}

/// The parser's own words would quote the line, and with it perhaps a password.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> anyhow::Error {
    let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
    let line = before.matches('\n').count() + 1;
    anyhow::anyhow!("{} is not TOML: line {line}: {}", path.display(), error.message())
}

/// A value at the end of a path, with the object or list that it stands in.
pub(super) struct Leaf<'a> {
    /// The path as people write it: `http_server.sockets`, `plugins[0].name`.
    pub(super) path: String,
    /// The path as rules name it: without numbers, plugins by name: `plugins.resource.name`.
    pub(super) rule: String,
    pub(super) value: &'a Value,
    pub(super) parent: &'a Value,
}

/// All leaves. Lists of plain values are leaves, and so is what is empty.
pub(super) fn leaves(tree: &Value) -> anyhow::Result<Vec<Leaf<'_>>> {
    let mut found = Vec::new();
    collect(tree, tree, (String::new(), String::new()), 0, &mut found)?;
    Ok(found)
}

fn collect<'a>(
    value: &'a Value,
    parent: &'a Value,
    (path, rule): (String, String),
    depth: usize,
    found: &mut Vec<Leaf<'a>>,
) -> anyhow::Result<()> {
    anyhow::ensure!(depth <= MAX_DEPTH, "the configuration has more than {MAX_DEPTH} levels at {path}");
    anyhow::ensure!(found.len() < MAX_LEAVES, "the configuration has more than {MAX_LEAVES} keys");
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, below) in members {
                let join = |head: &str| if head.is_empty() { name.clone() } else { format!("{head}.{name}") };
                collect(below, value, (join(&path), join(&rule)), depth + 1, found)?;
            }
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            for (index, below) in items.iter().enumerate() {
                let rule = match (rule.as_str(), plugin_name(below)) {
                    ("plugins", Some(name)) => format!("plugins.{name}"),
                    _ => format!("{rule}[]"),
                };
                collect(below, value, (format!("{path}[{index}]"), rule), depth + 1, found)?;
            }
        }
        _ => found.push(Leaf { path, rule, value, parent }),
    }
    Ok(())
}

/// The name of a plugin, in its newer spelling.
fn plugin_name(plugin: &Value) -> Option<String> {
    Some(plugin.get("name")?.as_str()?.replace('_', "-"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn paths(tree: &Value) -> Vec<(String, String)> {
        leaves(tree).unwrap().into_iter().map(|leaf| (leaf.path, leaf.rule)).collect()
    }

    #[test]
    fn leaves_have_a_path_for_people_and_one_for_rules() {
        let tree = json!({
            "a": { "b": 1, "c": [] , "d": [1, 2], "e": {} },
            "l": [{ "x": 1 }, { "x": { "y": 2 } }],
            "plugins": [{ "name": "nebula_ca", "z": 1 }, { "z": 2 }],
        });
        let pair = |path: &str, rule: &str| (path.to_owned(), rule.to_owned());
        assert_eq!(
            paths(&tree),
            [
                pair("a.b", "a.b"),
                pair("a.c", "a.c"),
                pair("a.d", "a.d"),
                pair("a.e", "a.e"),
                pair("l[0].x", "l[].x"),
                pair("l[1].x.y", "l[].x.y"),
                pair("plugins[0].name", "plugins.nebula-ca.name"),
                pair("plugins[0].z", "plugins.nebula-ca.z"),
                pair("plugins[1].z", "plugins[].z"),
            ]
        );
    }

    #[test]
    fn depth_and_number_are_bounded() {
        let deep = (0..20).fold(json!(1), |below, _| json!({ "a": below }));
        assert!(leaves(&deep).is_err());
        let wide: Value =
            (0..=MAX_LEAVES).map(|n| (n.to_string(), json!(1))).collect::<serde_json::Map<_, _>>().into();
        assert!(leaves(&wide).is_err());
    }

    #[test]
    fn toml_and_json_are_read_and_yaml_is_refused_in_words() {
        let dir = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            read(&dir.path().join(name)).map_err(|error| format!("{error:#}"))
        };
        let expected = json!({ "a": { "b": [1] } });
        assert_eq!(write("c.toml", "[a]\nb = [1]").unwrap(), expected);
        assert_eq!(write("c.json", "{\"a\":{\"b\":[1]}}").unwrap(), expected);
        assert_eq!(write("config", " {\"a\":{\"b\":[1]}}").unwrap(), expected);
        for (name, text, why) in [
            ("c.yaml", "a: 1", "YAML"),
            ("c.yml", "{}", "YAML"),
            ("c.toml", "=", "not TOML"),
            ("c.json", "[1]", "not an object"),
            ("d.json", "{\"a\":", "not JSON"),
        ] {
            let error = write(name, text).unwrap_err();
            assert!(error.contains(why), "{name}: {error}");
        }
        let error = write("secret.toml", "a = 1\npassword = hunter2\n").unwrap_err();
        assert!(error.contains("line 2") && !error.contains("hunter2"), "{error}");
        let deep = format!("a = {}", "[".repeat(100_000));
        assert!(write("deep.toml", &deep).is_err());
        assert!(write("large.toml", &"#\n".repeat(600_000)).unwrap_err().contains("larger"));
    }
}
