"""JSON patches are JSON to schemathesis too."""

import json

import schemathesis

PATCHES = [f"application/openstack-images-v2.{minor}-json-patch" for minor in (0, 1)]


@schemathesis.serializer(*PATCHES)
def json_patch(_context, value):
    """The bytes of a patch."""
    return json.dumps(value).encode()
