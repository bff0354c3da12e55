# One role per function, which may do with the table what that function does, and write its own log. docs/permissions.md says
# why.

locals {
  # Function to action to resource (the table, or an index) to the prefixes of partition keys. The tests record what the functions
  # do, and hold the file to it.
  table_permissions = jsondecode(file("${path.module}/permissions.json"))

  table_statements = {
    for name in local.functions : name => flatten([
      for action, resources in local.table_permissions[name] : [
        for resource, prefixes in resources : merge(
          {
            Sid      = "${action}${title(resource)}"
            Effect   = "Allow"
            Action   = ["dynamodb:${action}"]
            Resource = [resource == "table" ? aws_dynamodb_table.this.arn : "${aws_dynamodb_table.this.arn}/index/${resource}"]
          },
          # Without the second condition, a call without partition keys would satisfy the first one.
          !contains(resource == "table" ? ["all", "table"] : ["all"], var.partition_key_conditions) ? {} : {
            Condition = {
              "ForAllValues:StringLike" = { "dynamodb:LeadingKeys" = [for prefix in prefixes : endswith(prefix, "#") ? "${prefix}*" : prefix] }
              Null                      = { "dynamodb:LeadingKeys" = "false" }
            }
          },
        )
      ]
    ])
  }

  statements = {
    for name in local.functions : name => concat(
      local.table_statements[name],
      [
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.function[name].arn}:*"]
        },
      ],
      !contains([local.worker, local.effects], name) ? [] : [
        {
          Sid      = "Stream"
          Effect   = "Allow"
          Action   = ["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]
          Resource = [aws_dynamodb_table.this.stream_arn]
        },
        {
          # AWS has no resource for this action.
          Sid      = "Streams"
          Effect   = "Allow"
          Action   = ["dynamodb:ListStreams"]
          Resource = ["*"]
        },
        {
          Sid      = "FailedBatches"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = [aws_sqs_queue.failed_batches.arn]
        },
      ],
      name != local.effects || !var.publish_events ? [] : [
        {
          Sid      = "Publish"
          Effect   = "Allow"
          Action   = ["events:PutEvents"]
          Resource = [local.event_bus_arn]
        },
      ],
      name != local.image_events ? [] : [
        {
          Sid      = "FailedEvents"
          Effect   = "Allow"
          Action   = ["sqs:SendMessage"]
          Resource = [aws_sqs_queue.failed_events.arn]
        },
      ],
      local.secret_statements[name],
      !local.function_settings[name].tracing ? [] : [
        {
          # Nor for these.
          Sid      = "Tracing"
          Effect   = "Allow"
          Action   = ["xray:PutTelemetryRecords", "xray:PutTraceSegments"]
          Resource = ["*"]
        },
      ],
      [
        for key in var.kms_key_arn[*] : {
          Sid      = "Key"
          Effect   = "Allow"
          Action   = concat(["kms:Decrypt"], contains(local.workers, name) ? ["kms:GenerateDataKey"] : [])
          Resource = [key]
        }
      ],
    )
  }
}

resource "aws_iam_role" "function" {
  for_each = local.functions

  name                 = "${var.name}-${each.key}"
  description          = "imageshare: the function ${each.key}"
  permissions_boundary = var.permissions_boundary_arn
  tags                 = var.tags

  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "lambda.amazonaws.com" }
    }]
  })
}

resource "aws_iam_role_policy" "function" {
  for_each = local.functions

  name   = "function"
  role   = aws_iam_role.function[each.key].id
  policy = jsonencode({ Version = "2012-10-17", Statement = local.statements[each.key] })
}
