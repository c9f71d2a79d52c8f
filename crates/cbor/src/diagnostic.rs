//! Diagnostic notation (RFC 8949, section 8).

use crate::Value;

/// Names a map's key: given the keys of the maps around it, outermost first, and the key itself.
pub type Annotate<'a> = &'a dyn Fn(&[&Value], &Value) -> Option<String>;

/// The item in one line.
pub fn diagnostic(value: &Value) -> String {
    let mut out = String::new();
    Writer { out: &mut out, annotate: None }.write(value, &mut Vec::new(), 0);
    out
}

/// The item over several lines, with comments (`/ … /`) behind keys that `annotate` names.
pub fn pretty(value: &Value, annotate: Annotate<'_>) -> String {
    let mut out = String::new();
    Writer { out: &mut out, annotate: Some(annotate) }.write(value, &mut Vec::new(), 0);
    out
}

struct Writer<'o, 'a> {
    out: &'o mut String,
    /// In one line where there is none.
    annotate: Option<Annotate<'a>>,
}

impl Writer<'_, '_> {
    fn write<'v>(&mut self, value: &'v Value, path: &mut Vec<&'v Value>, level: usize) {
        match value {
            Value::Unsigned(n) => self.out.push_str(&n.to_string()),
            Value::Negative(n) => self.out.push_str(&(-1 - i128::from(*n)).to_string()),
            Value::Bytes(bytes) => self.out.push_str(&format!("h'{}'", hex::encode(bytes))),
            Value::Text(text) => quote(text, self.out),
            Value::Array(items) => {
                let nested = items.iter().any(|item| matches!(item, Value::Array(_) | Value::Map(_)));
                let open = self.annotate.is_some() && (nested || items.len() > 1);
                self.out.push('[');
                for (index, item) in items.iter().enumerate() {
                    self.separate(index, open, level);
                    self.write(item, path, level + 1);
                }
                self.close(']', open, level);
            }
            Value::Map(members) => {
                let open = self.annotate.is_some() && !members.is_empty();
                self.out.push('{');
                for (index, (key, member)) in members.iter().enumerate() {
                    self.separate(index, open, level);
                    self.write(key, path, level + 1);
                    if let Some(name) = self.annotate.and_then(|annotate| annotate(path, key)) {
                        self.out.push_str(&format!(" / {name} /"));
                    }
                    self.out.push_str(": ");
                    path.push(key);
                    self.write(member, path, level + 1);
                    path.pop();
                }
                self.close('}', open, level);
            }
            Value::Tag(tag, content) => {
                self.out.push_str(&format!("{tag}("));
                self.write(content, path, level);
                self.out.push(')');
            }
            Value::Bool(value) => self.out.push_str(if *value { "true" } else { "false" }),
            Value::Null => self.out.push_str("null"),
            Value::Undefined => self.out.push_str("undefined"),
            Value::Simple(value) => self.out.push_str(&format!("simple({value})")),
            Value::Float(number) => self.out.push_str(&float(*number)),
        }
    }

    /// Between two items: a comma, and a new line where the list is open.
    fn separate(&mut self, index: usize, open: bool, level: usize) {
        if index > 0 {
            self.out.push_str(if open { "," } else { ", " });
        }
        if open {
            self.line(level + 1);
        }
    }

    fn close(&mut self, end: char, open: bool, level: usize) {
        if open {
            self.line(level);
        }
        self.out.push(end);
    }

    fn line(&mut self, level: usize) {
        self.out.push('\n');
        self.out.push_str(&"  ".repeat(level));
    }
}

fn float(number: f64) -> String {
    if number.is_nan() {
        "NaN".to_owned()
    } else if number.is_infinite() {
        if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned()
    } else if number == number.trunc() && number.abs() < 1e15 {
        format!("{number:.1}")
    } else {
        number.to_string()
    }
}

/// Control characters are escaped too, so that a stranger's text cannot steer a terminal.
fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => {
                out.push('\\');
                out.push(character);
            }
            control if control.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => out.push(other),
        }
    }
    out.push('"');
}
