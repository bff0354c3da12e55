//! Compares the API at the end with what it has acknowledged: jobs and their pairs, the owner's views and the
//! guests'.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::owner::Owner;
use super::record::Record;

/// Checks everything that one owner and its guests can see.
pub async fn check_owner(owner: &mut Owner) {
    let record = owner.record().lock().unwrap().clone();
    check_jobs(owner, &record).await;
    check_images(owner, &record).await;
    check_recipients(owner, &record).await;
}

async fn check_jobs(owner: &mut Owner, record: &Record) {
    for (number, request) in record.requests.iter().enumerate() {
        let project = match request.request.operation {
            super::record::Operation::Decide(_) => request.request.recipients[0].clone(),
            _ => record.owner.clone(),
        };
        let (status, job) = owner.read(&project, format!("/v1/{project}/jobs/{}", request.job)).await;
        assert_eq!(status, 200, "{request:?} was acknowledged: {job}");
        let results = job["entities"]["results"].as_array().unwrap();
        assert_eq!(results.len(), request.request.pairs().count(), "{request:?}: {job}");
        let mut failed = false;
        for (result, (image, guest)) in results.iter().zip(request.request.pairs()) {
            assert_eq!((&result["image_id"], &result["project_id"]), (&image[..].into(), &guest[..].into()));
            let is_right = match result["status"].as_str().unwrap() {
                "success" => true,
                "overtaken" => record.may_be_overtaken(number, image, guest),
                _ => {
                    failed = true;
                    record.may_fail(number, image, guest)
                }
            };
            assert!(is_right, "{result} of {request:?}");
        }
        assert_eq!(job["status"], if failed { "FAIL" } else { "SUCCESS" }, "{job}");
        assert!(job["end_time"].is_string(), "{job}");
    }
}

async fn check_images(owner: &mut Owner, record: &Record) {
    let name = record.owner.clone();
    let (_, own) = owner.read(&name, format!("/v2/cloudimages?owner={name}&limit=1000")).await;
    let types: BTreeMap<&str, &Value> = own["images"]
        .as_array()
        .unwrap()
        .iter()
        .map(|i| (i["id"].as_str().unwrap(), &i["__imagetype"]))
        .collect();
    let expected = record.images.iter().map(|(id, members)| (&id[..], members.is_empty()));
    let expected = expected.map(|(id, alone)| (id, if alone { "private" } else { "shared" }));
    assert!(
        types.iter().map(|(id, kind)| (*id, kind.as_str().unwrap())).eq(expected),
        "{types:?} are not {:?}",
        record.images
    );
    for (image, expected) in &record.images {
        let (status, _) = owner.read(&name, format!("/v2/images/{image}")).await;
        assert_eq!(status, 200, "{image} was acknowledged");
        let (_, page) = owner.read(&name, format!("/v1/{name}/cloudimages/{image}/members?limit=1000")).await;
        let members = page["members"].as_array().unwrap().iter();
        let members: BTreeMap<&str, &str> = members
            .map(|member| (member["member_id"].as_str().unwrap(), member["status"].as_str().unwrap()))
            .collect();
        let expected: BTreeMap<&str, &str> =
            expected.iter().map(|(guest, status)| (&guest[..], *status)).collect();
        assert_eq!(members, expected, "members of {image}");
    }
    for image in &record.deleted {
        let (status, _) = owner.read(&name, format!("/v2/images/{image}")).await;
        assert_eq!(status, 404, "the deletion of {image} was acknowledged");
    }
}

async fn check_recipients(owner: &mut Owner, record: &Record) {
    for guest in owner.recipients.clone() {
        for status in ["pending", "accepted", "rejected"] {
            let target = format!("/v2/cloudimages?visibility=shared&member_status={status}&limit=1000");
            let (_, list) = owner.read(&guest, target).await;
            let listed = list["images"].as_array().unwrap().iter();
            let listed: BTreeSet<&str> = listed.map(|image| image["id"].as_str().unwrap()).collect();
            assert_eq!(listed, record.images_with_status(&guest, status), "{status} images of {guest}");
        }
    }
}
