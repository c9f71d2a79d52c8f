//! Media types with parameters (RFC 9110, 8.3.1), as far as they must be compared.

use std::fmt;

/// The longest media type that is read, in characters.
const MAX_LEN: usize = 512;

/// The most parameters.
const MAX_PARAMETERS: usize = 16;

/// A media type with its parameters. Two are equal when type, subtype and parameter names are the same
/// but for case and the values are the same; white space, quotes and the order do not count.
///
/// ```
/// # use assay_veraison::MediaType;
/// let a = MediaType::read("application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"");
/// let b = MediaType::read("Application/EAT-collection;profile=http://arm.com/CCA-SSD/1.0.0");
/// assert!(a.is_some() && a == b);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MediaType {
    /// `type/subtype`, lower case.
    essence: String,
    /// Names in lower case, sorted.
    parameters: Vec<(String, String)>,
}

impl MediaType {
    /// Reads one. Values that should be quoted, such as the URL of a profile, may be bare: Veraison
    /// has written them both ways. `None` for anything else that is no media type, or when a
    /// parameter occurs twice.
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_LEN {
            return None;
        }
        let (essence, mut rest) = text.split_once(';').map_or((text, ""), |(essence, rest)| (essence, rest));
        let essence = essence.trim_matches(is_space).to_ascii_lowercase();
        let (main, sub) = essence.split_once('/')?;
        if !is_token(main) || !is_token(sub) {
            return None;
        }
        let mut parameters: Vec<(String, String)> = Vec::new();
        rest = rest.trim_matches(is_space);
        while !rest.is_empty() {
            let (name, after) = rest.split_once('=')?;
            let name = name.trim_matches(is_space).to_ascii_lowercase();
            let (value, after) = value(after)?;
            if !is_token(&name)
                || parameters.iter().any(|(other, _)| *other == name)
                || parameters.len() >= MAX_PARAMETERS
            {
                return None;
            }
            parameters.push((name, value));
            rest = after.trim_matches(is_space);
        }
        parameters.sort();
        Some(MediaType { essence, parameters })
    }

    /// `type/subtype`, lower case.
    pub fn essence(&self) -> &str {
        &self.essence
    }
}

impl fmt::Display for MediaType {
    /// With every value quoted.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.essence)?;
        for (name, value) in &self.parameters {
            write!(f, "; {name}=\"{}\"", value.replace('\\', "\\\\").replace('"', "\\\""))?;
        }
        Ok(())
    }
}

/// A parameter's value, and what follows its semicolon.
fn value(text: &str) -> Option<(String, &str)> {
    let Some(quoted) = text.strip_prefix('"') else {
        let (value, rest) = text.split_once(';').unwrap_or((text, ""));
        let value = value.trim_matches(is_space);
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '\\' | ',');
        return (!value.is_empty() && value.chars().all(plain)).then(|| (value.to_owned(), rest));
    };
    let mut value = String::new();
    let mut characters = quoted.chars();
    loop {
        match characters.next()? {
            '"' => break,
            '\\' => value.push(characters.next().filter(|c| is_text(*c))?),
            c if is_text(c) => value.push(c),
            _ => return None,
        }
    }
    let rest = characters.as_str().trim_start_matches(is_space);
    match rest.strip_prefix(';') {
        Some(rest) => Some((value, rest)),
        None if rest.is_empty() => Some((value, rest)),
        None => None,
    }
}

fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t')
}

fn is_text(c: char) -> bool {
    c == ' ' || c.is_ascii_graphic()
}

/// A token (RFC 9110, 5.6.2).
fn is_token(text: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
    !text.is_empty() && text.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::proptest;

    #[test]
    fn spelling_does_not_count_and_content_does() {
        let cca = MediaType::read(crate::CCA_MEDIA_TYPE).unwrap();
        for same in [
            "application/eat-collection;profile=\"http://arm.com/CCA-SSD/1.0.0\"",
            "application/eat-collection;profile=http://arm.com/CCA-SSD/1.0.0",
            " Application/EAT-Collection ;\tPROFILE=\"http:\\/\\/arm.com/CCA-SSD/1.0.0\" ; ",
        ] {
            assert_eq!(MediaType::read(same).as_ref(), Some(&cca), "{same}");
        }
        for other in [
            "application/eat-collection",
            "application/eat-collection; profile=\"http://arm.com/cca-ssd/1.0.0\"",
            "application/eat-collection; profile=\"http://arm.com/CCA-SSD/1.0.0\"; v=1",
            "application/eat+cwt; profile=\"http://arm.com/CCA-SSD/1.0.0\"",
        ] {
            assert!(MediaType::read(other).is_some_and(|other| other != cca), "{other}");
        }
        let two = |text| MediaType::read(text).unwrap();
        assert_eq!(two("a/b; x=1; y=\"2;3\""), two("a/b; y=\"2;3\"; x=1"));
    }

    #[test]
    fn what_is_none_is_refused() {
        for text in [
            "",
            "application",
            "application/",
            "/json",
            "a b/c",
            "a/b; x",
            "a/b; =1",
            "a/b; x=",
            "a/b; x=\"1",
            "a/b; x=\"1\" y",
            "a/b; x=1; X=2",
            "a/b; x=\"\u{7f}\"",
            "a/b, c/d",
            "a/b; x=1, c/d",
            &format!("a/b; x={}", "y".repeat(MAX_LEN)),
        ] {
            assert_eq!(MediaType::read(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_survives_being_written(text in "[a-c/;=\" \\\\]{0,40}|a/b; ?x=\"[ -~]{0,20}\"; y=[a-z:/]{1,9}") {
            if let Some(read) = MediaType::read(&text) {
                assert_eq!(MediaType::read(&read.to_string()), Some(read));
            }
        }
    }
}
