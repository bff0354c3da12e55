# The bus of the service's events, how they get there, and which events the service follows.
#
#   table ─► stream ─► effects ─► bus ─► rules of the operator
#   EC2, Image Builder ─► default bus ─┐
#   pipelines, other accounts ─► bus ──┴─► image-events ─► table

locals {
  makes_event_bus = var.event_bus_arn == null && var.publish_events

  # Without a bus they are null.
  event_bus_arn  = var.event_bus_arn == null ? one(aws_cloudwatch_event_bus.this[*].arn) : var.event_bus_arn
  event_bus_name = var.event_bus_arn == null ? one(aws_cloudwatch_event_bus.this[*].name) : reverse(split("/", var.event_bus_arn))[0]

  # The beginnings of the partition keys of items whose changes have effects, as in shared/src/store/changes.rs.
  partitions_with_effects = ["G#", "I#", "J#", "T#"]

  # What image-events is told of: what AWS reports of this account, and what others put on the bus, among them what AWS reports of
  # their accounts. It believes an event of an account that is bound to a tenant.
  cloud_event_types = ["EC2 AMI State Change", "EC2 Image Builder Image State Change"]
  image_event_rules = { for name, rule in local.all_image_event_rules : name => rule if name != "bus" || var.publish_events || var.event_bus_arn != null }
  all_image_event_rules = {
    account = {
      bus     = "default"
      pattern = { source = ["aws.ec2", "aws.imagebuilder"], detail-type = local.cloud_event_types }
    }
    bus = {
      bus = local.event_bus_name
      pattern = {
        source = ["aws.ec2", "aws.imagebuilder", "hashicorp.packer", "imageshare.pipeline", "openstack.glance"]
      }
    }
  }
}

resource "aws_cloudwatch_event_bus" "this" {
  count = local.makes_event_bus ? 1 : 0

  name = var.name
  tags = var.tags
}

resource "aws_lambda_event_source_mapping" "effects" {
  event_source_arn                   = aws_dynamodb_table.this.stream_arn
  function_name                      = aws_lambda_function.this[local.effects].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = 100
  maximum_batching_window_in_seconds = 0
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = -1
  maximum_record_age_in_seconds      = -1
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  # A batch is tried until it succeeds, or its records leave the stream after a day. So it must not hold up others for something
  # that will never succeed: effects itself skips what it cannot read.
  filter_criteria {
    filter {
      pattern = jsonencode({
        dynamodb = { Keys = { pk = { S = [for prefix in local.partitions_with_effects : { prefix = prefix }] } } }
      })
    }
  }

  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failed_batches.arn
    }
  }
}

# Other accounts may put events on the bus, in their own names only: EventBridge sets an event's account.
resource "aws_cloudwatch_event_bus_policy" "senders" {
  count = local.makes_event_bus && length(var.event_senders) > 0 ? 1 : 0

  event_bus_name = local.event_bus_name
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Senders"
      Effect    = "Allow"
      Principal = { AWS = [for account in var.event_senders : "arn:${data.aws_partition.current.partition}:iam::${account}:root"] }
      Action    = "events:PutEvents"
      Resource  = local.event_bus_arn
    }]
  })
}

resource "aws_cloudwatch_event_rule" "images" {
  for_each = local.image_event_rules

  name           = "${var.name}-images-${each.key}"
  description    = "Images that imageshare registers, and removes"
  event_bus_name = each.value.bus
  event_pattern  = jsonencode(each.value.pattern)
  tags           = var.tags
}

resource "aws_cloudwatch_event_target" "images" {
  for_each = local.image_event_rules

  rule           = aws_cloudwatch_event_rule.images[each.key].name
  event_bus_name = each.value.bus
  arn            = aws_lambda_function.this[local.image_events].arn

  dead_letter_config {
    arn = aws_sqs_queue.failed_events.arn
  }
}

resource "aws_lambda_permission" "images" {
  for_each = local.image_event_rules

  statement_id  = "images-${each.key}"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[local.image_events].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.images[each.key].arn
}

# An event that fails is tried twice more; the queue then has it, with its error.
resource "aws_lambda_function_event_invoke_config" "images" {
  function_name                = aws_lambda_function.this[local.image_events].function_name
  maximum_retry_attempts       = 2
  maximum_event_age_in_seconds = 21600

  destination_config {
    on_failure {
      destination = aws_sqs_queue.failed_events.arn
    }
  }

  # Lambda checks that the function may send to the queue.
  depends_on = [aws_iam_role_policy.function]
}

resource "aws_sqs_queue" "failed_events" {
  name                      = "${var.name}-failed-events"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

# EventBridge puts an event there that it cannot deliver to the function.
resource "aws_sqs_queue_policy" "failed_events" {
  queue_url = aws_sqs_queue.failed_events.url
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Sid       = "Undelivered"
      Effect    = "Allow"
      Principal = { Service = "events.amazonaws.com" }
      Action    = "sqs:SendMessage"
      Resource  = aws_sqs_queue.failed_events.arn
      Condition = { ArnEquals = { "aws:SourceArn" = [for rule in aws_cloudwatch_event_rule.images : rule.arn] } }
    }]
  })
}
