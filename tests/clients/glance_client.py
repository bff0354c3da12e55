"""python-glanceclient and its command `glance`, which asks for a schema after every call on members."""

import subprocess
import sys
from pathlib import Path

from support import OWNER, RECIPIENT, STRANGER, TOKENS, URL, elsewhere, expect, full_ecs, grant, image, major
from support import sealed

COMMAND = str(Path(sys.executable).with_name("glance"))


def glance(project, *arguments, fails=False):
    """Runs the command in a project's name and returns what it says."""
    options = ["--os-image-api-version", "2", "--os-image-url", URL, "--os-auth-token", TOKENS.get(project, project)]
    ended = subprocess.run([COMMAND, *options, *arguments], capture_output=True, text=True, timeout=600, check=False)
    said = ended.stdout + ended.stderr
    print(f"$ glance {' '.join(arguments)}\n{said}", end="")
    assert (ended.returncode != 0) == fails, f"glance {arguments}: exit {ended.returncode}"
    return said


def row(table, *cells):
    """Whether a row of a table holds those cells."""
    return any(all(cell in line for cell in cells) for line in table.splitlines())


shared = image("glanceclient")
expect("share", row(glance(OWNER, "member-create", shared, RECIPIENT), shared, RECIPIENT, "pending"), True)
pending = glance(RECIPIENT, "image-list", "--visibility", "shared", "--member-status", "pending")
expect("the pending list holds it", row(pending, shared), True)
expect("accept", row(glance(RECIPIENT, "member-update", shared, RECIPIENT, "accepted"), "accepted"), True)
expect("list", row(glance(OWNER, "member-list", "--image-id", shared), RECIPIENT, "accepted"), True)
if major("python-glanceclient") > 3:
    expect("get", row(glance(OWNER, "member-get", shared, RECIPIENT), "accepted"), True)
expect("the shared list holds it", row(glance(RECIPIENT, "image-list", "--visibility", "shared"), shared), True)
expect("reject", row(glance(RECIPIENT, "member-update", shared, RECIPIENT, "rejected"), "rejected"), True)
expect("show", row(glance(RECIPIENT, "image-show", shared), "owner", OWNER), True)

again = glance(OWNER, "member-create", shared, RECIPIENT, fails=True)
expect("share twice", f"Member {RECIPIENT} is duplicated for image {shared}" in again, True)
expect("share on", "not authorized" in glance(RECIPIENT, "member-create", shared, STRANGER, fails=True), True)
unseen = glance(STRANGER, "image-show", shared, fails=True)
expect("a stranger's look", f"No image found with ID {shared}" in unseen, True)
glance(STRANGER, "member-list", "--image-id", shared, fails=True)
expect("a bad token", "Invalid OpenStack Identity credentials" in glance("bad", "image-list", fails=True), True)

glance(OWNER, "member-delete", shared, RECIPIENT)
expect("the list is empty", row(glance(OWNER, "member-list", "--image-id", shared), RECIPIENT), False)
glance(OWNER, "member-delete", shared, RECIPIENT, fails=True)

sealed_image, key = sealed("glanceclient, encrypted")
ungranted = glance(OWNER, "member-create", sealed_image, RECIPIENT, fails=True)
expect("a key not granted", "/v1/keys/{key_id}/grants/" in ungranted and "__system__cmkid" in ungranted, True)
grant(key, RECIPIENT)
expect("granted", row(glance(OWNER, "member-create", sealed_image, RECIPIENT), "pending"), True)
whole = full_ecs("glanceclient, full-ECS")
glance(OWNER, "member-create", whole, RECIPIENT)
expect("no vault", "vault_id: expected" in glance(RECIPIENT, "member-update", whole, RECIPIENT, "accepted", fails=True), True)
expect("it still waits", row(glance(OWNER, "member-list", "--image-id", whole), RECIPIENT, "pending"), True)
expect("rejected", row(glance(RECIPIENT, "member-update", whole, RECIPIENT, "rejected"), "rejected"), True)
far = glance(OWNER, "member-create", shared, elsewhere(), fails=True)
expect("another region", "in another region" in far, True)

expect("a property", row(glance(OWNER, "image-update", shared, "--property", "flavour=small"), "flavour", "small"), True)
expect("found by it", row(glance(OWNER, "image-list", "--property-filter", "flavour=small"), shared), True)
several = [image(f"on page {number}", odd="a b&c=é+%41") for number in range(3)]
paged = glance(OWNER, "image-list", "--page-size", "1", "--property-filter", "odd=a b&c=é+%41")
expect("found on every page", [row(paged, one) for one in several], [True] * 3)
tag = "golden, 2026"
expect("a tag", row(glance(OWNER, "image-tag-update", shared, tag), shared, tag), True)
expect("a tag again", row(glance(OWNER, "image-tag-update", shared, tag), shared, tag), True)
expect("found by it", row(glance(OWNER, "image-list", "--tag", tag), shared), True)
unseen = glance(STRANGER, "image-tag-update", shared, tag, fails=True)
expect("a stranger's tag", f"No image found with ID {shared}" in unseen, True)
glance(OWNER, "image-tag-delete", shared, tag)
untagged = glance(OWNER, "image-tag-delete", shared, tag, fails=True)
expect("no such tag", f"Image {shared} has no tag '{tag}'" in untagged, True)
unkept = glance(OWNER, "image-upload", "--file", __file__, shared, fails=True)
expect("an upload", "live elsewhere" in unkept, True)
expect("a download", "HTTPNotFound" in glance(OWNER, "image-download", shared, fails=True), True)
common = ["--os-distro", "debian", "--os-version", "13", "--architecture", "x86_64"]
described = glance(OWNER, "image-create", "--name", "described", "--disk-format", "raw", "--container-format", "bare", *common)
expect("the distribution is kept", row(described, "os_distro", "debian") and row(described, "os_version", "13"), True)
one = next(line.split("|")[2].strip() for line in described.splitlines() if line.startswith("| id "))
fixed = glance(OWNER, "image-update", one, "--disk-format", "qcow2", fails=True)
expect("the format stays", "can be only replaced for a queued image" in fixed, True)
glance(OWNER, "image-delete", shared)
glance(OWNER, "image-show", shared, fails=True)
