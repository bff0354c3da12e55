//! In which order images are listed, and where an image stands in it.

use std::cmp::Ordering;

use crate::domain::Image;
use crate::store::{Cursor, Order, Position, name_prefix, sortable_time};

/// By what images are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SortKey {
    /// When it was registered.
    CreatedAt,
    /// When it was last changed.
    UpdatedAt,
    /// Its name, as far as an index holds it: names that are equal in their first 300 bytes are equal.
    Name,
    /// Its id.
    Id,
    /// Its container format.
    ContainerFormat,
    /// Its disk format.
    DiskFormat,
    /// Something that is the same for every image here: its status, its size.
    Constant,
}

/// In which direction images are sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The smallest first.
    Ascending,
    /// The greatest first.
    Descending,
}

/// By what images are sorted; the second key where the first is equal, and so on. No key at all is by time, newest first.
pub type Sort = Vec<(SortKey, Direction)>;

/// What an index orders images by, before their position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IndexKey {
    /// Nothing.
    Created,
    Name,
    Updated,
}

/// The order of an index that a sort asks for; `None` where no index has that order.
pub(super) fn index_order_for(sort: &Sort) -> Option<(IndexKey, Order)> {
    let sort: Sort = sort.iter().copied().filter(|(key, _)| *key != SortKey::Constant).collect();
    let Some((first, direction)) = sort.first().copied() else {
        return Some((IndexKey::Created, Order::NewestFirst));
    };
    let order = match direction {
        Direction::Ascending => Order::OldestFirst,
        Direction::Descending => Order::NewestFirst,
    };
    let rank = match first {
        // No two images are of one moment, but for a few, which follow by their ids.
        SortKey::CreatedAt => return Some((IndexKey::Created, order)),
        SortKey::Name => IndexKey::Name,
        SortKey::UpdatedAt => IndexKey::Updated,
        _ => return None,
    };
    // Images that are equal so far follow by time and id, in the same direction.
    let by_default = [SortKey::CreatedAt, SortKey::Id].map(|key| (key, Direction::Descending));
    let mut rest: Sort = Vec::new();
    for (key, direction) in sort.into_iter().skip(1).chain(by_default) {
        if key != first && rest.iter().all(|(known, _)| *known != key) {
            rest.push((key, direction));
        }
    }
    (rest == [(SortKey::CreatedAt, direction), (SortKey::Id, direction)]).then_some((rank, order))
}

/// An image's place in an order that an index has.
pub(super) fn index_cursor(key: IndexKey, image: &Image) -> Cursor {
    let values = match key {
        IndexKey::Created => Vec::new(),
        IndexKey::Name => vec![sort_value(SortKey::Name, image)],
        IndexKey::Updated => vec![sort_value(SortKey::UpdatedAt, image)],
    };
    Cursor { values, position: position_of(image) }
}

/// An image's place in the order of a sort.
pub(super) fn sort_cursor(sort: &Sort, image: &Image) -> Cursor {
    let keys = sort.iter().map(|(key, _)| *key).filter(|key| has_value(*key));
    Cursor { values: keys.map(|key| sort_value(key, image)).collect(), position: position_of(image) }
}

/// How many values a place of that order has.
pub(super) fn value_count(sort: &Sort) -> usize {
    sort.iter().filter(|(key, _)| has_value(*key)).count()
}

fn position_of(image: &Image) -> Position {
    Position { created: image.created, image: image.id.clone() }
}

/// Whether a place holds a value for the key, which its position does not tell.
fn has_value(key: SortKey) -> bool {
    !matches!(key, SortKey::CreatedAt | SortKey::Id | SortKey::Constant)
}

fn sort_value(key: SortKey, image: &Image) -> String {
    let text = |text: Option<&str>| text.unwrap_or_default().to_owned();
    let details = &image.details;
    match key {
        SortKey::Name => name_prefix(details.name.as_deref().unwrap_or_default()).to_owned(),
        SortKey::UpdatedAt => sortable_time(image.updated),
        SortKey::ContainerFormat => text(details.container_format.as_deref()),
        SortKey::DiskFormat => text(details.disk_format.as_deref()),
        SortKey::CreatedAt | SortKey::Id | SortKey::Constant => String::new(),
    }
}

/// Compares two places of a sort: by its keys, and then by time and id, newest first, so that no two are equal.
pub(super) fn compare(sort: &Sort, a: &Cursor, b: &Cursor) -> Ordering {
    let mut values = a.values.iter().zip(&b.values);
    let (a, b) = (&a.position, &b.position);
    let by_sort = sort.iter().fold(Ordering::Equal, |so_far, (key, direction)| {
        let by_key = match key {
            SortKey::CreatedAt => a.created.cmp(&b.created),
            SortKey::Id => a.image.cmp(&b.image),
            SortKey::Constant => Ordering::Equal,
            SortKey::Name | SortKey::UpdatedAt | SortKey::ContainerFormat | SortKey::DiskFormat => {
                values.next().map_or(Ordering::Equal, |(a, b)| a.cmp(b))
            }
        };
        so_far.then(match direction {
            Direction::Ascending => by_key,
            Direction::Descending => by_key.reverse(),
        })
    });
    by_sort.then_with(|| b.cmp(a))
}

#[cfg(test)]
mod tests {
    use Direction::{Ascending, Descending};
    use SortKey::{Constant, CreatedAt, Id, Name, UpdatedAt};

    use super::*;

    #[test]
    fn index_serves_only_uniform_sort_directions() {
        for (sort, expected) in [
            (vec![], Some((IndexKey::Created, Order::NewestFirst))),
            (vec![(Constant, Ascending)], Some((IndexKey::Created, Order::NewestFirst))),
            (vec![(CreatedAt, Ascending), (Id, Ascending)], Some((IndexKey::Created, Order::OldestFirst))),
            (vec![(Name, Descending)], Some((IndexKey::Name, Order::NewestFirst))),
            (vec![(Name, Descending), (CreatedAt, Descending)], Some((IndexKey::Name, Order::NewestFirst))),
            (vec![(Name, Ascending)], None),
            (
                vec![(Name, Ascending), (CreatedAt, Ascending), (Id, Ascending)],
                Some((IndexKey::Name, Order::OldestFirst)),
            ),
            (
                vec![(Constant, Ascending), (UpdatedAt, Ascending), (CreatedAt, Ascending), (Id, Ascending)],
                Some((IndexKey::Updated, Order::OldestFirst)),
            ),
            (vec![(Name, Ascending), (Id, Ascending)], None),
            (vec![(Name, Descending), (Name, Ascending)], Some((IndexKey::Name, Order::NewestFirst))),
            (vec![(Id, Descending)], None),
        ] {
            assert_eq!(index_order_for(&sort), expected, "{sort:?}");
        }
    }
}
