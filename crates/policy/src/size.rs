//! Sizes as polynomials in the size of what comes from outside, see [`crate::growth`].

/// How many levels of comprehensions are told apart: more than brackets can be nested.
pub(crate) const LEVELS: usize = 12;

/// The highest power of *N* that is told apart from infinity.
const DEGREES: usize = 3;

/// `c[0] + c[1]·N + c[2]·N²`; `u64::MAX` is infinity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Poly([u64; DEGREES]);

impl Poly {
    fn constant(c: u64) -> Self {
        Poly([c, 0, 0])
    }

    fn zip(self, other: Poly, f: impl Fn(u64, u64) -> u64) -> Poly {
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        Poly(out)
    }

    fn times(self, other: Poly) -> Poly {
        let mut out = [0_u64; DEGREES];
        for (i, a) in self.0.into_iter().enumerate() {
            for (j, b) in other.0.into_iter().enumerate() {
                let product = a.saturating_mul(b);
                match out.get_mut(i.saturating_add(j)) {
                    Some(slot) => *slot = slot.saturating_add(product),
                    None if product > 0 => return Poly([u64::MAX; DEGREES]),
                    None => {}
                }
            }
        }
        Poly(out)
    }

    /// Whether the value stays within bounds: `max` units of the policy's own making, and so many
    /// times what comes from outside, or its square. The largest real case is a table in the policy
    /// against a list in the input.
    fn within(self, max: u64) -> bool {
        let [own, linear, square] = self.0;
        own <= max && linear <= 8192 && square <= 64
    }
}

/// The size of a value at each level of comprehensions: at level *k*, elements of collections that
/// are iterated over by comprehensions of level *k* or deeper count as 1. The last level has all
/// elements in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size([Poly; LEVELS]);

impl Size {
    pub(crate) fn constant(c: u64) -> Self {
        Size([Poly::constant(c); LEVELS])
    }

    /// Something from outside.
    pub(crate) fn outside() -> Self {
        Size([Poly([0, 1, 0]); LEVELS])
    }

    fn zip(&self, other: &Size, f: impl Fn(Poly, Poly) -> Poly) -> Size {
        let mut out = self.0;
        for (a, b) in out.iter_mut().zip(other.0) {
            *a = f(*a, b);
        }
        Size(out)
    }

    pub(crate) fn plus(&self, other: &Size) -> Size {
        self.zip(other, |a, b| a.zip(b, u64::saturating_add))
    }

    pub(crate) fn max(&self, other: &Size) -> Size {
        self.zip(other, |a, b| a.zip(b, u64::max))
    }

    pub(crate) fn times_constant(&self, c: u64) -> Size {
        self.zip(self, |a, _| a.times(Poly::constant(c)))
    }

    /// A product. The elements of one collection may not count as 1 on both sides: the sum of their
    /// squares is not bounded by the collection. So where both depend on elements, both are in full.
    pub(crate) fn times(&self, other: &Size) -> Size {
        let (full_a, full_b) = (self.full(), other.full());
        self.zip(other, |a, b| if a == full_a || b == full_b { a.times(b) } else { full_a.times(full_b) })
    }

    /// The number of iterations of two loops, one inside the other.
    pub(crate) fn repetitions(&self, inner: &Size) -> Size {
        self.zip(inner, Poly::times)
    }

    pub(crate) fn is_within(&self, max: u64) -> bool {
        self.full().within(max)
    }

    fn full(&self) -> Poly {
        self.0.last().copied().unwrap_or(Poly([u64::MAX; DEGREES]))
    }

    pub(crate) fn in_full(&self) -> Size {
        Size([self.full(); LEVELS])
    }

    /// An element of a collection of this size, iterated over at `level`.
    pub(crate) fn element(&self, level: usize) -> Size {
        let mut out = self.0;
        for (k, poly) in out.iter_mut().enumerate() {
            if k <= level {
                *poly = Poly::constant(1);
            } else {
                *poly = self.full();
            }
        }
        Size(out)
    }

    /// What a comprehension of `level` with this many `iterations` makes of terms of this size.
    pub(crate) fn repeated(&self, iterations: &Size, level: usize) -> Size {
        let mut out = self.0;
        let at = |size: &Size, k: usize| size.0.get(k).copied().unwrap_or(size.full());
        for (k, poly) in out.iter_mut().enumerate() {
            let k = k.min(level);
            *poly = Poly::constant(1).zip(at(iterations, k).times(at(self, k)), u64::saturating_add);
        }
        Size(out)
    }
}

impl Size {
    /// What leaves a rule has no elements of its loops any more.
    pub(crate) fn in_full_unless_collected(self, collected: bool) -> Size {
        if collected {
            Size([self.0.first().copied().unwrap_or(self.full()); LEVELS])
        } else {
            self.in_full()
        }
    }
}
