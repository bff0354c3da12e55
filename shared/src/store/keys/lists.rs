//! The keys of lists of images.
//!
//! A [`List`] is a partition of an index, with an entry for each of its images. Three indexes have different orders:
//!
//! | index | partition, sort key | holds | sort key |
//! |---|---|---|---|
//! | `lists` | `gpk`, `gsk` | every list | `<created>#<image>#<owner>`, then `#u` if the image was ever updated |
//! | `names` | `npk`, `nsk` | owned, accepted and open images | `<name>` U+0001 `<created>#<image>#` |
//! | `updates` | `upk`, `usk` | those of them that were updated | `<updated>#<created>#<image>#` |
//!
//! `<created>` is when the *image* was created, in milliseconds. So all lists that a tenant can see merge into one by
//! time, and the position of an image is the same in all of them. `<owner>` is empty in the list of owned images.
//! `<name>` is at most the first [`NAME_PREFIX_BYTES`] bytes of the name, which never contains a control character;
//! names with an equal prefix are ordered by creation.
//!
//! An image that was never updated has no entry in `updates`, so that neither its creation nor a share pays for one.
//! Its entry in `lists` has no `#u`, and a list by updates merges the two.
//!
//! Every sort key continues with `#` after the image, and `#` is below every character of an id. So `<position>` is
//! just below the keys of that position and `<position>$` just above them: both can bound a range.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use super::{GPK, GSK, Key, NPK, NSK, UPK, USK, key};
use crate::domain::{Image, ImageHead, ImageId, Status, TenantId, Timestamp, Visibility};
use crate::table::AttributeValue;

/// The direction in which a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest first; in a list by name, the greatest name first.
    NewestFirst,
    /// The oldest first; in a list by name, the smallest name first.
    OldestFirst,
}

/// An index of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Lists by creation, and everything else that is listed.
    Lists,
    /// Lists by name.
    Names,
    /// Lists by update.
    Updates,
}

impl Index {
    /// Every index.
    pub const ALL: [Self; 3] = [Self::Lists, Self::Names, Self::Updates];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lists => super::LISTS_INDEX,
            Self::Names => "names",
            Self::Updates => "updates",
        }
    }

    /// The attribute of its partition key.
    pub const fn partition_key(self) -> &'static str {
        match self {
            Self::Lists => GPK,
            Self::Names => NPK,
            Self::Updates => UPK,
        }
    }

    /// The attribute of its sort key.
    pub const fn sort_key(self) -> &'static str {
        match self {
            Self::Lists => GSK,
            Self::Names => NSK,
            Self::Updates => USK,
        }
    }
}

/// A list of images in the index.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum List {
    /// The images that a tenant owns.
    Owned(TenantId),
    /// The images that are shared with a tenant, by status.
    Received(TenantId, Status),
    /// The public or the community images.
    Open(Visibility),
}

impl List {
    /// Returns whether the list is in every index, not only in the one by creation.
    pub fn is_in_every_index(&self) -> bool {
        match self {
            Self::Owned(_) | Self::Open(_) => true,
            Self::Received(_, status) => *status == Status::Accepted,
        }
    }
}

impl fmt::Display for List {
    /// The list's partition key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Owned(tenant) => write!(f, "O#{tenant}"),
            Self::Received(tenant, status) => write!(f, "T#{tenant}#{status}"),
            Self::Open(visibility) => write!(f, "L#{visibility}"),
        }
    }
}

/// The position of an image in every list by creation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// When the image was created.
    pub created: Timestamp,
    /// The image.
    pub image: ImageId,
}

impl Position {
    /// Parses a position from the start of a sort key.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.split('#');
        let created = Timestamp::from_unix_millis(parts.next()?.parse().ok()?);
        Some(Self { created, image: parts.next()?.parse().ok()? })
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", sortable_time(self.created), self.image)
    }
}

/// The place of an image in a list of any order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// The values that order the list before the position does, such as the name; none in a list by creation.
    pub values: Vec<String>,
    /// The position.
    pub position: Position,
}

impl From<Position> for Cursor {
    fn from(position: Position) -> Self {
        Self { values: Vec::new(), position }
    }
}

/// Formats a time so that texts sort as times do.
pub fn sortable_time(time: Timestamp) -> String {
    format!("{:015}", time.unix_millis())
}

/// The number of bytes of a name that order it: DynamoDB limits a sort key to 1,024 bytes.
const NAME_PREFIX_BYTES: usize = 300;

/// Returns the part of a name that orders it.
pub fn name_prefix(name: &str) -> &str {
    let mut end = name.len().min(NAME_PREFIX_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

/// Ends the name in a sort key: below every character that a name may contain.
const NAME_SEPARATOR: char = '\u{1}';

/// The data of an image that its list entries hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry<'a> {
    position: Position,
    owner: &'a TenantId,
    name: &'a str,
    updated: Timestamp,
}

impl<'a> From<&'a Image> for ListEntry<'a> {
    fn from(image: &'a Image) -> Self {
        Self {
            position: Position { created: image.created, image: image.id.clone() },
            owner: &image.owner,
            name: image.details.name.as_deref().unwrap_or_default(),
            updated: image.updated,
        }
    }
}

impl<'a> From<&'a ImageHead> for ListEntry<'a> {
    fn from(image: &'a ImageHead) -> Self {
        Self {
            position: Position { created: image.created, image: image.id.clone() },
            owner: &image.owner,
            name: image.name.as_deref().unwrap_or_default(),
            updated: image.updated,
        }
    }
}

/// Returns the attributes that make an item an image's entry in a list: its keys in each index.
pub fn list_entry_attributes(list: &List, entry: &ListEntry<'_>) -> Vec<(&'static str, AttributeValue)> {
    let ListEntry { position, owner, name, updated } = entry;
    let is_updated = *updated != position.created;
    let owner = if matches!(list, List::Owned(_)) { "" } else { owner.as_str() };
    let suffix = if is_updated { UPDATED_SUFFIX } else { "" };
    let mut sort_keys = vec![(Index::Lists, format!("{position}#{owner}{suffix}"))];
    if list.is_in_every_index() {
        sort_keys.push((Index::Names, format!("{}{NAME_SEPARATOR}{position}#", name_prefix(name))));
        if is_updated {
            sort_keys.push((Index::Updates, format!("{}#{position}#", sortable_time(*updated))));
        }
    }
    let text = |text: String| AttributeValue::S(text);
    let attributes = sort_keys.into_iter().flat_map(|(index, sort_key)| {
        [(index.partition_key(), text(list.to_string())), (index.sort_key(), text(sort_key))]
    });
    attributes.collect()
}

/// Ends the sort key, in the `lists` index, of an image that was updated.
const UPDATED_SUFFIX: &str = "#u";

/// The tag or owner by which a lookup finds images of a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LookupKey {
    /// A tag, in a list of owned or open images.
    Tag(List, String),
    /// An owner, in a list of open images.
    Owner(List, TenantId),
}

impl LookupKey {
    fn partition(&self) -> String {
        match self {
            Self::Tag(list, tag) => format!("F#{list}#t#{tag}"),
            Self::Owner(list, owner) => format!("F#{list}#o#{owner}"),
        }
    }

    /// Returns the key of the lookup of the image at a position.
    pub fn primary_key(&self, position: &Position) -> Key {
        key(self.partition(), format!("{position}#"))
    }
}

/// A query of a list, or of a part of it, in one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListQuery {
    /// A list by creation.
    ByCreation(List),
    /// The images of some owners, by creation. Entries of other owners are skipped.
    ByOwners(List, BTreeSet<TenantId>),
    /// A list by name.
    ByName(List),
    /// The images with a name.
    WithName {
        /// The list.
        list: List,
        /// The name.
        name: String,
        /// Whether the cursors are those of a list by name, not by creation.
        by_name: bool,
    },
    /// The images that were updated, by update.
    ByUpdate(List),
    /// The images that were never updated, with the cursors of a list by update. Entries of others are skipped.
    NeverUpdated(List),
    /// The images that a lookup finds, by creation.
    Lookup(LookupKey),
}

/// A range of sort keys, without its ends: `(above, below)`. `None` is no bound.
type SortKeyRange = (Option<String>, Option<String>);

impl ListQuery {
    /// Returns the index to query; `None` for the table itself.
    pub fn index(&self) -> Option<Index> {
        match self {
            Self::ByCreation(_) | Self::ByOwners(..) | Self::NeverUpdated(_) => Some(Index::Lists),
            Self::ByName(_) | Self::WithName { .. } => Some(Index::Names),
            Self::ByUpdate(_) => Some(Index::Updates),
            Self::Lookup(_) => None,
        }
    }

    /// Returns the partition to query.
    pub fn partition(&self) -> String {
        match self {
            Self::ByCreation(list)
            | Self::ByOwners(list, _)
            | Self::ByName(list)
            | Self::WithName { list, .. }
            | Self::ByUpdate(list)
            | Self::NeverUpdated(list) => list.to_string(),
            Self::Lookup(lookup) => lookup.partition(),
        }
    }

    /// Returns the range of the sort keys after a cursor; `None` if it is empty.
    pub fn range(&self, after: Option<&Cursor>, order: Order) -> Option<SortKeyRange> {
        let (mut above, mut below) = match self {
            Self::WithName { name, .. } => {
                let name = name_prefix(name);
                (Some(format!("{name}{NAME_SEPARATOR}")), Some(format!("{name}\u{2}")))
            }
            _ => (None, None),
        };
        if let Some(after) = after {
            match order {
                Order::NewestFirst => below = below.into_iter().chain([self.bound(after, order)]).min(),
                Order::OldestFirst => above = above.into_iter().chain([self.bound(after, order)]).max(),
            }
        }
        let is_empty = above.as_ref().zip(below.as_ref()).is_some_and(|(above, below)| above > below);
        (!is_empty).then_some((above, below))
    }

    /// Returns the bound that a cursor sets.
    fn bound(&self, Cursor { values, position }: &Cursor, order: Order) -> String {
        let value = values.first().map(String::as_str).unwrap_or_default();
        let bound = match self {
            Self::ByCreation(_) | Self::ByOwners(..) | Self::Lookup(_) => position.to_string(),
            Self::ByName(_) | Self::WithName { by_name: true, .. } => {
                format!("{}{NAME_SEPARATOR}{position}", name_prefix(value))
            }
            Self::WithName { name, by_name: false, .. } => {
                format!("{}{NAME_SEPARATOR}{position}", name_prefix(name))
            }
            Self::ByUpdate(_) => format!("{}#{position}", valid_update_time(value)),
            // An image that was never updated counts as updated at its creation. If the cursor's image was never
            // updated either, its position is the bound. Otherwise its update time is: images created at that time sort
            // above the cursor, whose image was created earlier.
            Self::NeverUpdated(_) if valid_update_time(value) == sortable_time(position.created) => {
                position.to_string()
            }
            Self::NeverUpdated(_) => return valid_update_time(value).into_owned(),
        };
        match order {
            Order::NewestFirst => bound,
            Order::OldestFirst => format!("{bound}$"),
        }
    }

    /// Returns whether the query may have to skip entries.
    pub fn skips_entries(&self) -> bool {
        matches!(self, Self::ByOwners(..) | Self::NeverUpdated(_))
    }

    /// Parses the cursor from a sort key; `Some(None)` if the query skips the entry, `None` if it is not a sort key of
    /// the index.
    pub fn cursor(&self, sort_key: &str) -> Option<Option<Cursor>> {
        let by_creation = |text: &str| Some(Some(Position::parse(text)?.into()));
        match self {
            Self::ByCreation(_) | Self::Lookup(_) => by_creation(sort_key),
            Self::ByOwners(_, owners)
                if parse_received_owner(sort_key).is_some_and(|owner| owners.contains(&owner)) =>
            {
                by_creation(sort_key)
            }
            Self::ByOwners(..) => Some(None),
            Self::NeverUpdated(_)
                if sort_key.ends_with(UPDATED_SUFFIX) && sort_key.split('#').count() > 3 =>
            {
                Some(None)
            }
            Self::NeverUpdated(_) => {
                let position = Position::parse(sort_key)?;
                Some(Some(Cursor { values: vec![sortable_time(position.created)], position }))
            }
            Self::ByName(_) | Self::WithName { by_name: true, .. } => {
                let (name, position) = sort_key.split_once(NAME_SEPARATOR)?;
                Some(Some(Cursor { values: vec![name.to_owned()], position: Position::parse(position)? }))
            }
            Self::WithName { by_name: false, .. } => by_creation(sort_key.split_once(NAME_SEPARATOR)?.1),
            Self::ByUpdate(_) => {
                let (updated, position) = sort_key.split_once('#')?;
                Some(Some(Cursor { values: vec![updated.to_owned()], position: Position::parse(position)? }))
            }
        }
    }
}

/// Parses the owner from the sort key of a membership in the `lists` index.
pub fn parse_received_owner(sort_key: &str) -> Option<TenantId> {
    sort_key.split('#').nth(2)?.parse().ok()
}

/// Returns the value of a list by update if it is a time, otherwise the earliest time: a client may have forged the
/// marker.
fn valid_update_time(value: &str) -> Cow<'_, str> {
    let is_time = value.len() == 15 && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_time { value.into() } else { sortable_time(Timestamp::from_unix_millis(0)).into() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{Details, Visibility};

    fn image(id: &str, name: &str, created: i64, updated: i64) -> Image {
        Image {
            id: id.parse().unwrap(),
            owner: "own".parse().unwrap(),
            visibility: Visibility::Shared,
            details: Details { name: Some(name.to_owned()), ..Details::default() },
            created: Timestamp::from_unix_millis(created),
            updated: Timestamp::from_unix_millis(updated),
            revision: 1,
        }
    }

    fn sort_key(image: &Image, index: Index) -> Option<String> {
        let list = List::Received("me".parse().unwrap(), Status::Accepted);
        let entry = list_entry_attributes(&list, &image.into());
        let found = entry.into_iter().find(|(name, _)| *name == index.sort_key());
        found.map(|(_, value)| value.as_s().unwrap().clone())
    }

    fn any_image() -> impl Strategy<Value = Image> {
        let times = (0_i64..4, 0_i64..3);
        ("[ab.-]{1,2}", "[a \u{10ffff}é]{0,2}", times).prop_filter_map(
            "an id",
            |(id, name, (created, more))| {
                id.parse::<ImageId>().ok()?;
                Some(image(&id, &name, created, created + more))
            },
        )
    }

    fn list_queries() -> Vec<ListQuery> {
        let list = || List::Received("me".parse().unwrap(), Status::Accepted);
        let name = || "a".to_owned();
        vec![
            ListQuery::ByCreation(list()),
            ListQuery::ByOwners(list(), ["own".parse().unwrap()].into()),
            ListQuery::ByOwners(list(), ["other".parse().unwrap()].into()),
            ListQuery::ByName(list()),
            ListQuery::WithName { list: list(), name: name(), by_name: false },
            ListQuery::WithName { list: list(), name: name(), by_name: true },
            ListQuery::ByUpdate(list()),
            ListQuery::NeverUpdated(list()),
        ]
    }

    /// The cursor of an image by the definition of the query; `None` if the query does not include the image.
    fn expected_cursor(query: &ListQuery, image: &Image) -> Option<Cursor> {
        let name = image.details.name.clone().unwrap();
        let values = match query {
            ListQuery::ByCreation(_) | ListQuery::Lookup(_) => vec![],
            ListQuery::ByOwners(_, owners) if owners.contains(&image.owner) => vec![],
            ListQuery::WithName { name: wanted, by_name: false, .. } if *wanted == name => vec![],
            ListQuery::WithName { name: wanted, by_name: true, .. } if *wanted == name => vec![name],
            ListQuery::ByName(_) => vec![name],
            ListQuery::ByUpdate(_) if image.updated != image.created => vec![sortable_time(image.updated)],
            ListQuery::NeverUpdated(_) if image.updated == image.created => {
                vec![sortable_time(image.updated)]
            }
            _ => return None,
        };
        Some(Cursor { values, position: Position { created: image.created, image: image.id.clone() } })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn range_holds_exactly_the_entries_after_a_cursor(one in any_image(), after in any_image()) {
            for query in list_queries() {
                let sort_key = sort_key(&one, query.index().unwrap());
                // The cursor may be of an image that is not in this list, but in another that is merged with it.
                let after = Cursor {
                    values: match &query {
                        ListQuery::ByName(_) | ListQuery::WithName { by_name: true, .. } => {
                            vec![after.details.name.clone().unwrap()]
                        }
                        ListQuery::ByUpdate(_) | ListQuery::NeverUpdated(_) => vec![sortable_time(after.updated)],
                        _ => vec![],
                    },
                    position: Position { created: after.created, image: after.id.clone() },
                };
                let expected = expected_cursor(&query, &one);
                let parsed = sort_key.as_ref().and_then(|text| query.cursor(text).unwrap());
                let in_range = |order| sort_key.as_ref().is_some_and(|text| {
                    query.range(Some(&after), order).is_some_and(|(above, below)| {
                        above.is_none_or(|above| *text > above) && below.is_none_or(|below| *text < below)
                    })
                });
                if let Some(expected) = &expected {
                    prop_assert_eq!(parsed.as_ref(), Some(expected), "{:?}", query);
                    prop_assert_eq!(in_range(Order::OldestFirst), *expected > after, "{:?}", query);
                    prop_assert_eq!(in_range(Order::NewestFirst), *expected < after, "{:?}", query);
                } else if !matches!(query, ListQuery::WithName { .. }) {
                    prop_assert_eq!(parsed, None, "{:?}", query);
                }
            }
        }

        #[test]
        fn sort_key_parser_accepts_any_text(text in "(\\PC|#|\u{1}){0,40}", value in "\\PC{0,20}") {
            let after = Cursor { values: vec![value], position: Position::parse("5#i").unwrap() };
            for query in list_queries() {
                let _ = (query.cursor(&text), query.range(Some(&after), Order::OldestFirst));
            }
        }

        #[test]
        fn sort_keys_fit_size_limit_for_any_name(name in "\\PC{0,255}") {
            let long = image(&"i".repeat(64), &name, 1, 2);
            prop_assert!(sort_key(&long, Index::Names).unwrap().len() <= 1024);
            prop_assert!(name.starts_with(name_prefix(&name)));
        }
    }

    #[test]
    fn only_updated_images_are_in_updates_index() {
        let text = |image: &Image, index| sort_key(image, index).unwrap_or_default();
        let (new, old) = (image("i", "web", 5, 5), image("i", "web", 5, 7));
        assert_eq!(text(&new, Index::Lists), "000000000000005#i#own");
        assert_eq!(text(&old, Index::Lists), "000000000000005#i#own#u");
        assert_eq!(text(&new, Index::Names), "web\u{1}000000000000005#i#");
        assert_eq!(
            (text(&new, Index::Updates), text(&old, Index::Updates)),
            (String::new(), "000000000000007#000000000000005#i#".to_owned(),)
        );
        let list = List::Received("me".parse().unwrap(), Status::Pending);
        assert_eq!(
            list_entry_attributes(&list, &(&old).into()).len(),
            2,
            "pending images are listed by creation only"
        );
    }
}
