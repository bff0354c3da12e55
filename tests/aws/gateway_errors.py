"""What the users of real clients see where an HTTP API words an error itself: `{"message": …}` and a status, no code of the
service. A small server stands in for the API; it knows its versions, and answers everything else so."""

import http.server
import json
import threading

import openstack
from alibabacloud_ecd20200930 import models as ecd
from alibabacloud_ecd20200930.client import Client as EcdClient
from alibabacloud_tea_openapi.models import Config
from glanceclient import Client as GlanceClient
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkims.v2 import ImsClient
from huaweicloudsdkims.v2 import model as ims

MESSAGES = {
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class Api(http.server.BaseHTTPRequestHandler):
    """The stand-in. `status` is what it answers next."""

    status = 429

    def handle_any(self):
        self.rfile.read(int(self.headers.get("content-length") or 0))
        if self.path.rstrip("/") == "/v2":
            link = {"rel": "self", "href": URL + "/v2/"}
            self.answer(200, {"versions": [{"id": "v2.17", "status": "CURRENT", "links": [link]}]})
        else:
            self.answer(Api.status, {"message": MESSAGES[Api.status]})

    do_GET = do_POST = handle_any

    def answer(self, status, body):
        body = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
HOST = f"127.0.0.1:{server.server_port}"
URL = f"http://{HOST}"


def share_by_ims():
    client = ImsClient.new_builder().with_credentials(BasicCredentials("id", "secret", "own1")).with_endpoint(URL).build()
    body = ims.BatchAddMembersRequestBody(images=["i-1"], projects=["mem1"])
    client.batch_add_members(ims.BatchAddMembersRequest(body=body))


def share_by_ecd():
    config = Config(access_key_id="id", access_key_secret="secret", endpoint=HOST, protocol="http", region_id="local")
    request = ecd.ModifyImagePermissionRequest(region_id="local", image_id="i-1", add_account=["1"])
    EcdClient(config).modify_image_permission(request)


def list_by_openstack():
    auth = {"endpoint": URL + "/v2", "token": "token"}
    # It would ask five times more where the status is 503.
    settings = {"image_api_version": "2", "image_status_code_retries": 0}
    list(openstack.connect(auth_type="admin_token", auth=auth, **settings).image.images())


def list_by_glance():
    list(GlanceClient("2", endpoint=URL, token="token").images.list())


def error_of(call):
    """What a call raises."""
    try:
        call()
    except Exception as error:  # noqa: BLE001
        return error
    raise AssertionError(f"{call.__name__} was not refused")


for status, message in MESSAGES.items():
    Api.status = status
    for call in (share_by_ims, share_by_ecd, list_by_openstack):
        error = error_of(call)
        print(f"{call.__name__}, {status}: {type(error).__name__}: {error}")
        assert error.status_code == status, f"{call.__name__}: {error.status_code}"
        assert message in str(error), f"{call.__name__} hides the message: {error}"
    # glanceclient reads errors as Glance words them, and trips over any other.
    error = error_of(list_by_glance)
    print(f"list_by_glance, {status}: {type(error).__name__}: {error}")
    assert str(error) == "'str' object has no attribute 'get'", error
