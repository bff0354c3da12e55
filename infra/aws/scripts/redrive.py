#!/usr/bin/env python3
"""Carries out the work that the table's stream gave up, and empties the queue that names it.

    redrive.py [--name imageshare] [--timeout 900] [--endpoint-url URL]

A message of the queue NAME-failed-batches holds no work, only a position in the stream, which forgets it after a day. The work is
in the table. So this waits until all of it is old enough for the sweep, has NAME-job-worker sweep until a sweep finds nothing, and
then deletes the messages that it read before.

It makes no attempt more than once: a work item that fails is ended after ten attempts, and sweeps in quick succession would use
them up. If a sweep leaves work open, the messages stay; look at the log, mend the cause, run this again.

Needs the AWS CLI, version 1 or 2; region and profile are those of its environment (AWS_DEFAULT_REGION, AWS_PROFILE). Permissions:
sqs:GetQueueUrl, sqs:GetQueueAttributes, sqs:ReceiveMessage, sqs:ChangeMessageVisibility and sqs:DeleteMessage on the queue,
lambda:InvokeFunction on the function, and with a customer key kms:Decrypt.

Exit status: 0 all work is done, 1 work is left or a call failed, 2 work was ended as failed.
"""

import argparse
import datetime
import json
import pathlib
import subprocess
import sys
import tempfile
import time

# The sweep takes work whose request is older than this, in seconds; and a margin for the clocks of two machines.
OVERDUE_AFTER = 60
MARGIN = 5

# How job-worker tells a sweep from the stream: the event of an EventBridge rule.
SWEEP_EVENT = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {"by": "redrive.py"}}


class Failure(Exception):
    """Something that ends this program, as a sentence for the operator."""


# Arguments of every call of the AWS CLI.
AWS_ARGUMENTS = ["--output", "json"]


def aws(*arguments):
    """Runs the AWS CLI and returns what it prints, as JSON."""
    command = ["aws", *arguments, *AWS_ARGUMENTS]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise Failure("the AWS CLI is not installed: there is no command `aws`") from None
    if ended.returncode:
        raise Failure(f"{' '.join(command[:3])}: {ended.stderr.strip() or ended.stdout.strip()}")
    return json.loads(ended.stdout or "{}")


def receive(queue, timeout):
    """Reads every message of the queue, and hides each from other readers until this program has ended."""
    messages = {}
    while True:
        received = aws(
            "sqs", "receive-message", "--queue-url", queue, "--max-number-of-messages", "10",
            "--visibility-timeout", str(timeout + 120),
        ).get("Messages", [])
        messages.update((message["MessageId"], message) for message in received)
        if not received:
            return list(messages.values())


def of_queue(operation, queue, message, *arguments):
    """Deletes a received message, or changes it."""
    aws("sqs", operation, "--queue-url", queue, "--receipt-handle", message["ReceiptHandle"], *arguments)


def describe(message):
    """The batch that a message names, as a line, and when its last record came, in seconds since the epoch."""
    try:
        body = json.loads(message["Body"])
        batch = body["DDBStreamBatchInfo"]
        last = datetime.datetime.fromisoformat(batch["approximateArrivalOfLastRecord"].replace("Z", "+00:00"))
        why = body.get("requestContext", {}).get("condition", "unknown")
        line = f"{batch.get('batchSize', '?')} records of {batch.get('shardId', '?')}, the last of {last}: {why}"
        return line, last.timestamp()
    except (ValueError, KeyError, TypeError, AttributeError):
        # Not from the stream mapping. It can be no younger than now.
        return f"{message['MessageId']}: not a message of the stream", time.time()


def sweep(function):
    """Has the function sweep once, and returns its report."""
    with tempfile.TemporaryDirectory() as folder:
        event, response = pathlib.Path(folder, "event"), pathlib.Path(folder, "response")
        event.write_text(json.dumps(SWEEP_EVENT))
        # `fileb` is taken as it is by both versions of the CLI. A sweep takes up to 45 seconds.
        invoked = aws(
            "lambda", "invoke", "--function-name", function, "--payload", f"fileb://{event}",
            "--cli-read-timeout", "120", str(response),
        )
        answer = response.read_text()
    if invoked.get("FunctionError"):
        raise Failure(f"{function} failed: {answer}")
    try:
        report = json.loads(answer)
        return {name: int(report[name]) for name in ("carriedOut", "givenUp", "left", "unlistedShards")}
    except (ValueError, KeyError, TypeError):
        raise Failure(f"{function} is no job-worker: it answered {answer}") from None


def sweep_until_nothing_is_found(function, deadline):
    """Sweeps until a sweep finds nothing, and returns how many work items were done and how many ended as failed."""
    done = ended = 0
    while True:
        report = sweep(function)
        print(
            f"sweep: {report['carriedOut']} work items done, {report['givenUp']} ended as failed, "
            f"{report['left']} left, {report['unlistedShards']} of 4 parts of the index unread", flush=True,
        )
        done, ended = done + report["carriedOut"], ended + report["givenUp"]
        if report["left"] or report["unlistedShards"]:
            raise Failure(
                f"work is left, and the messages stay in the queue. The log of {function} says why; "
                "the scheduled sweep goes on, and ends a work item after ten attempts"
            )
        if not report["carriedOut"] and not report["givenUp"]:
            return done, ended
        if time.monotonic() > deadline:
            raise Failure("the time is over, and the messages stay in the queue: run this again")


def redrive(name, timeout):
    """Does all of it. Returns the exit status."""
    deadline = time.monotonic() + timeout
    queue = aws("sqs", "get-queue-url", "--queue-name", f"{name}-failed-batches")["QueueUrl"]
    messages = receive(queue, timeout)
    print(f"{len(messages)} messages in {queue}")
    youngest = 0.0
    for message in messages:
        line, last = describe(message)
        youngest = max(youngest, last)
        print(f"  {line}")
    wait = youngest + OVERDUE_AFTER + MARGIN - time.time()
    if wait > 0:
        print(f"waiting {wait:.0f} s: the sweep takes work that is older than {OVERDUE_AFTER} s", flush=True)
        time.sleep(wait)
    try:
        done, ended = sweep_until_nothing_is_found(f"{name}-job-worker", deadline)
    except Failure:
        # The alarm counts what readers can see.
        for message in messages:
            of_queue("change-message-visibility", queue, message, "--visibility-timeout", "0")
        raise
    for message in messages:
        of_queue("delete-message", queue, message)
    left = aws(
        "sqs", "get-queue-attributes", "--queue-url", queue,
        "--attribute-names", "ApproximateNumberOfMessages",
    )["Attributes"]["ApproximateNumberOfMessages"]
    print(f"{done} work items done, {ended} ended as failed, {len(messages)} messages deleted, {left} left")
    if ended:
        print(
            "jobs that were ended as failed stay so; their callers repeat the request. Which they are:\n"
            f"  aws logs filter-log-events --log-group-name /aws/lambda/{name}-job-worker "
            "--filter-pattern '{ $.message = \"work item ended as failed\" }' --query 'events[].message'"
        )
    return 2 if ended else 0


def main():
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--name", default="imageshare", help="the deployment's name, as in the module (imageshare)")
    words.add_argument("--timeout", type=int, default=900, help="seconds after which no further sweep begins (900)")
    # Version 1 of the CLI looks for SQS at an address of its own, whatever AWS_ENDPOINT_URL says.
    words.add_argument("--endpoint-url", help="the address of every AWS API, if it is not AWS's own")
    arguments = words.parse_args()
    if arguments.endpoint_url:
        AWS_ARGUMENTS.extend(["--endpoint-url", arguments.endpoint_url])
    try:
        return redrive(arguments.name, arguments.timeout)
    except Failure as failure:
        print(f"redrive.py: {failure}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
