"""Gives the emulator's policy evaluation the condition key dynamodb:LeadingKeys, which it lacks.

The values are the partition keys that a request names: those of the table, and for a query of an index those of that index. A
transaction is authorised part by part, each with its own key. So the emulator's own evaluation of conditions decides.
"""

from functools import wraps
import json

from ministack.core import iam_actions, iam_evaluator

LEADING_KEYS = "dynamodb:LeadingKeys"


class ResourceOfPart(str):
    """The ARN of the table of one part of a transaction, with that part's partition key."""

    keys: list[str]


def text(value):
    return next(iter(value.values()), None) if isinstance(value, dict) else None


def partition_of_item(request):
    item = request.get("Key") or request.get("Item") or {}
    return text(item.get("pk"))


def partition_of_query(request):
    words = request.get("KeyConditionExpression", "").split()
    placeholder = words[2] if len(words) > 2 else None
    return text(request.get("ExpressionAttributeValues", {}).get(placeholder))


def partitions(body):
    request = json.loads(body or b"{}")
    keys = [partition_of_item(request), partition_of_query(request)]
    for table in request.get("RequestItems", {}).values():
        keys += [text(key.get("pk")) for key in table.get("Keys", [])]
    return [key for key in keys if key is not None]


def install():
    """Replaces the emulator's functions, which it imports for each request."""
    service_context = iam_actions.dynamodb_service_context
    transaction_checks = iam_actions.dynamodb_transaction_checks
    enforce = iam_evaluator.enforce

    @wraps(service_context)
    def context_with_keys(body):
        keys = partitions(body)
        return {**service_context(body), **({LEADING_KEYS: keys} if keys else {})}

    @wraps(transaction_checks)
    def checks_with_keys(iam_action, body, region, account_id):
        checks = transaction_checks(iam_action, body, region, account_id)
        parts = json.loads(body or b"{}").get("TransactItems", [])
        requests = [request for part in parts for request in part.values()]
        found = []
        for (action, arn), request in zip(checks, requests, strict=bool(checks)):
            resource = ResourceOfPart(arn)
            resource.keys = [partition_of_item(request)]
            found.append((action, resource))
        return found

    @wraps(enforce)
    def enforce_with_keys(*arguments, resource_arn="*", service_context=None, **options):
        if isinstance(resource_arn, ResourceOfPart):
            service_context = {**(service_context or {}), LEADING_KEYS: resource_arn.keys}
        return enforce(*arguments, resource_arn=resource_arn, service_context=service_context, **options)

    iam_actions.dynamodb_service_context = context_with_keys
    iam_actions.dynamodb_transaction_checks = checks_with_keys
    iam_evaluator.enforce = enforce_with_keys
