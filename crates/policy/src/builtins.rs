//! Built-in functions.

/// The built-in functions a policy may use, sorted.
pub fn allowed_builtins() -> Vec<&'static str> {
    Vec::new()
}
