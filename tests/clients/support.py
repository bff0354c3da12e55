"""What every journey of a real client needs: where the server is, who takes part, and how to expect things.

The test run (`tests/tests/clients/journeys.rs`) starts `imageshare serve` and gives its URL and a token for each project.
"""

import datetime
import importlib.metadata
import os
import time
import unittest.mock
import uuid

import requests

URL = os.environ["IMAGESHARE_URL"]
HOST = URL.split("://", 1)[1]
REGION = os.environ["IMAGESHARE_REGION"]
OWNER, RECIPIENT, STRANGER, ADMIN = "own1", "mem1", "str1", "ops"
PROJECTS = (OWNER, RECIPIENT, STRANGER, ADMIN)
TOKENS = {project: os.environ[f"IMAGESHARE_TOKEN_{project.upper()}"] for project in PROJECTS}


def major(package):
    """The major version of a client that is installed: the journeys run with the newest and with the oldest."""
    return int(importlib.metadata.version(package).split(".")[0])


def call(method, path, project, body=None):
    """A plain HTTP call, for what a client has no words for."""
    answer = requests.request(method, URL + path, json=body, headers={"X-Auth-Token": TOKENS[project]}, timeout=300)
    assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
    return answer.json() if answer.content else None


def image(name, project=OWNER, **fields):
    """Registers an image and returns its id."""
    return call("POST", "/v2/images", project, {"name": name, **fields})["id"]


def sealed(name):
    """Registers an image under a key of its owner's, and returns the ids of both."""
    key = f"key-{uuid.uuid4()}"
    return image(name, __system__cmkid=key), key


def grant(key, project):
    """Lets a project use a key of the owner's."""
    return call("PUT", f"/v1/keys/{key}/grants/{project}", OWNER)["grant"]


def full_ecs(name):
    """Registers a full-ECS image whose backups take 60 GiB, and returns its id."""
    fields = {"__backup_id": "b-1", "__system_disk_backup_gib": "40", "__data_disk_backup_gib": "20"}
    return image(name, __whole_image="true", **fields)


def vault(gib, project=RECIPIENT):
    """Makes a vault for backups and returns its id."""
    put = {"protection_type": "backup", "capacity_gib": gib}
    return call("PUT", f"/v1/vaults/v-{uuid.uuid4()}", project, put)["vault"]["vault_id"]


def reserved(vault, project=RECIPIENT):
    """How much of a vault is promised to accepted images, in GiB."""
    return call("GET", f"/v1/vaults/{vault}", project)["vault"]["reserved_gib"]


def elsewhere():
    """Enters a project of another region in the directory, and returns its id."""
    project = f"far-{uuid.uuid4()}"
    call("PUT", f"/v1/tenants/{project}", ADMIN, {"account": project, "project": "far", "region": "eu-de"})
    return project


def access_key(project):
    """Makes an access key for a project and returns its id and its secret."""
    made = call("POST", "/v1/access-keys", project, {"name": f"journey-{uuid.uuid4()}"})
    return made["id"], made["secret"]


def expect(what, found, wanted):
    """Says what was found, and fails if it is not what was wanted."""
    print(f"{what}: {found!r}")
    assert found == wanted, f"{what}: expected {wanted!r}, found {found!r}"


def refused(what, kind, call, *says):
    """Expects a call to raise that kind of error, whose text says all of that; returns the error."""
    try:
        call()
    except kind as error:
        print(f"{what}: {type(error).__name__}: {error}")
        for text in says:
            assert text in str(error), f"{what}: {text!r} is not in {error}"
        return error
    raise AssertionError(f"{what}: was not refused")


def until(what, condition, seconds=300):
    """Waits until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: not so after {seconds} s"
        time.sleep(0.02)


class AnHourAgo(datetime.datetime):
    """The time on a machine whose clock is an hour behind."""

    @classmethod
    def utcnow(cls):
        return super().utcnow() - datetime.timedelta(hours=1)


def an_hour_behind(module):
    """Lets a module of a client think that it is an hour ago."""
    return unittest.mock.patch.object(module, "datetime", AnHourAgo)
