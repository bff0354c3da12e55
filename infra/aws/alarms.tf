# The alarms. Each has its metrics by id, and with several an `expression` over them. An alarm is raised if the value is above
# `threshold` in `raise.of` of the last `raise.last` periods. Missing data raises none.

locals {
  essential_alarms = merge(local.common_alarms, var.metrics == "none" ? {} : local.log_alarms)

  # From metrics of job-worker's log (shared/src/function/metrics.rs).
  log_alarms = {
    work-open = {
      description = "Accepted work has been open for minutes, and the sweep has not brought it to an end."
      expression  = null
      threshold   = local.max_open_seconds
      raise       = { period = 60, of = 1, last = 5 }
      metrics = {
        age = { namespace = var.name, name = "oldest_open_work_s", stat = "Maximum", dimensions = local.worker_log_dimensions }
      }
    }
    work-ended = {
      description = "Work was ended as failed, after ten attempts: its job says FAIL, with the pairs that failed."
      expression  = null
      threshold   = 0
      raise       = { period = 60, of = 1, last = 5 }
      metrics = {
        ended = { namespace = var.name, name = "ended_work_items", stat = "Sum", dimensions = local.worker_log_dimensions }
      }
    }
  }

  # Work that the stream has missed waits for a minute and for the next sweep.
  max_open_seconds = max(300, 60 * (var.sweep_minutes + 2))

  common_alarms = {
    server-errors = {
      description = "More than 1 % of the requests, and at least 5 in 5 minutes, are answered with a server error (5xx)."
      expression  = "IF(errors >= 5, 100 * errors / requests, 0)"
      threshold   = 1
      raise       = { period = 300, of = 2, last = 3 }
      metrics = {
        errors   = { namespace = "AWS/ApiGateway", name = "5xx", stat = "Sum", dimensions = local.api_dimensions }
        requests = { namespace = "AWS/ApiGateway", name = "Count", stat = "Sum", dimensions = local.api_dimensions }
      }
    }
    work-waits = {
      description = "Accepted work waits for more than a minute in the table's stream."
      expression  = null
      threshold   = 60000
      raise       = { period = 60, of = 3, last = 3 }
      metrics = {
        age = { namespace = "AWS/Lambda", name = "IteratorAge", stat = "Maximum", dimensions = local.function_dimensions[local.worker] }
      }
    }
    effects-wait = {
      description = "Messages and events are more than five minutes late: effects fails, or cannot keep up."
      expression  = null
      threshold   = 300000
      raise       = { period = 60, of = 3, last = 3 }
      metrics = {
        age = { namespace = "AWS/Lambda", name = "IteratorAge", stat = "Maximum", dimensions = local.function_dimensions[local.effects] }
      }
    }
    work-fails = {
      description = "job-worker fails. The sweep tries the same work again."
      expression  = null
      threshold   = 2
      raise       = { period = 300, of = 2, last = 3 }
      metrics = {
        errors = { namespace = "AWS/Lambda", name = "Errors", stat = "Sum", dimensions = local.function_dimensions[local.worker] }
      }
    }
    work-given-up = {
      description = "The stream has given up a batch of work; the queue says which. The sweep finds the work in the table."
      expression  = null
      threshold   = 0
      raise       = { period = 60, of = 1, last = 1 }
      metrics = {
        batches = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = aws_sqs_queue.failed_batches.name } }
      }
    }
    events-given-up = {
      description = "An event of an image was not carried out; the queue has it, with the reason."
      expression  = null
      threshold   = 0
      raise       = { period = 60, of = 1, last = 1 }
      metrics = {
        events = { namespace = "AWS/SQS", name = "ApproximateNumberOfMessagesVisible", stat = "Maximum", dimensions = { QueueName = aws_sqs_queue.failed_events.name } }
      }
    }
    table-throttles = {
      description = "DynamoDB throttles the table: ten requests or more in 5 minutes."
      expression  = "FILL(reads, 0) + FILL(writes, 0)"
      threshold   = 9
      raise       = { period = 300, of = 2, last = 3 }
      metrics = {
        reads  = { namespace = "AWS/DynamoDB", name = "ReadThrottleEvents", stat = "Sum", dimensions = { TableName = aws_dynamodb_table.this.name } }
        writes = { namespace = "AWS/DynamoDB", name = "WriteThrottleEvents", stat = "Sum", dimensions = { TableName = aws_dynamodb_table.this.name } }
      }
    }
  }

  more_alarms = merge(
    {
      latency = {
        description = "One request in a hundred takes more than 3 seconds."
        expression  = null
        threshold   = 3000
        raise       = { period = 300, of = 2, last = 3 }
        metrics = {
          latency = { namespace = "AWS/ApiGateway", name = "Latency", stat = "p99", dimensions = local.api_dimensions }
        }
      }
      sweep-fails = {
        description = "The schedule cannot start the sweep."
        expression  = null
        threshold   = 0
        raise       = { period = 300, of = 2, last = 3 }
        metrics = {
          failed = { namespace = "AWS/Events", name = "FailedInvocations", stat = "Sum", dimensions = { RuleName = aws_cloudwatch_event_rule.sweep.name } }
        }
      }
    },
    {
      for name in local.functions : "${name}-errors" => {
        description = "More than 1 % of the calls of ${name}, and at least 5 in 5 minutes, fail."
        expression  = "IF(errors >= 5, 100 * errors / calls, 0)"
        threshold   = 1
        raise       = { period = 300, of = 2, last = 3 }
        metrics = {
          errors = { namespace = "AWS/Lambda", name = "Errors", stat = "Sum", dimensions = local.function_dimensions[name] }
          calls  = { namespace = "AWS/Lambda", name = "Invocations", stat = "Sum", dimensions = local.function_dimensions[name] }
        }
      }
    },
    {
      for name in local.functions : "${name}-throttles" => {
        description = "Lambda starts no more instances of ${name}: the concurrency of the account or of the function is used up."
        expression  = null
        threshold   = 0
        raise       = { period = 60, of = 2, last = 3 }
        metrics = {
          throttles = { namespace = "AWS/Lambda", name = "Throttles", stat = "Sum", dimensions = local.function_dimensions[name] }
        }
      }
    },
    {
      for name in local.functions : "${name}-duration" => {
        description = "One call of ${name} in a hundred takes more than 80 % of its time-out."
        expression  = null
        threshold   = local.function_settings[name].timeout_seconds * 800
        raise       = { period = 60, of = 3, last = 3 }
        metrics = {
          duration = { namespace = "AWS/Lambda", name = "Duration", stat = "p99", dimensions = local.function_dimensions[name] }
        }
      }
    },
  )

  alarms = merge(
    { for name, alarm in local.essential_alarms : name => alarm if var.alarms.level != "none" },
    { for name, alarm in local.more_alarms : name => alarm if var.alarms.level == "all" },
  )

  worker_log_dimensions = var.metrics == "function" ? local.function_dimensions[local.worker] : null

  api_dimensions      = { ApiId = aws_apigatewayv2_api.this.id, Stage = aws_apigatewayv2_stage.default.name }
  function_dimensions = { for name in local.functions : name => { FunctionName = aws_lambda_function.this[name].function_name } }
}

resource "aws_cloudwatch_metric_alarm" "this" {
  for_each = local.alarms

  alarm_name          = "${var.name}-${each.key}"
  alarm_description   = each.value.description
  comparison_operator = "GreaterThanThreshold"
  threshold           = each.value.threshold
  evaluation_periods  = each.value.raise.last
  datapoints_to_alarm = each.value.raise.of
  treat_missing_data  = "notBreaching"
  alarm_actions       = var.alarms.topic_arns
  ok_actions          = var.alarms.topic_arns
  tags                = var.tags

  dynamic "metric_query" {
    for_each = each.value.expression[*]
    content {
      id          = "value"
      expression  = metric_query.value
      label       = each.key
      return_data = true
    }
  }

  dynamic "metric_query" {
    for_each = each.value.metrics
    content {
      id          = metric_query.key
      return_data = each.value.expression == null
      metric {
        namespace   = metric_query.value.namespace
        metric_name = metric_query.value.name
        stat        = metric_query.value.stat
        period      = each.value.raise.period
        dimensions  = metric_query.value.dimensions
      }
    }
  }
}
