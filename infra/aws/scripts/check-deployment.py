#!/usr/bin/env python3
"""Checks a deployment from outside: what only a real gateway, a real table and real policies can show.

    IMAGESHARE_TOKEN=… check-deployment.py --project PROJECT URL [--json] [--origin URL] [--name NAME] [--burst N]

The token is a `member`'s of that project. It registers an image, shares it with projects that do not exist, and removes all of it
again; an access key that it makes is disabled at the end. It prints a line for each check:

    ok         as expected
    known      not as a local server answers, but as the README of the module says of an HTTP API
    DIFFERENT  otherwise: what was expected, and what was seen

--origin    one of the module's `cors_origins`: checks what a browser asks first
--burst     sends so many requests at once, to see what the API's throttling answers
--name      the deployment's name: also looks at it with the AWS CLI (region, profile and endpoint from its environment)

It needs Python 3.8 or later and nothing else. Exit status: 0 no check is DIFFERENT, 1 one is, 2 the checks could not be made.
"""

import argparse
import base64
import concurrent.futures
import hashlib
import hmac
import http.client
import json
import os
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.parse
import uuid

CHECKS = []

# A work item that the stream brings is done in seconds. The sweep would find it after one minute, at the next full one.
MAX_STREAM_SECONDS = 30
MAX_JOB_SECONDS = 180

# As many as a request may name. Two images with so many are more than a transaction holds, so that the job goes through the
# stream.
RECIPIENTS = [f"check-{number}" for number in range(100)]


class Different(Exception):
    """A check that saw something else than expected."""


class Known(Exception):
    """A check that saw what the README says of an HTTP API."""


def check(expected):
    """Makes a function a check. Its doc string names it; it returns what it saw."""

    def register(function):
        CHECKS.append((function, expected))
        return function

    return register


class Response:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    def json(self):
        try:
            return json.loads(self.body)
        except ValueError:
            raise Different(f"{self.status} with a body that is not JSON: {self.body[:200]!r}") from None

    def expect(self, *statuses):
        """Returns this response if its status is one of them."""
        if self.status not in statuses:
            raise Different(f"{self.status} {self.body[:300].decode(errors='replace')}")
        return self

    def __str__(self):
        return f"{self.status} {self.body[:160].decode(errors='replace')}"


class Deployment:
    """The deployment under check, and what the checks make in it."""

    def __init__(self, arguments, token):
        self.arguments, self.token, self.project = arguments, token, arguments.project
        self.url = urllib.parse.urlsplit(arguments.url.rstrip("/"))
        if self.url.scheme not in ("http", "https") or not self.url.hostname or self.url.path:
            raise ValueError("URL: expected http://HOST[:PORT] or https://HOST[:PORT], without a path")
        self.image = None
        self.images = []
        self.access_keys = []

    def send(self, method, path, body=None, headers=None, token=True):
        """One request, with its path exactly as it stands here."""
        if self.url.scheme == "https":
            connection = http.client.HTTPSConnection(
                self.url.hostname, self.url.port, timeout=60, context=ssl.create_default_context())
        else:
            connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=60)
        headers = dict(headers or {})
        if token:
            headers.setdefault("X-Auth-Token", self.token)
        if body is not None and not isinstance(body, bytes):
            headers.setdefault("Content-Type", "application/json")
            body = json.dumps(body).encode()
        try:
            connection.request(method, path, body=body, headers=headers)
            return Response(connection.getresponse())
        except (OSError, http.client.HTTPException) as problem:
            raise Different(f"no answer to {method} {path[:60]}: {problem!r}") from None
        finally:
            connection.close()

    def finish(self, response):
        """Waits for the job that a batch request has named. Returns the job and the seconds it took."""
        job, begin = response.expect(200).json()["job_id"], time.monotonic()
        while True:
            found = self.send("GET", f"/v1/{self.project}/jobs/{job}").expect(200).json()
            seconds = time.monotonic() - begin
            if found["status"] == "SUCCESS":
                return found, seconds
            if found["status"] == "FAIL" or seconds > MAX_JOB_SECONDS:
                raise Different(f"after {seconds:.1f} s the job is {json.dumps(found)[:300]}")
            time.sleep(0.25)

    def clean_up(self):
        for key in self.access_keys:
            self.send("DELETE", f"/v1/access-keys/{key}")
        for image in self.images:
            self.send("DELETE", f"/v2/images/{image}")

    def register(self):
        body = {
            "name": "check-deployment", "disk_format": "qcow2", "container_format": "bare", "tags": ["check-deployment"],
        }
        self.images.append(self.send("POST", "/v2/images", body).expect(201).json()["id"])
        return self.images[-1]


# What the gateway routes


@check("200")
def health(deployment):
    """GET /health and GET /ready arrive, without a token"""
    return [deployment.send("GET", path, token=False).expect(200).status for path in ("/health", "/ready")]


@check("the same status with and without the slash")
def trailing_slash(deployment):
    """paths that end in a slash arrive at their function"""
    seen = {}
    for path in ("/v3/", "/v2/"):
        with_slash, without = (deployment.send("GET", form) for form in (path, path.rstrip("/")))
        seen[path] = with_slash.status
        if with_slash.status != without.status:
            raise Different(f"{path}: {with_slash}; without the slash {without.status}")
    return seen


@check("404, an error of the service, with X-Request-Id")
def unknown_path(deployment):
    """an unknown path is answered by the service"""
    response = deployment.send("GET", "/no/such/path").expect(404)
    if "error" not in response.json() or not response.headers.get("X-Request-Id"):
        raise Different(f"{response}, X-Request-Id: {response.headers.get('X-Request-Id')}")
    return f"404, X-Request-Id: {response.headers['X-Request-Id']}"


@check("401 with WWW-Authenticate")
def no_token(deployment):
    """a request without a token names the way to authenticate"""
    response = deployment.send("GET", "/v2/images", token=False).expect(401)
    if not response.headers.get("WWW-Authenticate"):
        renamed = [name for name in response.headers if "authenticate" in name.lower()]
        raise Different(f"401 with {renamed or 'no such header'}")
    return f"401, {response.headers['WWW-Authenticate']}"


@check("200 without a body")
def head(deployment):
    """HEAD is answered as GET"""
    response = deployment.send("HEAD", "/v2/images").expect(200)
    return f"200, {len(response.body)} bytes"


# What arrives of a request


@check("201")
def register(deployment):
    """an image is registered"""
    deployment.image = deployment.register()
    return f"201, {deployment.image}"


def tag(deployment, encoded, known=None):
    """Adds a tag, and reads whether it is what was meant."""
    meant = urllib.parse.unquote(encoded)
    path = f"/v2/images/{deployment.image}/tags/{encoded}"
    response = deployment.send("PUT", path)
    stored = deployment.send("GET", f"/v2/images/{deployment.image}").expect(200).json()["tags"]
    if response.status == 204 and meant in stored:
        deployment.send("DELETE", path).expect(204)
        return f"{response.status}, stored as {meant!r}"
    saw = f"{response}, stored: {stored}"
    if known and known in stored or known == response.status:
        deployment.send("DELETE", f"/v2/images/{deployment.image}/tags/{urllib.parse.quote(meant.split('?')[0])}")
        raise Known(saw)
    raise Different(saw)


@check("204, and stored as `a b`")
def tag_with_space(deployment):
    """%20 in a path arrives as a space"""
    return tag(deployment, "a%20b")


@check("204, and stored as `100%`")
def tag_with_percent(deployment):
    """%25 in a path arrives as a percent sign"""
    return tag(deployment, "100%25")


@check("204, and stored as `100%41`, decoded once")
def tag_with_encoded_percent(deployment):
    """%2541 in a path is decoded once, not twice"""
    return tag(deployment, "100%2541")


@check("204, and stored as `a/b`")
def tag_with_slash(deployment):
    """%2F between two words of a tag arrives as a slash"""
    return tag(deployment, "a%2Fb", known=404)


@check("204, and stored as `a?b`; known: the gateway ends the path there")
def tag_with_question_mark(deployment):
    """%3F in a path arrives as a question mark"""
    return tag(deployment, "a%3Fb", known="a")


@check("204, and stored as `grün+1`")
def tag_with_other_letters(deployment):
    """other letters and a plus in a path arrive as they are"""
    return tag(deployment, "gr%C3%BCn+1")


@check("both images of the query, not one")
def repeated_query(deployment):
    """a name that is twice in the query arrives twice"""
    deployment.send("PUT", f"/v2/images/{deployment.image}/tags/twice").expect(204)
    both = deployment.send("GET", "/v2/images?tag=check-deployment&tag=twice").expect(200).json()["images"]
    none = deployment.send("GET", "/v2/images?tag=check-deployment&tag=no-such-tag").expect(200).json()["images"]
    if [image["id"] for image in both] != [deployment.image] or none:
        raise Different(f"{len(both)} and {len(none)} images instead of 1 and 0")
    return "1 image with both tags, 0 with one of them"


# Sizes


def of_the_gateway(response):
    """A short text of an error, with whether the gateway or the service worded it."""
    try:
        body = json.loads(response.body)
    except ValueError:
        body = {}
    who = "the service" if "error" in body else "the gateway"
    return f"{response.status} of {who}: {response.body[:100].decode(errors='replace')}"


@check("200")
def headers_of_8_kb(deployment):
    """headers of 8 KB arrive"""
    return deployment.send("GET", "/v2/images?limit=1", headers={"X-Padding": "x" * 8000}).expect(200).status


@check("431; known: the gateway's own words")
def headers_of_12_kb(deployment):
    """headers of 12 KB are refused"""
    seen = of_the_gateway(deployment.send("GET", "/v2/images", headers={"X-Padding": "x" * 12000}).expect(431))
    if "the gateway" in seen:
        raise Known(seen)
    return seen


@check("413, of the service")
def body_above_the_operations_limit(deployment):
    """a body of 140 KB is refused by the service"""
    body = {"name": "x" * 140_000}
    seen = of_the_gateway(deployment.send("POST", "/v2/images", body).expect(413))
    if "the gateway" in seen:
        raise Different(seen)
    return seen


@check("413; known: the gateway's own words")
def body_of_7_mb(deployment):
    """a body of 7 MB, more than a function can take, is refused"""
    try:
        seen = of_the_gateway(deployment.send("POST", "/v2/images", {"name": "x" * 7_000_000}).expect(413))
    except Different as different:
        # A server that answers before it has read the body closes the connection.
        if "no answer" in str(different) and ("Broken pipe" in str(different) or "reset" in str(different)):
            raise Known(f"the connection is closed before the body was sent: {different}") from None
        raise
    if "the gateway" in seen:
        raise Known(seen)
    return seen


# What comes back


@check("X-Request-Id and X-Openstack-Request-Id; Date of the gateway")
def response_headers(deployment):
    """the service's headers come back under their names"""
    response = deployment.send("GET", "/v2/images?limit=1").expect(200)
    names = ("X-Request-Id", "X-Openstack-Request-Id", "Content-Type", "Date", "Server")
    seen = {name: response.headers.get(name) for name in names}
    renamed = [name for name in response.headers if "remapped" in name.lower()]
    if not seen["X-Request-Id"] or not seen["X-Openstack-Request-Id"] or renamed:
        raise Different(f"{seen}, renamed: {renamed}")
    return seen


# Lists, each by another index


@check("the image, in each list")
def lists(deployment):
    """lists read every index (policies by leading key let them)"""
    seen = {}
    for path in (
        "/v2/images?tag=check-deployment",
        "/v2/images?sort_key=name&limit=100&owner=" + urllib.parse.quote(deployment.project),
        "/v2/images?sort_key=updated_at&limit=100",
        "/v2/cloudimages?__imagetype=private&limit=100",
        "/v2/cloudimages?name=check-deployment&sort_key=name",
    ):
        images = deployment.send("GET", path).expect(200).json()["images"]
        seen[path] = len(images)
        # In a full page it may be on a later one.
        if not any(image["id"] == deployment.image for image in images) and len(images) < 25:
            raise Different(f"{path}: {len(images)} images, and not {deployment.image}")
    for path in (
        "/v1/cloudimages/quota",
        "/v1/access-keys",
        "/v1/vaults",
        "/v1/keys/check/grants",
        "/v1/messages",
        "/v1/messages?unread=true",
    ):
        seen[path] = deployment.send("GET", path).expect(200).status
    return seen


# Shares and their work


@check("the job's SUCCESS with its first reading")
def small_share(deployment):
    """a share with one project is done with its request"""
    body = {"images": [deployment.image], "projects": [RECIPIENTS[0]]}
    _, seconds = deployment.finish(deployment.send("POST", "/v1/cloudimages/members", body))
    return f"SUCCESS after {seconds:.1f} s"


@check("the job's SUCCESS; its DELETE has a body")
def delete_with_body(deployment):
    """the body of a DELETE arrives"""
    body = {"images": [deployment.image], "projects": [RECIPIENTS[0]]}
    _, seconds = deployment.finish(deployment.send("DELETE", "/v1/cloudimages/members", body))
    members = deployment.send("GET", f"/v2/images/{deployment.image}/members").expect(200).json()["members"]
    if members:
        raise Different(f"the image still has {len(members)} members")
    return f"SUCCESS after {seconds:.1f} s, no members are left"


@check(f"SUCCESS within {MAX_STREAM_SECONDS} s: brought by the stream, not by the sweep")
def stream(deployment):
    """a share of 2 images with 100 projects goes through the stream"""
    body = {"images": [deployment.image, deployment.register()], "projects": RECIPIENTS}
    _, seconds = deployment.finish(deployment.send("POST", "/v1/cloudimages/members", body))
    if seconds > MAX_STREAM_SECONDS:
        raise Different(f"SUCCESS after {seconds:.1f} s: the sweep has done it")
    return f"SUCCESS after {seconds:.1f} s"


@check("the same job twice")
def idempotency(deployment):
    """a repeated request with an Idempotency-Key returns the same job"""
    body = {"images": [deployment.image], "projects": [RECIPIENTS[0]]}
    headers = {"Idempotency-Key": uuid.uuid4().hex}
    jobs = [
        deployment.send("POST", "/v1/cloudimages/members", body, headers).expect(200).json()["job_id"]
        for _ in range(2)
    ]
    if jobs[0] != jobs[1]:
        raise Different(f"two jobs: {jobs}")
    return jobs[0]


# Access keys and signatures


def new_key(deployment):
    response = deployment.send("POST", "/v1/access-keys", {"name": "check-deployment"})
    if response.status >= 400 and "master" in response.body.decode(errors="replace").lower():
        raise Known(f"the deployment has no master keys: {response}")
    key = response.expect(201).json()
    deployment.access_keys.append(key["id"])
    return key["id"], key["secret"]


def sdk_hmac(deployment, method, path, query, key, secret):
    """The headers of a request signed as Huawei Cloud's SDKs do (`SDK-HMAC-SHA256`, `Access=`)."""
    date = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    host = deployment.url.netloc
    canonical = "\n".join([
        method, path + "/", query, f"host:{host}\nx-sdk-date:{date}\n", "host;x-sdk-date",
        hashlib.sha256(b"").hexdigest(),
    ])
    message = f"SDK-HMAC-SHA256\n{date}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
    signature = hmac.new(secret.encode(), message.encode(), hashlib.sha256).hexdigest()
    return {
        "X-Sdk-Date": date,
        "Authorization": f"SDK-HMAC-SHA256 Access={key}, SignedHeaders=host;x-sdk-date, Signature={signature}",
    }


@check("200 with the signature, 401 with another")
def signature(deployment):
    """a signed request is verified: Host, path and query arrive as they were signed"""
    key, secret = new_key(deployment)
    path, query = "/v2/cloudimages", "limit=1&name=a%20b"
    statuses = []
    for secret_or_not in (secret, "x" * 40):
        headers = sdk_hmac(deployment, "GET", path, query, key, secret_or_not)
        statuses.append(deployment.send("GET", f"{path}?{query}", headers=headers, token=False).status)
    if statuses != [200, 401]:
        raise Different(statuses)
    return statuses


# What is looked at on request only


def cors(deployment):
    """a browser may call the API from the origin"""
    headers = {
        "Origin": deployment.arguments.origin,
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "x-auth-token,content-type",
    }
    response = deployment.send("OPTIONS", "/v1/cloudimages/members", headers=headers, token=False)
    allowed = response.headers.get("Access-Control-Allow-Origin")
    if allowed != deployment.arguments.origin:
        raise Different(f"{response}, Access-Control-Allow-Origin: {allowed}")
    return f"{response.status}, {response.headers.get('Access-Control-Allow-Methods')}"


def throttling(deployment):
    """more requests than the API takes get 429"""
    count = deployment.arguments.burst
    with concurrent.futures.ThreadPoolExecutor(max_workers=min(count, 200)) as threads:
        responses = list(threads.map(lambda _: deployment.send("GET", "/health", token=False), range(count)))
    seen = {}
    for response in responses:
        seen[response.status] = seen.get(response.status, 0) + 1
    refused = [response for response in responses if response.status == 429]
    if not refused:
        raise Different(f"{seen}: none was refused")
    return f"{seen}; {of_the_gateway(refused[0])}, Retry-After: {refused[0].headers.get('Retry-After')}"


def aws(*arguments):
    """Runs the AWS CLI and returns what it prints, as JSON."""
    ended = subprocess.run(["aws", *arguments, "--output", "json"], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise Different(f"aws {' '.join(arguments[:2])}: {ended.stderr.strip()[:300]}")
    return json.loads(ended.stdout or "{}")


def access_log(deployment):
    """the gateway's access log has JSON with path, status and latency"""
    group = f"/aws/vendedlogs/apigateway/{deployment.arguments.name}"
    since = str(int((time.time() - 3600) * 1000))
    events = aws("logs", "filter-log-events", "--log-group-name", group, "--start-time", since, "--limit", "20")
    lines = [event["message"] for event in events.get("events", [])]
    if not lines:
        raise Different("no line of the last hour (lines come some minutes late)")
    fields = json.loads(lines[-1])
    missing = [name for name in ("request_id", "path", "status", "response_ms") if not fields.get(name)]
    if missing:
        raise Different(f"without {missing}: {lines[-1]}")
    return lines[-1]


def schedule(deployment):
    """the schedule's sweep is recognised and runs without errors"""
    worker = f"{deployment.arguments.name}-job-worker"
    seen = {}
    for metric in ("Invocations", "Errors"):
        now = time.time()
        stamps = [time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (now - 900, now)]
        points = aws(
            "cloudwatch", "get-metric-statistics", "--namespace", "AWS/Lambda", "--metric-name", metric,
            "--dimensions", f"Name=FunctionName,Value={worker}", "--statistics", "Sum", "--period", "900",
            "--start-time", stamps[0], "--end-time", stamps[1],
        ).get("Datapoints", [])
        seen[metric] = sum(point["Sum"] for point in points)
    if not seen["Invocations"] or seen["Errors"]:
        raise Different(f"in 15 minutes: {seen}")
    return f"in 15 minutes: {seen}"


def sweep(deployment):
    """a sweep that is asked for answers with its report"""
    with tempfile.TemporaryDirectory() as folder:
        event, answer = os.path.join(folder, "event"), os.path.join(folder, "answer")
        with open(event, "w", encoding="utf-8") as file:
            json.dump({"source": "aws.events"}, file)
        invoked = aws(
            "lambda", "invoke", "--function-name", f"{deployment.arguments.name}-job-worker",
            "--payload", f"fileb://{event}", "--log-type", "Tail", answer,
        )
        with open(answer, encoding="utf-8") as file:
            report = json.load(file)
    if invoked.get("FunctionError") or "carriedOut" not in report:
        raise Different(report)
    log = base64.b64decode(invoked.get("LogResult", "")).decode(errors="replace").splitlines()
    cold = [line for line in log if "Init Duration" in line or "initDurationMs" in line]
    return f"{report}; {cold[0].strip() if cold else 'no line on its start: the function was warm, or logs none'}"


def metrics(deployment):
    """CloudWatch has made metrics of the functions' log lines"""
    listed = aws("cloudwatch", "list-metrics", "--namespace", deployment.arguments.name).get("Metrics", [])
    names = sorted({metric["MetricName"] for metric in listed})
    wanted = {"duration_us", "round_trips", "read_units", "write_units"}
    if not wanted <= set(names):
        raise Different(f"{names} (a new metric is listed after some minutes; `metrics = \"none\"` has none)")
    return names


def checks_for(arguments):
    """The checks that these arguments ask for, each with what it expects."""
    checks = list(CHECKS)
    if arguments.origin:
        checks.append((cors, "Access-Control-Allow-Origin with the origin"))
    if arguments.burst:
        checks.append((throttling, "some 200, some 429"))
    if arguments.name:
        checks += [
            (access_log, "a line of this run"),
            (schedule, "invocations, and no errors"),
            (sweep, "carriedOut, givenUp, left, unlistedShards"),
            (metrics, "duration_us, round_trips, read_units, write_units"),
        ]
    return checks


def run(deployment):
    """Makes the checks, prints a line for each, and returns the results."""
    results = []
    for function, expected in checks_for(deployment.arguments):
        try:
            verdict, seen = "ok", function(deployment)
        except Known as known:
            verdict, seen = "known", known
        except Different as different:
            verdict, seen = "DIFFERENT", different
        except (KeyError, TypeError, ValueError, OSError) as problem:
            verdict, seen = "DIFFERENT", f"an answer of another form: {problem!r}"
        result = {"check": function.__name__, "what": function.__doc__, "verdict": verdict}
        result.update(expected=expected, seen=str(seen))
        results.append(result)
        if not deployment.arguments.json:
            print(f"{verdict:9}  {function.__doc__}\n           expected {expected}\n           saw {seen}", flush=True)
    return results


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("url", metavar="URL")
    words.add_argument("--project", required=True, help="the project that the token is for")
    words.add_argument("--json", action="store_true", help="print one JSON array instead of lines")
    words.add_argument("--origin", help="an origin of the module's `cors_origins`")
    words.add_argument("--burst", type=int, help="how many requests to send at once")
    words.add_argument("--name", help="the deployment's name, to look at it with the AWS CLI")
    arguments = words.parse_args()
    token = os.environ.get("IMAGESHARE_TOKEN", "")
    try:
        if not token:
            raise ValueError("IMAGESHARE_TOKEN: put a token of the project there")
        deployment = Deployment(arguments, token)
        response = deployment.send("GET", "/v2/images?limit=1")
        if response.status in (401, 403):
            raise ValueError(f"IMAGESHARE_TOKEN: the deployment refuses the token: {response}")
    except (ValueError, Different) as problem:
        print(f"check-deployment.py: {problem}", file=sys.stderr)
        return 2
    try:
        results = run(deployment)
    finally:
        deployment.clean_up()
    if arguments.json:
        print(json.dumps(results, indent=1, ensure_ascii=False))
    else:
        verdicts = [result["verdict"] for result in results]
        print(", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in ("ok", "known", "DIFFERENT")))
    return 1 if any(result["verdict"] == "DIFFERENT" for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
