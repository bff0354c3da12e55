//! The order of the list, in either of Glance's two forms: `sort=name:asc,id:desc`, or `sort_key` and `sort_dir`, each
//! of which may be repeated. Ties are ordered by time and id: in the requested direction, or newest first if there are
//! several.

use super::query::Query;
use crate::facade::glance::Error;
use crate::usecases::{Direction, Sort, SortKey};

/// The sort keys. Status and size are equal for all images here, so there is nothing to sort by.
const SORT_KEYS: [(&str, Option<SortKey>); 8] = [
    ("name", Some(SortKey::Name)),
    ("status", None),
    ("container_format", Some(SortKey::ContainerFormat)),
    ("disk_format", Some(SortKey::DiskFormat)),
    ("size", None),
    ("id", Some(SortKey::Id)),
    ("created_at", Some(SortKey::CreatedAt)),
    ("updated_at", Some(SortKey::UpdatedAt)),
];

/// Parses the requested order.
pub(super) fn parse(query: &Query) -> Result<Sort, Error> {
    let (sort, tie_direction) = match query.first("sort") {
        Some(_) if query.first("sort_key").or(query.first("sort_dir")).is_some() => {
            return Err(Error::bad_request("Old and new sorting syntax cannot be combined"));
        }
        Some(text) => {
            let sort = text.trim().split(',').map(parse_key_and_direction).collect::<Result<Vec<_>, _>>()?;
            let directions: Vec<_> = sort.iter().map(|(_, direction)| *direction).collect();
            (sort, single_direction(&directions))
        }
        None => parse_keys_and_dirs(query)?,
    };
    let mut sort: Sort = sort.into_iter().filter_map(|(key, direction)| Some((key?, direction))).collect();
    // Ties are newest first by default.
    if tie_direction == Direction::Ascending {
        for key in [SortKey::CreatedAt, SortKey::Id] {
            if sort.iter().all(|(candidate, _)| *candidate != key) {
                sort.push((key, tie_direction));
            }
        }
    }
    Ok(sort)
}

/// The direction, if there is exactly one; otherwise the default.
fn single_direction(directions: &[Direction]) -> Direction {
    if let [direction] = directions { *direction } else { Direction::Descending }
}

fn parse_key_and_direction(text: &str) -> Result<(Option<SortKey>, Direction), Error> {
    let (key, word) = text.split_once(':').unwrap_or((text, ""));
    let direction = if word.is_empty() { Direction::Descending } else { parse_direction(word)? };
    Ok((parse_key(key)?, direction))
}

type KeyDirections = Vec<(Option<SortKey>, Direction)>;

fn parse_keys_and_dirs(query: &Query) -> Result<(KeyDirections, Direction), Error> {
    let keys = query.all("sort_key").map(parse_key).collect::<Result<Vec<_>, _>>()?;
    let directions = query.all("sort_dir").map(parse_direction).collect::<Result<Vec<_>, _>>()?;
    if directions.len() > 1 && directions.len() != keys.len() {
        return Err(Error::bad_request("Number of sort dirs does not match the number of sort keys"));
    }
    let keys = if keys.is_empty() { vec![Some(SortKey::CreatedAt)] } else { keys };
    // A single direction applies to every key.
    let default = single_direction(&directions);
    Ok((keys.into_iter().zip(directions.into_iter().chain(std::iter::repeat(default))).collect(), default))
}

fn parse_key(text: &str) -> Result<Option<SortKey>, Error> {
    let found = SORT_KEYS.iter().find(|(name, _)| *name == text.trim()).map(|(_, key)| *key);
    found.ok_or_else(|| {
        let names = SORT_KEYS.map(|(name, _)| name).join(", ");
        let text = text.trim();
        Error::bad_request(format!("Invalid sort key: {text}. It must be one of the following: {names}."))
    })
}

fn parse_direction(text: &str) -> Result<Direction, Error> {
    match text.trim() {
        "asc" => Ok(Direction::Ascending),
        "desc" => Ok(Direction::Descending),
        other => Err(Error::bad_request(format!("Invalid sort direction: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use Direction::{Ascending, Descending};
    use SortKey::{CreatedAt, Id, Name};

    use super::*;

    fn sort(query: &str) -> Result<Sort, String> {
        parse(&Query::parse(query).unwrap()).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn both_sort_syntaxes_are_equivalent() {
        for (query, expected) in [
            ("", vec![(CreatedAt, Descending)]),
            ("sort_dir=asc", vec![(CreatedAt, Ascending), (Id, Ascending)]),
            ("sort_key=name", vec![(Name, Descending)]),
            ("sort=name", vec![(Name, Descending)]),
            ("sort=name:asc", vec![(Name, Ascending), (CreatedAt, Ascending), (Id, Ascending)]),
            ("sort=name:asc,%20id", vec![(Name, Ascending), (Id, Descending)]),
            (
                "sort_key=name&sort_key=id&sort_dir=asc",
                vec![(Name, Ascending), (Id, Ascending), (CreatedAt, Ascending)],
            ),
            (
                "sort_key=name&sort_dir=asc&sort_key=id&sort_dir=desc",
                vec![(Name, Ascending), (Id, Descending)],
            ),
            ("sort=name:asc,id:asc", vec![(Name, Ascending), (Id, Ascending)]),
            ("sort_key=size&sort_key=status", vec![]),
            ("sort_key=size&sort_dir=asc", vec![(CreatedAt, Ascending), (Id, Ascending)]),
        ] {
            assert_eq!(sort(query), Ok(expected), "{query}");
        }
    }

    #[test]
    fn invalid_sort_returns_glance_message() {
        for (query, message) in [
            (
                "sort_key=bogus",
                "Invalid sort key: bogus. It must be one of the following: name, status, container_format, disk_format, size, id, created_at, updated_at.",
            ),
            ("sort=", "Invalid sort key: ."),
            ("sort=name,", "Invalid sort key: ."),
            ("sort_dir=x", "Invalid sort direction: x"),
            ("sort=name:up", "Invalid sort direction: up"),
            ("sort=name&sort_dir=asc", "Old and new sorting syntax cannot be combined"),
            (
                "sort_key=name&sort_dir=asc&sort_dir=asc",
                "Number of sort dirs does not match the number of sort keys",
            ),
        ] {
            assert!(sort(query).unwrap_err().contains(message), "{query}: {:?}", sort(query));
        }
    }
}
