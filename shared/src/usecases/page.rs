//! A page of a list.

/// A page of a list of `T`, and the position `P` where the next one begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T, P> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// The position after which the next page begins; `None` on the last page. The next page may be empty.
    pub next: Option<P>,
}

impl<T, P> Page<T, P> {
    /// Creates a page. If there are more items, the next page begins after the position of the last one here.
    pub fn new(items: Vec<T>, more: bool, position: impl FnOnce(&T) -> P) -> Self {
        let next = items.last().filter(|_| more).map(position);
        Self { items, next }
    }
}
