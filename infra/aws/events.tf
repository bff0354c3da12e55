# The bus of the service's events, and how they get there: the table's stream invokes effects, which derives them.

locals {
  event_bus_arn  = var.event_bus_arn == null ? one(aws_cloudwatch_event_bus.this[*].arn) : var.event_bus_arn
  event_bus_name = var.event_bus_arn == null ? one(aws_cloudwatch_event_bus.this[*].name) : reverse(split("/", var.event_bus_arn))[0]

  # The beginnings of the partition keys of items whose changes have effects, as in shared/src/store/changes.rs.
  partitions_with_effects = ["G#", "I#", "J#", "T#"]
}

resource "aws_cloudwatch_event_bus" "this" {
  count = var.event_bus_arn == null ? 1 : 0

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
