//! The keys of lists of images.
//!
//! A list ([`List`]) is a partition of an index, and holds an entry for each of its images. Three indexes order it:
//!
//! | index | partition, sort key | holds | sort key |
//! |---|---|---|---|
//! | `lists` | `gpk`, `gsk` | every list | `<created>#<image>#<owner>`, and `#u` after it once the image was updated |
//! | `names` | `npk`, `nsk` | what is owned, accepted or open | `<name>` U+0001 `<created>#<image>#` |
//! | `updates` | `upk`, `usk` | of these the images that were updated | `<updated>#<created>#<image>#` |
//!
//! `<created>` is when the *image* was registered, in milliseconds, so that everything a tenant can see merges into one
//! list by time, and the place of an image in any list follows from the image alone. `<owner>` is empty in the list of what
//! is owned. `<name>` is at most the first [`NAME_PREFIX_BYTES`] bytes of the name, which never holds a control character: names
//! that are equal so far are in the order of creation.
//!
//! An image that was never updated has no entry in `updates`, so that neither its registration nor a share pays for one;
//! its entry in `lists` says so, and a list by updates merges the two.
//!
//! Every sort key goes on with `#` after the image, which is below all that an id may hold. So `<place>` is below each key
//! of the place, `<place>$` above, and both above or below all other keys as the place is.

use std::borrow::Cow;
use std::fmt;

use super::{GPK, GSK, Key, NPK, NSK, UPK, USK, key};
use crate::domain::{Image, ImageHead, ImageId, Status, TenantId, Timestamp, Visibility};
use crate::table::AttributeValue;

/// In which order a list is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The newest image first, or the greatest in another order.
    NewestFirst,
    /// The oldest image first, or the smallest in another order.
    OldestFirst,
}

/// An index of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Index {
    /// Lists by creation; and all else that is listed.
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
    /// What a tenant owns.
    Owned(TenantId),
    /// What is shared with a tenant, by what it has said.
    Received(TenantId, Status),
    /// The public or the community images.
    Open(Visibility),
}

impl List {
    /// Whether the list is in every index, and not only in that by creation.
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

/// An image's place in every list by creation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// When the image was registered.
    pub created: Timestamp,
    /// The image.
    pub image: ImageId,
}

impl Position {
    /// The position of a sort key, whatever follows it.
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

/// An image's place in a list of some order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cursor {
    /// What the order compares before the position: nothing, where it is the order of creation.
    pub values: Vec<String>,
    /// The position.
    pub position: Position,
}

impl From<Position> for Cursor {
    fn from(position: Position) -> Self {
        Self { values: Vec::new(), position }
    }
}

/// A moment as text that sorts as moments do.
pub fn sortable_time(moment: Timestamp) -> String {
    format!("{:015}", moment.unix_millis())
}

/// As many bytes of a name order it among others.
pub const NAME_PREFIX_BYTES: usize = 300;

/// The part of a name that orders it.
pub fn name_prefix(name: &str) -> &str {
    let mut end = name.len().min(NAME_PREFIX_BYTES);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    name.get(..end).unwrap_or_default()
}

/// Follows a name in a sort key: below all that a name may hold.
const NAME_SEPARATOR: char = '\u{1}';

/// What a list's entry says of an image.
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

/// The attributes by which an item is an image's entry in a list.
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

/// Ends the sort key of an image that was updated.
const UPDATED_SUFFIX: &str = "#u";

/// What an image is filed under, besides its entry in a list.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LookupKey {
    /// One of its tags, in a list of what is owned or open.
    Tag(List, String),
    /// Its owner, in a list of what is open.
    Owner(List, TenantId),
}

impl LookupKey {
    fn partition(&self) -> String {
        match self {
            Self::Tag(list, tag) => format!("F#{list}#t#{tag}"),
            Self::Owner(list, owner) => format!("F#{list}#o#{owner}"),
        }
    }

    /// The item by which the image of that position is filed.
    pub fn primary_key(&self, position: &Position) -> Key {
        key(self.partition(), format!("{position}#"))
    }
}

/// A part of a list that can be read in an order, each page in one query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListQuery {
    /// A list by creation.
    ByCreation(List),
    /// Of a list by creation, the images of an owner. Entries of others are read past.
    ByOwner(List, TenantId),
    /// A list by name.
    ByName(List),
    /// Of a list the images of a name; by creation, or as a part of the list by name.
    WithName {
        /// The list.
        list: List,
        /// The name.
        name: String,
        /// Whether the places are those of the list by name.
        by_name: bool,
    },
    /// Of a list by updates, the images that were updated.
    ByUpdate(List),
    /// Of a list by updates, the images that never were. Entries of others are read past.
    NeverUpdated(List),
    /// By creation, what is filed there.
    Lookup(LookupKey),
}

/// The sort keys of a run that follow a place, as the ends of a range: `(above, below)`.
pub type SortKeyRange = (Option<String>, Option<String>);

impl ListQuery {
    /// The index; `None` for the table itself.
    pub fn index(&self) -> Option<Index> {
        match self {
            Self::ByCreation(_) | Self::ByOwner(..) | Self::NeverUpdated(_) => Some(Index::Lists),
            Self::ByName(_) | Self::WithName { .. } => Some(Index::Names),
            Self::ByUpdate(_) => Some(Index::Updates),
            Self::Lookup(_) => None,
        }
    }

    /// The partition.
    pub fn partition(&self) -> String {
        match self {
            Self::ByCreation(list)
            | Self::ByOwner(list, _)
            | Self::ByName(list)
            | Self::WithName { list, .. }
            | Self::ByUpdate(list)
            | Self::NeverUpdated(list) => list.to_string(),
            Self::Lookup(filing) => filing.partition(),
        }
    }

    /// The sort keys after a place in that order; `None` where there can be none.
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

    /// The end of the range that a place sets.
    fn bound(&self, Cursor { values, position }: &Cursor, order: Order) -> String {
        let value = values.first().map(String::as_str).unwrap_or_default();
        let bound = match self {
            Self::ByCreation(_) | Self::ByOwner(..) | Self::Lookup(_) => position.to_string(),
            Self::ByName(_) | Self::WithName { by_name: true, .. } => {
                format!("{}{NAME_SEPARATOR}{position}", name_prefix(value))
            }
            Self::WithName { name, by_name: false, .. } => {
                format!("{}{NAME_SEPARATOR}{position}", name_prefix(name))
            }
            Self::ByUpdate(_) => format!("{}#{position}", valid_update_time(value)),
            // Those that were created when the image of the place was updated are after it, in either order, but for
            // one that is itself unchanged.
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

    /// Whether entries may have to be read past.
    pub fn skips_entries(&self) -> bool {
        matches!(self, Self::ByOwner(..) | Self::NeverUpdated(_))
    }

    /// The place of a sort key; `Some(None)` where it is of an image that the run does not hold, `None` where it is no sort
    /// key of the index.
    pub fn cursor(&self, sort_key: &str) -> Option<Option<Cursor>> {
        let by_creation = |text: &str| Some(Some(Position::parse(text)?.into()));
        match self {
            Self::ByCreation(_) | Self::Lookup(_) => by_creation(sort_key),
            Self::ByOwner(_, owner) if parse_received_owner(sort_key).as_ref() == Some(owner) => {
                by_creation(sort_key)
            }
            Self::ByOwner(..) => Some(None),
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

/// The owner of the image, by the sort key of a membership in the index by creation.
pub fn parse_received_owner(sort_key: &str) -> Option<TenantId> {
    sort_key.split('#').nth(2)?.parse().ok()
}

/// A value of a list by updates, which a marker may have told wrongly: a moment in any case.
fn valid_update_time(value: &str) -> Cow<'_, str> {
    let is_moment = value.len() == 15 && value.bytes().all(|byte| byte.is_ascii_digit());
    if is_moment { value.into() } else { sortable_time(Timestamp::from_unix_millis(0)).into() }
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
            ListQuery::ByOwner(list(), "own".parse().unwrap()),
            ListQuery::ByOwner(list(), "other".parse().unwrap()),
            ListQuery::ByName(list()),
            ListQuery::WithName { list: list(), name: name(), by_name: false },
            ListQuery::WithName { list: list(), name: name(), by_name: true },
            ListQuery::ByUpdate(list()),
            ListQuery::NeverUpdated(list()),
        ]
    }

    /// The place of an image in a run, by its definition; `None` where the run does not hold the image.
    fn expected_cursor(run: &ListQuery, image: &Image) -> Option<Cursor> {
        let name = image.details.name.clone().unwrap();
        let values = match run {
            ListQuery::ByCreation(_) | ListQuery::Lookup(_) => vec![],
            ListQuery::ByOwner(_, owner) if *owner == image.owner => vec![],
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
            for run in list_queries() {
                let sort_key = sort_key(&one, run.index().unwrap());
                // The place of any image may be asked for, in the run or not: as another list merged with it gives it.
                let after = Cursor {
                    values: match &run {
                        ListQuery::ByName(_) | ListQuery::WithName { by_name: true, .. } => vec![after.details.name.clone().unwrap()],
                        ListQuery::ByUpdate(_) | ListQuery::NeverUpdated(_) => vec![sortable_time(after.updated)],
                        _ => vec![],
                    },
                    position: Position { created: after.created, image: after.id.clone() },
                };
                let place = expected_cursor(&run, &one);
                let read = sort_key.as_ref().and_then(|text| run.cursor(text).unwrap());
                let in_range = |order| sort_key.as_ref().is_some_and(|text| {
                    run.range(Some(&after), order).is_some_and(|(above, below)| {
                        above.is_none_or(|above| *text > above) && below.is_none_or(|below| *text < below)
                    })
                });
                if let Some(place) = &place {
                    prop_assert_eq!(read.as_ref(), Some(place), "{:?}", run);
                    prop_assert_eq!(in_range(Order::OldestFirst), *place > after, "{:?}", run);
                    prop_assert_eq!(in_range(Order::NewestFirst), *place < after, "{:?}", run);
                } else if !matches!(run, ListQuery::WithName { .. }) {
                    prop_assert_eq!(read, None, "{:?}", run);
                }
            }
        }

        #[test]
        fn sort_key_parser_accepts_any_text(text in "(\\PC|#|\u{1}){0,40}", value in "\\PC{0,20}") {
            let after = Cursor { values: vec![value], position: Position::parse("5#i").unwrap() };
            for run in list_queries() {
                let _ = (run.cursor(&text), run.range(Some(&after), Order::OldestFirst));
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
            "what waits is listed by creation only"
        );
    }
}
