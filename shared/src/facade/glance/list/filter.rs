//! The filters of the list. An image has to pass all of them. Each compares with the displayed value. A key without a
//! meaning in Glance is the name of a free property (`contract/glance.md` 2.6).

use super::query::Query;
use crate::domain::{Image, ImageId, Timestamp};
use crate::facade::glance::Error;
use crate::http::time_filter::{self, TimeFilter};
use crate::usecases::IndexFilter;

/// Parameters that are not filters, or that select lists.
const NON_FILTERS: [&str; 9] =
    ["id", "limit", "marker", "member_status", "owner", "sort", "sort_dir", "sort_key", "visibility"];

/// The maximum number of ids in one request.
const MAX_IDS: usize = 300;

type Predicate = Box<dyn Fn(&Image) -> bool + Send + Sync>;

/// The filters of a request.
pub(super) struct Filter {
    /// The requested ids, if there are any.
    pub(super) ids: Option<Vec<ImageId>>,
    /// The part of the filters that the table's indexes can answer.
    pub(super) indexed: IndexFilter,
    predicates: Vec<Predicate>,
}

impl Filter {
    pub(super) fn parse(query: &Query) -> Result<Self, Error> {
        let ids = query.first("id").map(parse_ids).transpose()?;
        let filters = query.pairs().filter(|(key, _)| !NON_FILTERS.contains(key));
        let mut predicates =
            filters.map(|(key, value)| parse_predicate(key, value)).collect::<Result<Vec<_>, _>>()?;
        if query.first("os_hidden").is_none() {
            predicates.push(Box::new(|image| !image.details.hidden));
        }
        let names = query.first("name").map(parse_values).transpose()?;
        let tags = query.all("tag").map(|tag| tag.trim().to_owned()).collect();
        Ok(Self { ids, indexed: IndexFilter { names, tags, owner: None }, predicates })
    }

    /// Whether an image passes every filter.
    pub(super) fn matches(&self, image: &Image) -> bool {
        self.predicates.iter().all(|predicate| predicate(image))
    }
}

fn parse_predicate(key: &str, value: &str) -> Result<Predicate, Error> {
    Ok(match key {
        "name" => one_of_predicate(value, |image| image.details.name.as_deref())?,
        "status" => one_of_predicate(value, |_| Some("active"))?,
        "container_format" => one_of_predicate(value, |image| image.details.container_format.as_deref())?,
        "disk_format" => one_of_predicate(value, |image| image.details.disk_format.as_deref())?,
        "tag" => {
            let tag = value.trim().to_owned();
            Box::new(move |image| image.details.tags.contains(&tag))
        }
        "protected" => {
            let expected = parse_bool(key, value)?;
            Box::new(move |image| image.details.protected == expected)
        }
        "os_hidden" => {
            let expected = parse_bool(key, value)?;
            Box::new(move |image| image.details.hidden == expected)
        }
        "min_disk" => {
            let expected: u64 = parse_number(key, value)?;
            Box::new(move |image| u64::from(image.details.min_disk_gib) == expected)
        }
        "min_ram" => {
            let expected: u64 = parse_number(key, value)?;
            Box::new(move |image| u64::from(image.details.min_ram_mib) == expected)
        }
        // Every image has size 0, since its data live elsewhere.
        "size_min" => {
            let min: i64 = parse_number(key, value)?;
            Box::new(move |_| min <= 0)
        }
        "size_max" => {
            let max: i64 = parse_number(key, value)?;
            Box::new(move |_| max >= 0)
        }
        "changes-since" if !value.is_empty() => {
            return Err(Error::bad_request(
                "The \"changes-since\" filter is no longer available on v2. Use updated_at=gte:2026-11-21T22:46:56Z.",
            ));
        }
        "created_at" => time_predicate(key, value, |image| image.created)?,
        "updated_at" => time_predicate(key, value, |image| image.updated)?,
        property => {
            let (name, value) = (property.to_owned(), value.to_owned());
            Box::new(move |image| image.details.property(&name) == Some(value.as_str()))
        }
    })
}

fn one_of_predicate(value: &str, attribute: fn(&Image) -> Option<&str>) -> Result<Predicate, Error> {
    let values = parse_values(value)?;
    Ok(Box::new(move |image| attribute(image).is_some_and(|shown| values.iter().any(|value| value == shown))))
}

/// The ids of `id=…`. A malformed id matches no image, so it is left out.
fn parse_ids(value: &str) -> Result<Vec<ImageId>, Error> {
    let mut ids: Vec<ImageId> =
        parse_values(value)?.into_iter().filter_map(|text| text.parse().ok()).collect();
    if ids.len() > MAX_IDS {
        return Err(Error::invalid_field("id", &format!("at most {MAX_IDS} ids")));
    }
    ids.sort();
    ids.dedup();
    Ok(ids)
}

/// The values of `in:one,"t,w,o"`, or the one value of any other text, after an optional `eq:`.
///
/// Glance rejects any other word before a colon. Here it is part of the value, so that an image called `app:1` is
/// found.
fn parse_values(text: &str) -> Result<Vec<String>, Error> {
    let Some(mut rest) = text.strip_prefix("in:") else {
        return Ok(vec![text.strip_prefix("eq:").unwrap_or(text).to_owned()]);
    };
    let invalid = |why| Error::bad_request(format!("Invalid filter value {text}. {why}"));
    let mut values = Vec::new();
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            None => rest.split_at(rest.find([',', '"']).unwrap_or(rest.len())),
            Some(quoted) => quoted.split_once('"').ok_or_else(|| invalid("The quote is not closed."))?,
        };
        values.push(value.to_owned());
        rest = match after.strip_prefix(',') {
            Some(next) => next,
            None if after.is_empty() => return Ok(values),
            None => return Err(invalid("There is no comma before or after a quotation mark.")),
        };
    }
}

fn parse_bool(key: &str, value: &str) -> Result<bool, Error> {
    value.to_ascii_lowercase().parse().map_err(|_| {
        Error::bad_request(format!(
            "Invalid value '{value}' for '{key}' filter. Valid values are 'true' or 'false'."
        ))
    })
}

fn parse_number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T, Error> {
    value.parse().map_err(|_| Error::invalid_field(key, "a whole number"))
}

/// A filter by time. A time without an operator has to be equal, to the second.
fn time_predicate(key: &str, value: &str, attribute: fn(&Image) -> Timestamp) -> Result<Predicate, Error> {
    let filter = Timestamp::parse_iso(value)
        .map(TimeFilter::same_second)
        .or_else(|| TimeFilter::parse(value, Timestamp::parse_iso))
        .ok_or_else(|| Error::invalid_field(key, time_filter::EXPECTED_FORMAT))?;
    Ok(Box::new(move |image| filter.matches(attribute(image))))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::http::fixtures::image_with_details;

    fn image() -> Image {
        image_with_details("web:1")
    }

    fn parse(query: &str) -> Result<Filter, Error> {
        Filter::parse(&Query::parse(query).unwrap())
    }

    #[test]
    fn glance_filter_matches_shown_values() {
        for query in [
            "",
            "name=web:1",
            "name=eq:web:1",
            "name=in:db,web:1",
            "name=in:%22db,x%22,%22web:1%22",
            "status=active",
            "disk_format=in:raw,qcow2",
            "tag=b",
            "tag=a&tag=b",
            "protected=false",
            "os_hidden=False",
            "min_disk=40",
            "min_ram=0",
            "__platform=Ubuntu",
            "created_at=2024-11-06T06:30:00Z",
            "created_at=eq:2024-11-06T06:30:00Z",
            "created_at=gte:2024-11-06T07:30:00.5%2B01:00",
            "created_at=gt:2024-11-06T06:29:59",
            "updated_at=lt:2024-11-06T06:30:04Z",
            "updated_at=neq:2024-11-06T06:30:00Z",
            "created_at=2024-11-06T06:30",
            "created_at=gt:2024-11",
            "size_min=0",
            "size_max=9",
        ] {
            assert!(parse(query).unwrap().matches(&image()), "{query}");
        }
    }

    #[test]
    fn glance_filter_does_not_match_other_values() {
        for query in [
            "name=web",
            "name=",
            "name=in:web,1",
            "name=in:",
            "container_format=bare",
            "status=queued",
            "tag=a&tag=c",
            "protected=true",
            "os_hidden=true",
            "min_disk=39",
            "min_ram=1",
            "size_min=1",
            "size_max=-1",
            "checksum=x",
            "__platform=ubuntu",
            "__imagetype=shared",
            "created_at=gt:2024-11-06T06:30:00Z",
            "created_at=lt:2024-11-06T06:30:00Z",
        ] {
            assert!(!parse(query).unwrap().matches(&image()), "{query}");
        }
        let mut hidden = image();
        hidden.details.hidden = true;
        assert!(!parse("").unwrap().matches(&hidden) && parse("os_hidden=true").unwrap().matches(&hidden));
    }

    #[test]
    fn id_list_is_parsed_sorted_and_deduplicated() {
        let ids =
            |query: &str| parse(query).unwrap().ids.map(|ids| ids.iter().map(ToString::to_string).collect());
        assert_eq!(ids(""), None::<Vec<_>>);
        assert_eq!(ids("id=i-1"), Some(vec!["i-1".to_owned()]));
        assert_eq!(ids("id=in:b,a,b,c%23d"), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(ids("id=%20"), Some(vec![]));
        assert!(parse(&format!("id=in:{}", "a,".repeat(301))).is_err());
    }

    #[test]
    fn malformed_glance_filter_is_named() {
        for query in [
            "protected=yes",
            "os_hidden=1",
            "min_disk=-1",
            "min_ram=1.5",
            "size_min=x",
            "size_max=",
            "changes-since=2024-11-06T06:30:00Z",
            "created_at=202411",
            "created_at=after:2024-11-06T06:30:00Z",
            "updated_at=gt:",
            "created_at=gt:2024-13-06T06:30:00Z",
        ] {
            let key = query.split('=').next().unwrap();
            let error = parse(query).err().map(|error| format!("{error:?}")).unwrap();
            assert!(error.contains(key) && error.contains("400"), "{error}");
        }
        for (query, why) in [
            ("name=in:%22a", "The quote is not closed."),
            ("name=in:%22a%22b", "There is no comma"),
            ("name=in:a%22b%22", "There is no comma"),
        ] {
            let error = parse(query).err().map(|error| format!("{error:?}")).unwrap();
            assert!(error.contains(why), "{error}");
        }
    }

    proptest! {
        #[test]
        fn quoted_filter_values_may_contain_commas(names in prop::collection::vec("[a-z ,:.]{0,6}", 1..5)) {
            let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
            prop_assert_eq!(parse_values(&format!("in:{}", quoted.join(","))).unwrap(), names);
        }

        #[test]
        fn filter_parser_never_panics(key in "(name|id|created_at|min_ram|os_hidden|x)", text in "(in:|gt:)?[a,:\"0-9TZ-]{0,20}") {
            let query = format!("{key}={text}");
            let _ = parse(&query).map(|filter| filter.matches(&image()));
        }
    }
}
