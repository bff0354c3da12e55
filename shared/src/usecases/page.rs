//! A page of a list.

/// A page of a list of `T`, and the position `P` where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, P> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The position after which the next page begins; `None` on the last page. The next page may be empty.
    pub next: Option<P>,
}
