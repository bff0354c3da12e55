# The two triggers of job-worker: the table's stream, for new work, and a schedule, for work that was left over.

resource "aws_sqs_queue" "failed_batches" {
  name                      = "${var.name}-failed-batches"
  message_retention_seconds = 1209600
  sqs_managed_sse_enabled   = var.kms_key_arn == null ? true : null
  kms_master_key_id         = var.kms_key_arn
  tags                      = var.tags
}

resource "aws_lambda_event_source_mapping" "work" {
  event_source_arn                   = aws_dynamodb_table.this.stream_arn
  function_name                      = aws_lambda_function.this[local.worker].arn
  starting_position                  = "TRIM_HORIZON"
  batch_size                         = var.stream.batch_size
  maximum_batching_window_in_seconds = 0
  parallelization_factor             = var.stream.parallel_batches
  bisect_batch_on_function_error     = true
  maximum_retry_attempts             = var.stream.retries
  maximum_record_age_in_seconds      = var.stream.max_record_age_seconds
  function_response_types            = ["ReportBatchItemFailures"]
  tags                               = var.tags

  # Only new items in a partition of open work (`W#` in shared/src/store/keys.rs). Other writes invoke nothing.
  filter_criteria {
    filter {
      pattern = jsonencode({
        eventName = ["INSERT"]
        dynamodb  = { NewImage = { gpk = { S = [{ prefix = "W#" }] } } }
      })
    }
  }

  # The queue receives the position of the batch in the stream. The work itself is in the table, where the sweep finds it.
  destination_config {
    on_failure {
      destination_arn = aws_sqs_queue.failed_batches.arn
    }
  }
}

resource "aws_cloudwatch_event_rule" "sweep" {
  name                = "${var.name}-sweep"
  description         = "Carries out work of imageshare that the stream did not bring to an end"
  schedule_expression = var.sweep_minutes == 1 ? "rate(1 minute)" : "rate(${var.sweep_minutes} minutes)"
  tags                = var.tags
}

resource "aws_cloudwatch_event_target" "sweep" {
  rule = aws_cloudwatch_event_rule.sweep.name
  arn  = aws_lambda_function.this[local.worker].arn

  # No retries: the next sweep finds the same work.
  retry_policy {
    maximum_retry_attempts       = 0
    maximum_event_age_in_seconds = 60
  }
}

resource "aws_lambda_permission" "sweep" {
  statement_id  = "sweep"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[local.worker].function_name
  principal     = "events.amazonaws.com"
  source_arn    = aws_cloudwatch_event_rule.sweep.arn
}

# Lambda would retry a failed sweep.
resource "aws_lambda_function_event_invoke_config" "worker" {
  function_name                = aws_lambda_function.this[local.worker].function_name
  maximum_retry_attempts       = 0
  maximum_event_age_in_seconds = 60
}
