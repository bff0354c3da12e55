# The policies as the module makes them. tests/tests/aws/policies.rs reads them from the output of this test, and checks them.

mock_provider "aws" {
  mock_resource "aws_iam_role" {
    defaults = { arn = "arn:aws:iam::000000000000:role/imageshare" }
  }
  mock_resource "aws_dynamodb_table" {
    defaults = {
      arn        = "arn:aws:dynamodb:eu-central-1:000000000000:table/imageshare"
      stream_arn = "arn:aws:dynamodb:eu-central-1:000000000000:table/imageshare/stream/2026-01-01T00:00:00.000"
    }
  }
  mock_resource "aws_lambda_function" {
    defaults = {
      arn        = "arn:aws:lambda:eu-central-1:000000000000:function:imageshare"
      invoke_arn = "arn:aws:apigateway:eu-central-1:lambda:path/2015-03-31/functions/arn:aws:lambda:eu-central-1:000000000000:function:imageshare/invocations"
    }
  }
  mock_resource "aws_sqs_queue" {
    defaults = { arn = "arn:aws:sqs:eu-central-1:000000000000:imageshare-failed-batches" }
  }
  mock_resource "aws_cloudwatch_log_group" {
    defaults = { arn = "arn:aws:logs:eu-central-1:000000000000:log-group:/aws/lambda/imageshare" }
  }
  mock_resource "aws_cloudwatch_event_bus" {
    defaults = { arn = "arn:aws:events:eu-central-1:000000000000:event-bus/imageshare" }
  }
  mock_resource "aws_cloudwatch_event_rule" {
    defaults = { arn = "arn:aws:events:eu-central-1:000000000000:rule/imageshare-sweep" }
  }
  mock_resource "aws_apigatewayv2_api" {
    defaults = { execution_arn = "arn:aws:execute-api:eu-central-1:000000000000:api" }
  }
}

variables {
  packages = {
    bucket = "packages"
    hashes = { for name in toset(concat(yamldecode(file("../openapi.yaml"))["x-imageshare-workers"], flatten([for item in values(yamldecode(file("../openapi.yaml")).paths) : [for operation in values(item) : operation["x-imageshare-function"] if can(operation["x-imageshare-function"])]]))) : name => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  tokens            = { jwks_url = "https://issuer.example/jwks.json" }
  function_defaults = { tracing = true }
  kms_key_arn       = "arn:aws:kms:eu-central-1:000000000000:key/1"
}

run "policies" {
  command = apply

  assert {
    condition     = alltrue([for policy in aws_iam_role_policy.function : strcontains(policy.policy, "dynamodb:LeadingKeys")])
    error_message = "A policy names no partition keys."
  }
}

run "policies_without_partition_keys_of_indexes" {
  command = apply

  variables {
    partition_key_conditions = "table"
  }

  assert {
    condition = alltrue(flatten([
      for policy in aws_iam_role_policy.function : [
        for statement in jsondecode(policy.policy).Statement :
        can(statement.Condition["ForAllValues:StringLike"]) == (statement.Resource == ["arn:aws:dynamodb:eu-central-1:000000000000:table/imageshare"])
      ]
    ]))
    error_message = "The table's statements name no partition keys, or others do."
  }
}
