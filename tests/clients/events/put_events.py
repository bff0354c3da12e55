"""boto3's client of EventBridge, unmodified, with the server's bus as its endpoint: with and without a path."""

import json
import os

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

URL = os.environ["IMAGESHARE_URL"]


def client(url=URL + "/events", **options):
    config = Config(retries={"total_max_attempts": 1})
    return boto3.client("events", endpoint_url=url, region_name="eu-west-1", config=config, **options)


def ami(number, **fields):
    detail = {"ImageId": f"ami-{number}", "State": "available", "ErrorMessage": ""}
    return {"Source": "aws.ec2", "DetailType": "EC2 AMI State Change", "Detail": json.dumps(detail), **fields}


def refused(code, call):
    try:
        call()
    except ClientError as problem:
        assert problem.response["Error"]["Code"] == code, problem.response
        assert problem.response["Error"]["Message"], problem.response
    else:
        raise AssertionError(f"not refused with {code}")


for number, url in enumerate([URL + "/events", URL]):
    put = client(url).put_events(Entries=[ami(number)])
    assert put["FailedEntryCount"] == 0, put
    assert len(put["Entries"][0]["EventId"]) == 36, put

bus = "arn:aws:events:eu-west-1:210987654321:event-bus/default"
put = client().put_events(Entries=[ami(2, EventBusName="default"), ami(3, EventBusName=bus)])
assert put["FailedEntryCount"] == 1, put
assert put["Entries"][1]["ErrorCode"] == "AccessDeniedException", put

refused("ValidationException", lambda: client().put_events(Entries=[ami(4)] * 11))
refused("UnknownOperationException", lambda: client().list_rules())
wrong = {"aws_access_key_id": os.environ["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": "wrong"}
refused("InvalidSignatureException", lambda: client(**wrong).put_events(Entries=[ami(5)]))
