//! JSON without insignificant white space.

/// Takes white space out that stands outside strings (RFC 8259, section 2), and changes nothing else.
/// Texts that are not JSON come out as such.
pub(super) fn removed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_string = false;
    let mut escaped = false;
    for c in text.chars() {
        if in_string {
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if matches!(c, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = c == '"';
        }
        out.push(c);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::removed;

    #[test]
    fn only_white_space_between_tokens_goes() {
        let spaced = "{ \"a b\" : [ 1,\n\t2 ] ,\r\n \"c\\\" d\\\\\" : \" e \" , \"\" : null }";
        assert_eq!(removed(spaced), "{\"a b\":[1,2],\"c\\\" d\\\\\":\" e \",\"\":null}");
        assert_eq!(removed(&removed(spaced)), removed(spaced));
    }
}
