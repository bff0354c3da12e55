"""The command `openstack`, which insists on Keystone: an access key is its user, the secret its password."""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from support import OWNER, RECIPIENT, STRANGER, URL, access_key, expect, full_ecs, image, sealed

COMMAND = str(Path(sys.executable).with_name("openstack"))
KEYS = {project: access_key(project) for project in (OWNER, RECIPIENT, STRANGER)}


def openstack(project, *arguments, fails=False):
    """Runs the command in a project's name and returns what it says."""
    key, secret = KEYS[project]
    options = {
        "auth-type": "v3password",
        "auth-url": URL + "/v3",
        "username": key,
        "password": secret,
        "user-domain-id": "default",
        "project-id": project,
    }
    words = [word for name, value in options.items() for word in (f"--os-{name}", value)]
    command = [COMMAND, *words, *arguments]
    ended = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False)
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
openstack(RECIPIENT, "image", "set", "--accept", shared, "--project", RECIPIENT)
members = rows(OWNER, "image", "member", "list", shared)
expect("members", [(one["Member ID"], one["Status"]) for one in members], [(RECIPIENT, "accepted")])
openstack(RECIPIENT, "image", "set", "--reject", shared, "--project", RECIPIENT)
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
    expect("why there is nothing to save", "live-elsewhere" in nothing, True)
    expect("no refusal is saved as an image", saved.exists() and saved.read_bytes(), b"")

encrypted, _ = sealed("openstack command, encrypted")
ungranted = openstack(OWNER, "image", "add", "project", encrypted, RECIPIENT, fails=True)
expect("a key not granted", "/v1/keys/{key_id}/grants/" in ungranted, True)
whole = full_ecs("openstack command, full-ECS")
openstack(OWNER, "image", "add", "project", whole, RECIPIENT)
unplaced = openstack(RECIPIENT, "image", "set", "--accept", whole, "--project", RECIPIENT, fails=True)
expect("no vault", "vault_id: expected" in unplaced, True)
