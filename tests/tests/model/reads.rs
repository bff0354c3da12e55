//! What a client reads in a schedule of faults: everything as in the model, or a 503. No page leaves anything out,
//! however DynamoDB divides its results.

use std::collections::BTreeSet;

use imageshare::domain::{Audience, JobId, Outcome, Status, TenantId, Visibility};
use imageshare_tests::deployment::Deployment;
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::ApiResponse;
use imageshare_tests::local_service::tenant;
use serde_json::{Value, json};

use crate::history::{IMAGES, TENANTS, image_id, owner_of};
use crate::model::{Model, Violation};

/// A read and its expected result.
#[derive(Debug)]
pub struct ExpectedRead {
    event: HttpEvent,
    caller: TenantId,
    items_pointer: &'static str,
    fields: [&'static str; 2],
    expected: BTreeSet<[String; 2]>,
}

/// All reads of the present state, while nothing is in progress.
pub fn expected_reads(model: &Model) -> Vec<ExpectedRead> {
    let members = IMAGES.iter().filter_map(|id| members_read(model, id));
    let received =
        TENANTS.iter().flat_map(|id| Status::ALL.map(|status| received_read(model, &tenant(id), status)));
    let jobs = model.jobs.keys().map(|id| job_read(model, *id));
    let queries = TENANTS.iter().flat_map(|id| {
        [Audience::Owner, Audience::Recipient].map(|side| query_read(model, &tenant(id), side))
    });
    members.chain(received).chain(jobs).chain(queries).collect()
}

/// All memberships of a project's images, or all that it has received.
fn query_read(model: &Model, by: &TenantId, side: Audience) -> ExpectedRead {
    let state = model.state();
    let (mut expected, fields) = match side {
        Audience::Owner => (BTreeSet::new(), ["image_id", "project_id"]),
        Audience::Recipient => (BTreeSet::new(), ["image_id", "status"]),
    };
    for (image, record) in &state.images {
        let is_shown = record.exists && record.visibility == Visibility::Shared;
        for (member, status) in state.members(image).into_iter().filter(|_| is_shown) {
            match side {
                Audience::Owner if record.owner == *by => {
                    expected.insert([image.to_string(), member.to_string()]);
                }
                Audience::Recipient if member == *by => {
                    expected.insert([image.to_string(), status.to_string()]);
                }
                _ => {}
            }
        }
    }
    let route = "POST /v1/{project_id}/memberships/query";
    let event =
        HttpEvent::new(route, &format!("/v1/{by}/memberships/query")).json(&json!({"role": side.as_str()}));
    ExpectedRead { event, caller: by.clone(), items_pointer: "/memberships", fields, expected }
}

/// The members of an image.
fn members_read(model: &Model, id: &str) -> Option<ExpectedRead> {
    let (by, image) = (owner_of(id), image_id(id));
    let record = model.state().image(&image)?;
    let members = model.state().members(&image).into_iter();
    let must_be = members.map(|(tenant, status)| [tenant.to_string(), status.to_string()]).collect();
    let target = format!("/v1/{by}/cloudimages/{image}/members");
    let event = HttpEvent::new("GET /v1/{project_id}/cloudimages/{image_id}/members", &target);
    let look = ExpectedRead {
        event,
        caller: by,
        items_pointer: "/members",
        fields: ["member_id", "status"],
        expected: must_be,
    };
    (record.visibility == Visibility::Shared).then_some(look)
}

/// The images with this status for a tenant.
fn received_read(model: &Model, by: &TenantId, status: Status) -> ExpectedRead {
    let state = model.state();
    let is_shown = |id: &_| state.image(id).is_some_and(|image| image.visibility == Visibility::Shared);
    let images = state.received(by, status).into_iter().filter(is_shown);
    let must_be = images.map(|id| [id.to_string(), "active".to_owned()]).collect();
    let target = format!("/v2/cloudimages?__imagetype=shared&member_status={status}");
    let event = HttpEvent::new("GET /v2/cloudimages", &target);
    ExpectedRead {
        event,
        caller: by.clone(),
        items_pointer: "/images",
        fields: ["id", "status"],
        expected: must_be,
    }
}

/// The results of a job's pairs.
fn job_read(model: &Model, id: JobId) -> ExpectedRead {
    let job = &model.jobs[&id];
    let result = |outcome: Outcome| match outcome {
        Outcome::Done => "success",
        Outcome::Superseded => "overtaken",
        _ => "failed",
    };
    let results =
        job.outcomes.iter().map(|((image, _), outcome)| [image.to_string(), result(*outcome).to_owned()]);
    let target = format!("/v1/{}/jobs/{id}", job.creator);
    let event = HttpEvent::new("GET /v1/{project_id}/jobs/{job_id}", &target);
    let (entries, members) = ("/entities/results", ["image_id", "status"]);
    ExpectedRead {
        event,
        caller: job.creator.clone(),
        items_pointer: entries,
        fields: members,
        expected: results.collect(),
    }
}

impl ExpectedRead {
    /// The request.
    pub fn event(&self) -> HttpEvent {
        self.event.clone().token(&Deployment::token(self.caller.as_str(), "member"))
    }

    /// Checks the response.
    pub fn check(&self, response: &ApiResponse) -> Result<(), Violation> {
        match response.status {
            200 if self.parse_items(&response.body).as_ref() == Some(&self.expected) => Ok(()),
            503 if response.headers.contains_key("retry-after") => Ok(()),
            _ => Err(format!("{self:?}: {response:?}")),
        }
    }

    fn parse_items(&self, body: &Value) -> Option<BTreeSet<[String; 2]>> {
        let entries = body.pointer(self.items_pointer)?.as_array()?;
        let text = |entry: &Value, name| Some(entry[name].as_str()?.to_owned());
        entries
            .iter()
            .map(|entry| Some([text(entry, self.fields[0])?, text(entry, self.fields[1])?]))
            .collect()
    }
}
