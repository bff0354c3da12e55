"""The command `openstack`, which insists on Keystone: an access key is its user, the secret its password."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from support import ADMIN, OWNER, RECIPIENT, STRANGER, URL, access_key, call, expect, full_ecs, image
from support import major, sealed

COMMAND = str(Path(sys.executable).with_name("openstack"))
# Version 5 would make the project that answers the image's owner.
AS_RECIPIENT = ["--project", RECIPIENT] if major("python-openstackclient") > 5 else []
KEYS = {project: access_key(project) for project in (OWNER, RECIPIENT, STRANGER)}


def openstack(project, *arguments, fails=False, scope=None):
    """Runs the command in a project's name and returns what it says. `scope` names the project otherwise than by its id."""
    key, secret = KEYS[project]
    options = {
        "auth-type": "v3password",
        "auth-url": URL + "/v3",
        "username": key,
        "password": secret,
        "user-domain-id": "default",
        **(scope or {"project-id": project}),
    }
    words = [word for name, value in options.items() for word in (f"--os-{name}", value)]
    command = [COMMAND, *words, *arguments]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=600, check=False)
    print(f"$ openstack {' '.join(arguments)}\n{ended.stdout}{ended.stderr}", end="")
    assert (ended.returncode != 0) == fails, f"openstack {arguments}: exit {ended.returncode}"
    return ended.stderr if fails else ended.stdout


def rows(project, *arguments):
    """The rows of a list."""
    return json.loads(openstack(project, *arguments, "-f", "json"))


made = rows(OWNER, "image", "create", "made by openstack command")
expect("create, with nothing to upload", made["status"], "active")
openstack(OWNER, "image", "delete", made["id"])
unkept = openstack(OWNER, "image", "create", "--file", __file__, "with data", fails=True)
expect("create, with data", "live elsewhere" in unkept, True)

shared = image("openstack command")
openstack(OWNER, "image", "add", "project", shared, RECIPIENT)
pending = rows(RECIPIENT, "image", "list", "--shared", "--member-status", "pending")
expect("the pending list holds it", shared in [one["ID"] for one in pending], True)
openstack(RECIPIENT, "image", "set", "--accept", shared, *AS_RECIPIENT)
members = rows(OWNER, "image", "member", "list", shared)
expect("members", [(one["Member ID"], one["Status"]) for one in members], [(RECIPIENT, "accepted")])
openstack(RECIPIENT, "image", "set", "--reject", shared, *AS_RECIPIENT)
expect("show", rows(RECIPIENT, "image", "show", shared)["id"], shared)
openstack(STRANGER, "image", "show", shared, fails=True)
expect("a token", "id" in rows(OWNER, "token", "issue"), True)
openstack(OWNER, "image", "remove", "project", shared, RECIPIENT)
expect("members", rows(OWNER, "image", "member", "list", shared), [])

openstack(OWNER, "image", "set", "--tag", "golden image", "--tag", "old", shared)
openstack(OWNER, "image", "unset", "--tag", "old", shared)
expect("tags", rows(OWNER, "image", "show", shared)["tags"], ["golden image"])
openstack(OWNER, "image", "unset", "--tag", "old", shared, fails=True)

readable = rows(OWNER, "image", "show", "--human-readable", shared)
expect("a size for people", readable["size"], "0")
with tempfile.TemporaryDirectory() as folder:
    saved = Path(folder, "saved.img")
    nothing = openstack(OWNER, "image", "save", "--file", str(saved), shared, fails=True)
    # The oldest names the kind of the failure only.
    expect("why there is nothing to save", "live-elsewhere" in nothing or "InvalidResponse" in nothing, True)
    expect("no refusal is saved as an image", saved.exists() and saved.read_bytes(), b"")

encrypted, _ = sealed("openstack command, encrypted")
ungranted = openstack(OWNER, "image", "add", "project", encrypted, RECIPIENT, fails=True)
expect("a key not granted", "/v1/keys/{key_id}/grants/" in ungranted, True)
whole = full_ecs("openstack command, full-ECS")
openstack(OWNER, "image", "add", "project", whole, RECIPIENT)
unplaced = openstack(RECIPIENT, "image", "set", "--accept", whole, *AS_RECIPIENT, fails=True)
expect("no vault", "vault_id: expected" in unplaced, True)

directory = {OWNER: ("Acme", "web"), RECIPIENT: ("Acme", "Web Shop"), "sol1": ("Solo & Sons", "1234")}
for project, (account, name) in directory.items():
    call("PUT", f"/v1/tenants/{project}", ADMIN, {"account": account, "project": name})
named = image("openstack command, by names")


def members_after(what, *project):
    """With whom the image is shared when the command has added or removed a project."""
    openstack(OWNER, "image", what, "project", named, *project)
    return {one["member_id"] for one in call("GET", f"/v2/images/{named}/members", OWNER)["members"]}


expect("a name", members_after("add", "Web Shop"), {RECIPIENT})
expect("the same name", members_after("remove", "Web Shop"), set())
expect("an id that the directory does not know", members_after("add", STRANGER), {STRANGER})
in_another_account = members_after("add", "--project-domain", "Solo & Sons", "1234")
expect("a name in another account", in_another_account, {STRANGER, "sol1"})
expect("a name that nobody has", "member: expected" in openstack(OWNER, "image", "add", "project", named, "No Shop", fails=True), True)
by_name = {"project-name": "web", "project-domain-name": "Acme"}
expect("a token by the project's name", OWNER in openstack(OWNER, "token", "issue", scope=by_name), True)
other = openstack(OWNER, "token", "issue", scope={"project-id": RECIPIENT}, fails=True)
expect("a token for another project", f"acts for project {OWNER} alone" in other, True)
