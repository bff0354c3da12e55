"""huaweicloudsdkims with an access key: the batch calls and their jobs, the views, the member reads, Glance's calls, and
the rules of keys, regions and vaults."""

from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.exceptions.exceptions import ClientRequestException, SdkException
from huaweicloudsdkcore.region.region import Region
from huaweicloudsdkcore.signer import signer
from huaweicloudsdkims.v2 import ImsClient
from huaweicloudsdkims.v2 import model as m

from support import OWNER, RECIPIENT, REGION, STRANGER, URL, access_key, an_hour_behind, expect, image, refused, until
from support import elsewhere, full_ecs, grant, reserved, sealed, vault


def client(project, key):
    credentials = BasicCredentials(*key, project)
    return ImsClient.new_builder().with_credentials(credentials).with_endpoint(URL).build()


KEYS = {project: access_key(project) for project in (OWNER, RECIPIENT, STRANGER)}
owner, recipient, stranger = (client(project, KEYS[project]) for project in (OWNER, RECIPIENT, STRANGER))
images = [image("ims one"), image("ims two")]


def job(client, started, wanted="SUCCESS"):
    """Waits for a job by both of its queries and returns it."""
    ended = lambda: client.show_job(m.ShowJobRequest(job_id=started.job_id)).status in ("SUCCESS", "FAIL")
    until(f"job {started.job_id}", ended)
    found = client.show_job_progress(m.ShowJobProgressRequest(job_id=started.job_id))
    expect(f"job {found.job_type}", found.status, wanted)
    return found


def view(status):
    """The images of ours in the recipient's view of that status."""
    request = m.ListImagesRequest(imagetype="shared", visibility="shared", member_status=status)
    return [one.id for one in recipient.list_images(request).images if one.id in images]


def add(client, images, projects):
    body = m.BatchAddMembersRequestBody(images=images, projects=projects)
    return client.batch_add_members(m.BatchAddMembersRequest(body=body))


def answer(client, images, status, project=RECIPIENT, vault=None):
    body = m.BatchUpdateMembersRequestBody(images=images, project_id=project, status=status, vault_id=vault)
    return client.batch_update_members(m.BatchUpdateMembersRequest(body=body))


def remove(client, images, projects):
    body = m.BatchAddMembersRequestBody(images=images, projects=projects)
    return client.batch_delete_members(m.BatchDeleteMembersRequest(body=body))


job(owner, add(owner, images, [RECIPIENT]))
expect("pending", sorted(view("pending")), sorted(images))
job(recipient, answer(recipient, images, "accepted"))
expect("accepted", sorted(view("accepted")), sorted(images))
members = owner.list_image_members(m.ListImageMembersRequest(image_id=images[0], limit=10)).members
expect("members", [(one.member_id, one.status) for one in members], [(RECIPIENT, "accepted")])
shown = owner.show_image_member(m.ShowImageMemberRequest(image_id=images[0], member_id=RECIPIENT))
expect("one member", shown.status, "accepted")
listed = owner.glance_list_image_members(m.GlanceListImageMembersRequest(image_id=images[0])).members
expect("Glance's list", [one.status for one in listed], ["accepted"])
job(recipient, answer(recipient, images[:1], "rejected"))
expect("rejected", view("rejected"), images[:1])
quotas = {one.type: one.quota for one in owner.show_image_quota(m.ShowImageQuotaRequest()).quotas.resources}
wanted = {"image": 1000, "image_shared": -1, "image_member": 256, "image_member_full_ecs": 10, "image_pending": 10000, "image_pending_of_owner": 100}
expect("quotas", quotas, wanted)

failed = job(stranger, answer(stranger, images[:1], "accepted", STRANGER), "FAIL")
expect("an answer to what was not shared", failed.error_code, "IMG.0121")
error = refused("a stranger's share", ClientRequestException, lambda: add(stranger, images, ["x"]))
expect("its code", (error.status_code, error.error_code), (400, "IMG.0027"))
error = refused("sharing with oneself", ClientRequestException, lambda: add(owner, images, [OWNER]))
expect("its code", (error.status_code, error.error_code), (400, "IMG.0076"))
unknown = refused("an unknown job", ClientRequestException, lambda: owner.show_job(m.ShowJobRequest(job_id="nope")))
expect("its code", (unknown.error_code, bool(unknown.request_id)), ("IMG.0023", True))


def told(what, client, status, code, *says):
    """Expects that a share is refused with that status and code, in words that tell the user what to do."""
    error = refused(what, ClientRequestException, lambda: add(client, images, ["x"]), *says)
    expect("its code", (error.status_code, error.error_code, bool(error.request_id)), (status, code, True))


wrong = client(OWNER, (KEYS[OWNER][0], "wrong"))
told("a wrong secret", wrong, 401, "APIGW.0301", "Incorrect IAM authentication information", "check the secret")
told("an unknown key", client(OWNER, ("nobody", "x")), 401, "APIGW.0301", "The access key does not exist: check its id")
told("another's project", client(RECIPIENT, KEYS[OWNER]), 403, "IMG.0026", f"acts for project {OWNER} alone")
with an_hour_behind(signer):
    told("a wrong clock", owner, 401, "APIGW.0301", "more than 15 minutes off: check your clock")


def client_of_region(region):
    """A client that is told no project, and asks which is its own by the name of the region."""
    credentials = BasicCredentials(*KEYS[OWNER]).with_iam_endpoint(URL)
    return ImsClient.new_builder().with_credentials(credentials).with_region(Region(region, URL)).build()


found = client_of_region(REGION).list_images(m.ListImagesRequest(owner=OWNER)).images
expect("without a project", set(images) <= {one.id for one in found}, True)
refused("another region", SdkException, lambda: client_of_region("eu-de"), "Failed to get project id", f"also called {REGION}")

job(owner, remove(owner, images, [RECIPIENT]))
expect("nothing is left", [view(status) for status in ("pending", "accepted", "rejected")], [[], [], []])



def failed(what, started, client, code, *says):
    """Expects that a job fails with that code, in words that tell the user what to do."""
    ended = job(client, started, "FAIL")
    expect(what, ended.error_code, code)
    for text in says:
        expect(f"{ended.fail_reason!r} says {text!r}", text in ended.fail_reason, True)


sealed_image, key = sealed("ims, encrypted")
failed("a key not granted", add(owner, [sealed_image], [RECIPIENT]), owner, "IMG.0099", "/v1/keys/{key_id}/grants/")
grant(key, RECIPIENT)
job(owner, add(owner, [sealed_image], [RECIPIENT]))
waits = m.ListImagesRequest(imagetype="shared", visibility="shared", member_status="pending")
seen = [one.system__cmkid for one in recipient.list_images(waits).images if one.id == sealed_image]
expect("the image's key", seen, [key])

failed("a project of another region", add(owner, images, [elsewhere()]), owner, "IMG.0177", "another region")


def glance_answer(image, status, vault=None):
    body = m.GlanceUpdateImageMemberRequestBody(status=status, vault_id=vault)
    request = m.GlanceUpdateImageMemberRequest(image_id=image, member_id=RECIPIENT, body=body)
    return recipient.glance_update_image_member(request).status


whole, big, small = full_ecs("ims, full-ECS"), vault(60), vault(59)
job(owner, add(owner, [whole], [RECIPIENT]))
for what, into, status, code, says in (
    ("no vault", None, 400, "IMG.0184", "vault_id"),
    ("a vault that is not there", "nowhere", 400, "IMG.0184", "PUT /v1/vaults/{vault_id}"),
    ("a small vault", small, 409, "IMG.0182", "Expand it (capacity_gib)"),
):
    failed(what, answer(recipient, [whole], "accepted", vault=into), recipient, code, says)
    error = refused(what, ClientRequestException, lambda: glance_answer(whole, "accepted", into), says)
    expect("Glance's status", (error.status_code, error.error_code), (status, code))
job(recipient, answer(recipient, [whole], "accepted", vault=big))
expect("reserved", reserved(big), 60)
expect("Glance's reject", (glance_answer(whole, "rejected"), reserved(big)), ("rejected", 0))
expect("Glance's accept into a vault", (glance_answer(whole, "accepted", big), reserved(big)), ("accepted", 60))

all_of_them = [image(f"ims, for all {number}") for number in range(3)]
job(owner, add(owner, all_of_them, [RECIPIENT]))
job(recipient, answer(recipient, ["*"], "accepted"))
expect("nothing waits", recipient.list_images(waits).images, [])

glance = m.GlanceAddImageMemberRequest(image_id=images[0], body=m.GlanceAddImageMemberRequestBody(member=RECIPIENT))
expect("Glance's share", owner.glance_add_image_member(glance).status, "pending")
body = m.GlanceUpdateImageMemberRequestBody(status="accepted")
update = m.GlanceUpdateImageMemberRequest(image_id=images[0], member_id=RECIPIENT, body=body)
expect("Glance's accept", recipient.glance_update_image_member(update).status, "accepted")
owner.glance_delete_image_member(m.GlanceDeleteImageMemberRequest(image_id=images[0], member_id=RECIPIENT))
schema = owner.glance_show_image_member_schemas(m.GlanceShowImageMemberSchemasRequest())
expect("a schema", schema.name, "member")
