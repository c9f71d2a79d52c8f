//! Where in a document something stands. A path costs nothing until it is shown.

use std::fmt;

/// A place in a document: `tags[0].triples.reference[1]`.
#[derive(Clone, Copy)]
pub(crate) struct Path<'p> {
    parent: Option<&'p Path<'p>>,
    step: Step,
}

#[derive(Clone, Copy)]
enum Step {
    Member(&'static str),
    Item(usize),
}

impl<'p> Path<'p> {
    /// The beginning of a path.
    pub(crate) const fn root(name: &'static str) -> Path<'static> {
        Path { parent: None, step: Step::Member(name) }
    }

    /// A member of what stands here.
    pub(crate) const fn member(&'p self, name: &'static str) -> Path<'p> {
        Path { parent: Some(self), step: Step::Member(name) }
    }

    /// An item of the array that stands here.
    pub(crate) const fn item(&'p self, index: usize) -> Path<'p> {
        Path { parent: Some(self), step: Step::Item(index) }
    }
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(parent) = self.parent {
            parent.fmt(f)?;
        }
        match self.step {
            Step::Member(name) if self.parent.is_some() => write!(f, ".{name}"),
            Step::Member(name) => f.write_str(name),
            Step::Item(index) => write!(f, "[{index}]"),
        }
    }
}
