//! Which built-in functions a policy may use, and how large their results can be.

use regorus::unstable::Expr;

use crate::size::Size;

/// How the size of a function's result follows from its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cost {
    /// A number or a boolean.
    Small,
    /// At most the arguments together, times this.
    Sum(u64),
    /// Each unit of one argument may bring another argument in whole.
    Product,
}

/// What must hold of one argument for the function to be bounded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Literal {
    /// Nothing.
    None,
    /// Argument 0 is a literal format string of plain verbs.
    Format,
    /// Argument 0 is a literal regular expression, short and without counted repetition.
    Pattern,
    /// Argument 1 is a literal string: the time is the product of both lengths.
    Needle,
}

pub(crate) struct Builtin {
    pub(crate) name: &'static str,
    pub(crate) cost: Cost,
    pub(crate) literal: Literal,
}

const fn of(name: &'static str, cost: Cost) -> Builtin {
    Builtin { name, cost, literal: Literal::None }
}

const fn with(name: &'static str, cost: Cost, literal: Literal) -> Builtin {
    Builtin { name, cost, literal }
}

/// Sorted by name. Each was read in the engine's source: it does not panic, its time is linear in its
/// arguments (or as [`Literal`] makes it), and its result is as [`Cost`] says.
static ALLOWED: &[Builtin] = &[
    of("abs", Cost::Sum(1)),
    of("array.concat", Cost::Sum(1)),
    of("array.reverse", Cost::Sum(1)),
    of("array.slice", Cost::Sum(1)),
    of("base64.decode", Cost::Sum(1)),
    of("base64.encode", Cost::Sum(2)),
    of("base64.is_valid", Cost::Small),
    of("bits.and", Cost::Sum(1)),
    of("bits.negate", Cost::Sum(1)),
    of("bits.or", Cost::Sum(1)),
    of("bits.rsh", Cost::Sum(1)),
    of("bits.xor", Cost::Sum(1)),
    of("ceil", Cost::Sum(1)),
    of("concat", Cost::Product),
    of("contains", Cost::Small),
    of("count", Cost::Small),
    of("endswith", Cost::Small),
    of("floor", Cost::Sum(1)),
    of("format_int", Cost::Sum(4)),
    with("indexof", Cost::Small, Literal::Needle),
    of("intersection", Cost::Sum(1)),
    of("is_array", Cost::Small),
    of("is_boolean", Cost::Small),
    of("is_null", Cost::Small),
    of("is_number", Cost::Small),
    of("is_object", Cost::Small),
    of("is_set", Cost::Small),
    of("is_string", Cost::Small),
    of("json.is_valid", Cost::Small),
    of("json.marshal", Cost::Sum(8)),
    of("json.unmarshal", Cost::Sum(4)),
    of("lower", Cost::Sum(3)),
    of("max", Cost::Sum(1)),
    of("min", Cost::Sum(1)),
    of("object.get", Cost::Sum(1)),
    of("object.keys", Cost::Sum(1)),
    of("object.union", Cost::Sum(1)),
    of("product", Cost::Sum(1)),
    with("regex.find_n", Cost::Sum(2), Literal::Pattern),
    with("regex.is_valid", Cost::Small, Literal::Pattern),
    with("regex.match", Cost::Small, Literal::Pattern),
    with("regex.split", Cost::Sum(2), Literal::Pattern),
    of("replace", Cost::Product),
    of("round", Cost::Sum(1)),
    of("semver.compare", Cost::Small),
    of("semver.is_valid", Cost::Small),
    of("sort", Cost::Sum(1)),
    of("split", Cost::Sum(2)),
    with("sprintf", Cost::Sum(8), Literal::Format),
    of("startswith", Cost::Small),
    of("strings.any_prefix_match", Cost::Small),
    of("strings.any_suffix_match", Cost::Small),
    of("strings.count", Cost::Small),
    of("strings.reverse", Cost::Sum(1)),
    of("substring", Cost::Sum(1)),
    of("sum", Cost::Sum(1)),
    of("time.parse_rfc3339_ns", Cost::Small),
    of("to_number", Cost::Sum(1)),
    of("trim", Cost::Sum(1)),
    of("trim_left", Cost::Sum(1)),
    of("trim_prefix", Cost::Sum(1)),
    of("trim_right", Cost::Sum(1)),
    of("trim_space", Cost::Sum(1)),
    of("trim_suffix", Cost::Sum(1)),
    of("type_name", Cost::Small),
    of("union", Cost::Sum(1)),
    of("upper", Cost::Sum(3)),
];

/// The built-in functions a policy may use, sorted; beside them `query_reference_value`.
pub fn allowed_builtins() -> Vec<&'static str> {
    ALLOWED.iter().map(|b| b.name).collect()
}

pub(crate) fn find(name: &str) -> Option<&'static Builtin> {
    ALLOWED.binary_search_by(|b| b.name.cmp(name)).ok().and_then(|at| ALLOWED.get(at))
}

/// Why a function that is not allowed is not.
pub(crate) fn why_not(name: &str) -> &'static str {
    match name {
        "http.send" | "net.lookup_ip_addr" => "a policy has no access to the network",
        "opa.runtime" => "a policy does not see the process it runs in",
        "rand.intn" | "uuid.rfc4122" => "the same input must give the same verdict",
        "time.now_ns" => "the verdict must follow from the input; reference values expire by themselves",
        "trace" | "print" => "a policy has no output but its result; use the rule findings",
        "numbers.range"
        | "numbers.range_step"
        | "bits.lsh"
        | "net.cidr_expand"
        | "strings.replace_n"
        | "regex.replace"
        | "walk"
        | "graph.reachable_paths"
        | "object.union_n"
        | "indexof_n"
        | "json.patch" => "a short call can give a result of any size",
        "query_reference_value" => "resource policies have no reference values",
        _ => "it is not among the functions that are known to be bounded",
    }
}

/// Checks the arguments that must be literals.
pub(crate) fn check_literal(builtin: &Builtin, args: &[&Expr]) -> Result<(), &'static str> {
    let literal = |index: usize| match args.get(index) {
        Some(Expr::String { value, .. } | Expr::RawString { value, .. }) => value.as_string().ok().cloned(),
        _ => None,
    };
    match builtin.literal {
        Literal::None => Ok(()),
        Literal::Needle => match literal(1) {
            Some(text) if text.len() <= 256 => Ok(()),
            _ => Err("its second argument must be a literal string of at most 256 bytes"),
        },
        Literal::Format => match literal(0) {
            Some(text) if plain_format(&text) => Ok(()),
            Some(_) => Err("only the verbs %s %v %d %q %x %f %% are allowed, without width or flags"),
            None => Err("its format must be a literal string"),
        },
        Literal::Pattern => match literal(0) {
            Some(text) if text.len() > 256 => Err("its pattern must have at most 256 bytes"),
            Some(text) if text.contains('{') => Err("its pattern must not use { }"),
            Some(_) => Ok(()),
            None => Err("its pattern must be a literal string"),
        },
    }
}

fn plain_format(format: &str) -> bool {
    let mut chars = format.chars();
    while let Some(c) = chars.next() {
        if c == '%' && !matches!(chars.next(), Some('s' | 'v' | 'd' | 'q' | 'x' | 'f' | '%')) {
            return false;
        }
    }
    true
}

/// The size of the result.
pub(crate) fn result_size(cost: Cost, args: &[Size]) -> Size {
    let sum = || args.iter().fold(Size::constant(1), |sum, arg| sum.plus(arg));
    match cost {
        Cost::Small => Size::constant(32),
        Cost::Sum(factor) => sum().times_constant(factor),
        Cost::Product => {
            args.iter().fold(Size::constant(1), |all, arg| all.times(&arg.plus(&Size::constant(1))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_sorted_and_the_engine_has_every_function_in_it() {
        assert!(ALLOWED.is_sorted_by(|a, b| a.name < b.name));
        for builtin in ALLOWED {
            assert!(regorus::unstable::BUILTINS.contains_key(builtin.name), "{}", builtin.name);
            assert!(find(builtin.name).is_some());
        }
    }

    #[test]
    fn formats_with_width_flags_or_odd_digits_are_refused() {
        assert!(plain_format("plain %s %v %d %q %x %f 100%%"));
        for format in ["%9d", "%.3f", "%\u{b2}", "%", "%-s", "%+v", "%#v", "%[1]s", "%c"] {
            assert!(!plain_format(format), "{format}");
        }
    }
}
