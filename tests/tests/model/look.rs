//! What a client reads in a schedule of faults: all of it as the model has it, or nothing and a 503. No page is left out, however
//! the table divides its answers.

use std::collections::BTreeSet;

use imageshare::domain::{JobId, Outcome, Status, TenantId, Visibility};
use imageshare_tests::events::HttpEvent;
use imageshare_tests::in_process::Answer;
use imageshare_tests::service::tenant;
use imageshare_tests::world::World;
use serde_json::Value;

use crate::history::{IMAGES, TENANTS, image, owner_of};
use crate::model::{Model, Wrong};

/// Something to be read, and what it must be.
#[derive(Debug)]
pub struct Look {
    event: HttpEvent,
    by: TenantId,
    things: &'static str,
    members: [&'static str; 2],
    must_be: BTreeSet<[String; 2]>,
}

/// What there is to be read, now that nothing is under way.
pub fn looks(model: &Model) -> Vec<Look> {
    let members = IMAGES.iter().filter_map(|id| members(model, id));
    let received =
        TENANTS.iter().flat_map(|id| Status::ALL.map(|status| received(model, &tenant(id), status)));
    let jobs = model.jobs.keys().map(|id| job(model, *id));
    members.chain(received).chain(jobs).collect()
}

/// With whom an image is shared.
fn members(model: &Model, id: &str) -> Option<Look> {
    let (by, image) = (owner_of(id), image(id));
    let record = model.state().image(&image)?;
    let members = model.state().members(&image).into_iter();
    let must_be = members.map(|(tenant, status)| [tenant.to_string(), status.to_string()]).collect();
    let target = format!("/v1/{by}/cloudimages/{image}/members");
    let event = HttpEvent::new("GET /v1/{project_id}/cloudimages/{image_id}/members", &target);
    let look = Look { event, by, things: "/members", members: ["member_id", "status"], must_be };
    (record.visibility == Visibility::Shared).then_some(look)
}

/// The images to which a tenant has said that.
fn received(model: &Model, by: &TenantId, status: Status) -> Look {
    let state = model.state();
    let is_shown = |id: &_| state.image(id).is_some_and(|image| image.visibility == Visibility::Shared);
    let images = state.received(by, status).into_iter().filter(is_shown);
    let must_be = images.map(|id| [id.to_string(), "active".to_owned()]).collect();
    let target = format!("/v2/cloudimages?__imagetype=shared&member_status={status}");
    let event = HttpEvent::new("GET /v2/cloudimages", &target);
    Look { event, by: by.clone(), things: "/images", members: ["id", "status"], must_be }
}

/// What a job says of its pairs.
fn job(model: &Model, id: JobId) -> Look {
    let job = &model.jobs[&id];
    let result = |outcome: Outcome| match outcome {
        Outcome::Done => "success",
        Outcome::Overtaken => "overtaken",
        _ => "failed",
    };
    let says = job.says.iter().map(|((image, _), outcome)| [image.to_string(), result(*outcome).to_owned()]);
    let target = format!("/v1/{}/jobs/{id}", job.by);
    let event = HttpEvent::new("GET /v1/{project_id}/jobs/{job_id}", &target);
    let (things, members) = ("/entities/results", ["image_id", "status"]);
    Look { event, by: job.by.clone(), things, members, must_be: says.collect() }
}

impl Look {
    /// The request.
    pub fn event(&self) -> HttpEvent {
        self.event.clone().token(&World::token(self.by.as_str(), "member"))
    }

    /// Holds the answer to what there is.
    pub fn hold(&self, answer: &Answer) -> Result<(), Wrong> {
        match answer.status {
            200 if self.shown(&answer.body).as_ref() == Some(&self.must_be) => Ok(()),
            503 if answer.headers.contains_key("retry-after") => Ok(()),
            _ => Err(format!("{self:?}: {answer:?}")),
        }
    }

    fn shown(&self, body: &Value) -> Option<BTreeSet<[String; 2]>> {
        let things = body.pointer(self.things)?.as_array()?;
        let text = |thing: &Value, name| Some(thing[name].as_str()?.to_owned());
        things
            .iter()
            .map(|thing| Some([text(thing, self.members[0])?, text(thing, self.members[1])?]))
            .collect()
    }
}
