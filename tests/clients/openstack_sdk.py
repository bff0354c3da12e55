"""openstacksdk: share, find, accept, list, reject, unshare, and what its users are told when something is wrong."""

import openstack
from openstack import exceptions

from support import OWNER, RECIPIENT, STRANGER, TOKENS, URL, access_key, expect, image, refused
from support import elsewhere, full_ecs, grant, sealed, vault

# Old versions have no error of its own for 403.
Forbidden = getattr(exceptions, "ForbiddenException", exceptions.HttpException)


def with_token(project, **options):
    """Without Keystone: a token and the endpoint."""
    auth = {"endpoint": URL + "/v2", "token": TOKENS[project]}
    return openstack.connect(
        auth_type="admin_token", auth=auth, load_yaml_config=False, load_envvars=False, **options
    )


def with_password(project):
    """With Keystone's words: an access key as user and its secret as password."""
    key, secret = access_key(project)
    auth = {
        "auth_url": URL + "/v3",
        "username": key,
        "password": secret,
        "project_id": project,
        "user_domain_id": "default",
    }
    return openstack.connect(auth_type="v3password", auth=auth, load_yaml_config=False, load_envvars=False)


def rules(owner, recipient):
    """What is refused for another reason than who asks."""
    encrypted, key = sealed("openstacksdk, encrypted")
    refused(
        "a key not granted",
        Forbidden,
        lambda: owner.image.add_member(encrypted, member=RECIPIENT),
        "/v1/keys/{key_id}/grants/",
        "__system__cmkid",
    )
    grant(key, RECIPIENT)
    expect("granted", owner.image.add_member(encrypted, member=RECIPIENT).status, "pending")
    owner.image.remove_member(RECIPIENT, encrypted)
    far = elsewhere()
    refused(
        "another region",
        exceptions.BadRequestException,
        lambda: owner.image.add_member(image("openstacksdk, far"), member=far),
        f"project {far}: The project is in another region.",
    )
    crowded = full_ecs("openstacksdk, with as many members as may be")
    for number in range(10):
        owner.image.add_member(crowded, member=f"p{number}")
    refused(
        "one member more",
        exceptions.HttpException,
        lambda: owner.image.add_member(crowded, member=RECIPIENT),
        "413",
        f"Image member limit exceeded for image {crowded}",
        "Attempted: 11, Maximum: 10",
    )
    whole = full_ecs("openstacksdk, full-ECS")
    owner.image.add_member(whole, member=RECIPIENT)
    refused(
        "no vault",
        exceptions.BadRequestException,
        lambda: recipient.image.update_member(RECIPIENT, whole, status="accepted"),
        "vault_id: expected",
        "PUT /v1/vaults/{vault_id}",
    )
    # A member of openstacksdk has no vault; whoever has to name one makes the call by its adapter.
    into = {"status": "accepted", "vault_id": vault(60)}
    told = recipient.image.put(f"/images/{whole}/members/{RECIPIENT}", json=into)
    expect("accepted into a vault", (told.status_code, told.json()["status"]), (200, "accepted"))
    refused(
        "a change of what is shared",
        exceptions.ConflictException,
        lambda: owner.image.update_image(whole, __system_disk_backup_gib="50"),
        "Unshare it first",
    )
    owner.image.delete_image(whole)


def journey(owner, recipient, stranger):
    shared = image("openstacksdk")

    def seen(status):
        found = recipient.image.images(visibility="shared", member_status=status)
        return shared in [one.id for one in found]

    expect("share", owner.image.add_member(shared, member=RECIPIENT).status, "pending")
    expect("pending images hold it", seen("pending"), True)
    expect("accepted images hold it", seen("accepted"), False)
    expect("accept", recipient.image.update_member(RECIPIENT, shared, status="accepted").status, "accepted")
    expect("members", [(m.member_id, m.status) for m in owner.image.members(shared)], [(RECIPIENT, "accepted")])
    expect("get a member", owner.image.get_member(RECIPIENT, shared).status, "accepted")
    expect("find a member", owner.image.find_member(RECIPIENT, shared).status, "accepted")
    expect("accepted images hold it", seen("accepted"), True)
    expect("reject", recipient.image.update_member(RECIPIENT, shared, status="rejected").status, "rejected")
    expect("rejected images hold it", seen("rejected"), True)
    expect("show an image that was rejected", recipient.image.get_image(shared).id, shared)

    refused(
        "share twice",
        exceptions.ConflictException,
        lambda: owner.image.add_member(shared, member=RECIPIENT),
        f"Member {RECIPIENT} is duplicated for image {shared}",
    )
    refused(
        "share on",
        Forbidden,
        lambda: recipient.image.add_member(shared, member=STRANGER),
        "You are not authorized to complete add_member action: only the image's owner",
    )
    refused("a stranger's look", exceptions.NotFoundException, lambda: stranger.image.get_image(shared))
    refused(
        "an unknown status",
        exceptions.BadRequestException,
        lambda: recipient.image.update_member(RECIPIENT, shared, status="maybe"),
        'Status must be "pending", "accepted" or "rejected"',
    )
    owner.image.remove_member(RECIPIENT, shared)
    expect("members", list(owner.image.members(shared)), [])
    refused("a removed recipient's look", exceptions.NotFoundException, lambda: recipient.image.get_image(shared))
    refused(
        "unshare twice",
        exceptions.NotFoundException,
        lambda: owner.image.remove_member(RECIPIENT, shared, ignore_missing=False),
    )

    rules(owner, recipient)

    owner.image.add_tag(shared, "golden image")
    owner.image.add_tag(owner.image.get_image(shared), "ü")
    expect("tags", owner.image.get_image(shared).tags, ["golden image", "ü"])
    expect("found by a tag", [one.id for one in owner.image.images(tag="golden image")], [shared])
    owner.image.remove_tag(shared, "golden image")
    expect("tags", owner.image.get_image(shared).tags, ["ü"])
    refused(
        "no such tag",
        exceptions.NotFoundException,
        lambda: owner.image.remove_tag(shared, "golden image"),
        f"Image {shared} has no tag 'golden image'.",
    )
    owner.image.add_member(shared, member=RECIPIENT)
    refused("a recipient's tag", Forbidden, lambda: recipient.image.add_tag(shared, "mine"))
    refused("a stranger's tag", exceptions.NotFoundException, lambda: stranger.image.add_tag(shared, "mine"))

    made = owner.image.create_image(name="made by openstacksdk", visibility="shared", allow_duplicates=True)
    expect("registered", owner.image.get_image(made.id).name, "made by openstacksdk")
    owner.image.update_image(made.id, visibility="private")
    refused(
        "share a private image",
        Forbidden,
        lambda: owner.image.add_member(made.id, member=RECIPIENT),
        f"Not allowed to create members for image {made.id}: Only shared images have members. Its visibility is private",
    )
    owner.image.delete_image(made.id)
    refused("a deleted image", exceptions.NotFoundException, lambda: owner.image.get_image(made.id))

    several = {image(f"page-{number}") for number in range(5)}
    listed = [one.id for one in owner.image.images(limit=2, sort="name:asc") if one.id in several]
    expect("a list over several pages", (len(listed), set(listed)), (5, several))


print("-- with a token")
journey(with_token(OWNER), with_token(RECIPIENT), with_token(STRANGER))
print("-- with a token, and the versions document of the endpoint")
override = {"image_endpoint_override": URL + "/v2"}
journey(*(with_token(project, **override) for project in (OWNER, RECIPIENT, STRANGER)))
print("-- with an access key as user and password")
journey(*(with_password(project) for project in (OWNER, RECIPIENT, STRANGER)))

key, secret = access_key(OWNER)
with_credential = openstack.connect(
    auth_type="v3applicationcredential",
    auth={"auth_url": URL + "/v3", "application_credential_id": key, "application_credential_secret": secret},
    load_yaml_config=False,
    load_envvars=False,
)
expect("an access key as application credential", with_credential.current_project_id, OWNER)
bought = openstack.connect(
    auth_type="v3token",
    auth={"auth_url": URL + "/v3", "token": with_credential.auth_token, "project_id": OWNER},
    load_yaml_config=False,
    load_envvars=False,
)
expect("a token for a token", len(list(bought.image.images(limit=1, paginated=False))), 1)

wrong = {"auth_url": URL + "/v3", "username": "nobody", "password": "wrong", "project_id": OWNER, "user_domain_id": "default"}
refused(
    "a wrong password",
    Exception,
    lambda: openstack.connect(auth_type="v3password", auth=wrong, load_yaml_config=False, load_envvars=False).authorize(),
    "401",
)
bad = openstack.connect(auth_type="admin_token", auth={"endpoint": URL + "/v2", "token": "bad"}, load_yaml_config=False, load_envvars=False)
refused("a bad token", Exception, lambda: list(bad.image.images()), "401")
