//! The filters of the IMS list (`contract/ims.md` 1.5). An image has to pass all of them. Each compares with the
//! displayed value: an image without an operating system is found by the default that it is shown with.

use super::image;
use crate::domain::{ID_FORMAT, Image, ImageId, Timestamp};
use crate::http::time_filter::{self, TimeFilter};
use crate::http::{ApiError, Query, invalid_parameter};
use crate::usecases::IndexFilter;

/// The properties that a list can be filtered by.
const PROPERTIES: [&str; 17] = [
    "virtual_env_type",
    "architecture",
    "__isregistered",
    "__os_bit",
    "__os_type",
    "__platform",
    "__whole_image",
    "__system__cmkid",
    "__support_diskintensive",
    "__support_highperformance",
    "__support_kvm",
    "__support_kvm_gpu_type",
    "__support_kvm_infiniband",
    "__support_largememory",
    "__support_xen",
    "__support_xen_gpu_type",
    "__support_xen_hana",
];

/// Selects the images that a flavor can boot. IMS has this filter; here it is an error, because the service has no
/// flavors.
const FLAVOR_ID: &str = "flavor_id";

const ENTERPRISE_PROJECT: &str = "enterprise_project_id";

/// Matches every enterprise project.
const ALL_ENTERPRISE_PROJECTS: &str = "all_granted_eps";

/// The statuses of IMS, and whether images have them: here every image is active.
const STATUSES: [(&str, bool); 5] =
    [("active", true), ("queued", false), ("saving", false), ("deleted", false), ("killed", false)];

/// The filters of a request.
#[derive(Debug)]
pub(super) struct Filter {
    pub(super) id: Option<ImageId>,
    name: Option<String>,
    tag: Option<String>,
    container_format: Option<String>,
    disk_format: Option<String>,
    active: Option<bool>,
    protected: Option<bool>,
    min_disk: Option<u32>,
    min_ram: Option<u32>,
    created: Option<TimeFilter>,
    updated: Option<TimeFilter>,
    properties: Vec<(&'static str, String)>,
}

impl Filter {
    pub(super) fn parse(query: &Query) -> Result<Self, ApiError> {
        if query.text(FLAVOR_ID).is_some() {
            let expected = "no value, because this service has no flavors: filter by architecture or by __support_… instead";
            return Err(invalid_parameter(FLAVOR_ID, expected));
        }
        let text = |key| query.text(key).map(str::to_owned);
        let number = |key| query.parse_value(key, "a whole number");
        let properties = PROPERTIES.iter().filter_map(|key| Some((*key, text(key)?)));
        let enterprise = text(ENTERPRISE_PROJECT).filter(|id| id != ALL_ENTERPRISE_PROJECTS);
        Ok(Self {
            id: query.parse_value("id", ID_FORMAT)?,
            name: text("name"),
            tag: text("tag"),
            container_format: text("container_format"),
            disk_format: text("disk_format"),
            active: query.one_of("status", &STATUSES)?,
            protected: query.one_of("protected", &[("true", true), ("false", false)])?,
            min_disk: number("min_disk")?,
            min_ram: number("min_ram")?,
            created: parse_time_filter(query, "created_at")?,
            updated: parse_time_filter(query, "updated_at")?,
            properties: properties.chain(enterprise.map(|id| (ENTERPRISE_PROJECT, id))).collect(),
        })
    }

    /// The part of the filters that the table's indexes can answer.
    pub(super) fn index_filter(&self) -> IndexFilter {
        let one = |text: &Option<String>| text.iter().cloned().collect();
        IndexFilter {
            names: self.name.as_ref().map(|name| vec![name.clone()]),
            tags: one(&self.tag),
            owner: None,
        }
    }

    /// Whether an image passes every filter.
    pub(super) fn matches(&self, image: &Image) -> bool {
        let details = &image.details;
        let property_is = |(name, value): &(&str, String)| image::property(details, name) == Some(value);
        self.active != Some(false)
            && matches_if_set(self.id.as_ref(), &image.id)
            && matches_if_set(self.name.as_deref(), image::name(details))
            && matches_if_set(self.container_format.as_deref(), image::container_format(details))
            && self.disk_format.as_ref().is_none_or(|format| details.disk_format.as_ref() == Some(format))
            && matches_if_set(self.protected.as_ref(), &details.protected)
            && matches_if_set(self.min_disk.as_ref(), &details.min_disk_gib)
            && matches_if_set(self.min_ram.as_ref(), &details.min_ram_mib)
            && self.tag.as_ref().is_none_or(|tag| details.tags.contains(tag))
            && self.created.as_ref().is_none_or(|filter| filter.matches(image.created))
            && self.updated.as_ref().is_none_or(|filter| filter.matches(image.updated))
            && self.properties.iter().all(property_is)
    }
}

fn matches_if_set<T: PartialEq + ?Sized>(filter: Option<&T>, value: &T) -> bool {
    filter.is_none_or(|filter| filter == value)
}

fn parse_time_filter(query: &Query, key: &str) -> Result<Option<TimeFilter>, ApiError> {
    let parse = |text| TimeFilter::parse(text, Timestamp::parse_iso);
    query
        .text(key)
        .map(|text| parse(text).ok_or_else(|| invalid_parameter(key, time_filter::EXPECTED_FORMAT)))
        .transpose()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fixtures::image_with_details;

    fn image() -> Image {
        image_with_details("web")
    }

    fn parse(query: &str) -> Result<Filter, ApiError> {
        Filter::parse(&Query::parse(query).unwrap())
    }

    #[test]
    fn ims_filter_matches_shown_values() {
        for query in [
            "",
            "id=i-1",
            "name=web",
            "tag=b",
            "container_format=bare",
            "disk_format=qcow2",
            "status=active",
            "protected=false",
            "min_disk=40",
            "min_ram=0",
            "__platform=Ubuntu",
            "__os_type=Other",
            "virtual_env_type=FusionCompute",
            "__isregistered=true",
            "enterprise_project_id=0",
            "enterprise_project_id=all_granted_eps",
            "unknown=thing",
            "name=web&tag=a&min_disk=40",
            "created_at=eq:2024-11-06T06:30:00Z",
            "created_at=gte:2024-11-06T06:30:00Z",
            "created_at=lte:2024-11-06T06:30:00Z",
            "created_at=gt:2024-11-06T06:29:59Z",
            "updated_at=lt:2024-11-06T06:30:04Z",
            "updated_at=neq:2024-11-06T06:30:00Z",
            "created_at=gte:2024-11-06T06:30:00.778Z",
            "created_at=gte:2024-11-06%2006:30:00",
        ] {
            assert!(parse(query).unwrap().matches(&image()), "{query}");
        }
    }

    #[test]
    fn ims_filter_does_not_match_other_values() {
        for query in [
            "id=i-2",
            "name=we",
            "name=",
            "tag=c",
            "container_format=ovf",
            "disk_format=raw",
            "status=queued",
            "protected=true",
            "min_disk=39",
            "min_ram=1",
            "__platform=ubuntu",
            "__os_type=Linux",
            "virtual_env_type=Ironic",
            "__whole_image=true",
            "architecture=arm",
            "enterprise_project_id=e-1",
            "name=web&tag=c",
            "created_at=gt:2024-11-06T06:30:00Z",
            "created_at=lt:2024-11-06T06:30:00Z",
            "created_at=neq:2024-11-06T06:30:00Z",
        ] {
            assert!(!parse(query).unwrap().matches(&image()), "{query}");
        }
    }

    #[test]
    fn malformed_ims_filter_is_named() {
        for query in [
            "id=a%23b",
            "status=Active",
            "protected=yes",
            "min_disk=-1",
            "min_ram=1.5",
            "min_disk=",
            "created_at=2024-11-06T06:30:00Z",
            "created_at=after:2024-11-06T06:30:00Z",
            "updated_at=gt:20",
            "updated_at=gt:",
            "flavor_id=s6.small.1",
            "created_at=gt:2024-13-06T06:30:00Z",
        ] {
            let key = query.split('=').next().unwrap();
            let error = format!("{:?}", parse(query).unwrap_err());
            assert!(error.contains(&format!("{key}: expected")), "{error}");
        }
    }
}
