# One role per function, which may do with the table what that function does, and write its own log.

locals {
  read  = ["BatchGetItem", "GetItem", "Query"]
  write = ["ConditionCheckItem", "PutItem", "UpdateItem"]

  # A transaction needs the permissions of its parts.
  table_actions = {
    documents  = ["GetItem"]
    identity   = concat(local.read, ["PutItem", "UpdateItem"])
    images     = concat(local.read, local.write, ["DeleteItem"])
    job-status = local.read
    job-worker = concat(local.read, local.write, ["DeleteItem"])
    permission = concat(local.read, local.write)
    registry   = concat(local.read, local.write, ["DeleteItem"])
    respond    = concat(local.read, local.write)
    share      = concat(local.read, local.write)
    unshare    = concat(local.read, local.write)
  }

  statements = {
    for name in local.functions : name => concat(
      [
        {
          Sid      = "Table"
          Effect   = "Allow"
          Action   = [for action in local.table_actions[name] : "dynamodb:${action}"]
          Resource = concat([aws_dynamodb_table.this.arn], contains(local.table_actions[name], "Query") ? ["${aws_dynamodb_table.this.arn}/index/*"] : [])
        },
        {
          Sid      = "Log"
          Effect   = "Allow"
          Action   = ["logs:CreateLogStream", "logs:PutLogEvents"]
          Resource = ["${aws_cloudwatch_log_group.function[name].arn}:*"]
        },
      ],
      name != local.worker ? [] : [
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
      name == local.worker ? [] : local.secret_statements,
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
          Action   = concat(["kms:Decrypt"], name == local.worker ? ["kms:GenerateDataKey"] : [])
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
