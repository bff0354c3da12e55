locals {
  # Title to the metrics of a graph: [namespace, metric, dimension, value, …, options].
  graphs = concat(local.service_graphs, var.metrics == "none" ? [] : local.log_graphs)

  service_graphs = [
    {
      title = "Requests and refusals"
      stat  = "Sum"
      metrics = [
        for metric in ["Count", "4xx", "5xx"] :
        ["AWS/ApiGateway", metric, "ApiId", aws_apigatewayv2_api.this.id, "Stage", aws_apigatewayv2_stage.default.name]
      ]
    },
    {
      title = "Latency of requests (ms)"
      stat  = "p99"
      metrics = [
        for stat in ["p50", "p99"] :
        ["AWS/ApiGateway", "Latency", "ApiId", aws_apigatewayv2_api.this.id, "Stage", aws_apigatewayv2_stage.default.name, { stat = stat, label = stat }]
      ]
    },
    {
      title   = "Duration of functions, p99 (ms)"
      stat    = "p99"
      metrics = [for name in local.functions : ["AWS/Lambda", "Duration", "FunctionName", aws_lambda_function.this[name].function_name]]
    },
    {
      title   = "Errors of functions"
      stat    = "Sum"
      metrics = [for name in local.functions : ["AWS/Lambda", "Errors", "FunctionName", aws_lambda_function.this[name].function_name]]
    },
    {
      title   = "Instances of functions"
      stat    = "Maximum"
      metrics = [for name in local.functions : ["AWS/Lambda", "ConcurrentExecutions", "FunctionName", aws_lambda_function.this[name].function_name]]
    },
    {
      title   = "Age of waiting work and effects (ms)"
      stat    = "Maximum"
      metrics = [for name in [local.worker, local.effects] : ["AWS/Lambda", "IteratorAge", "FunctionName", aws_lambda_function.this[name].function_name]]
    },
    {
      title = "Capacity used"
      stat  = "Sum"
      metrics = [
        for metric in ["ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"] :
        ["AWS/DynamoDB", metric, "TableName", aws_dynamodb_table.this.name]
      ]
    },
    {
      title = "Throttled and conflicting requests of the table"
      stat  = "Sum"
      metrics = [
        for metric in ["ReadThrottleEvents", "WriteThrottleEvents", "TransactionConflict", "ConditionalCheckFailedRequests"] :
        ["AWS/DynamoDB", metric, "TableName", aws_dynamodb_table.this.name]
      ]
    },
  ]

  # From metrics of the functions' log (shared/src/function/metrics.rs): a line for each function, or one for all of them.
  log_graphs = [
    for graph in [
      { title = "Requests refused (4xx)", stat = "Sum", metrics = ["refused"], functions = local.http_functions },
      { title = "Requests failed (5xx)", stat = "Sum", metrics = ["failed"], functions = local.http_functions },
      { title = "Duration of requests, p99 (µs)", stat = "p99", metrics = ["duration_us"], functions = local.http_functions },
      { title = "Calls to the table of a request", stat = "Average", metrics = ["round_trips"], functions = local.http_functions },
      { title = "Capacity of a request", stat = "Average", metrics = ["read_units", "write_units"], functions = local.http_functions },
      { title = "Work items", stat = "Sum", metrics = ["work_items", "failed_work_items", "ended_work_items"], functions = toset([local.worker]) },
      { title = "Oldest open work (s)", stat = "Maximum", metrics = ["oldest_open_work_s"], functions = toset([local.worker]) },
    ] :
    {
      title = graph.title
      stat  = graph.stat
      metrics = [
        for pair in setproduct(graph.metrics, var.metrics == "function" ? graph.functions : toset(["all"])) :
        concat([var.name, pair[0]], var.metrics == "function" ? ["FunctionName", aws_lambda_function.this[pair[1]].function_name] : [])
      ]
    }
  ]
}

resource "aws_cloudwatch_dashboard" "this" {
  count = var.dashboard ? 1 : 0

  dashboard_name = var.name
  dashboard_body = jsonencode({
    widgets = [
      for place, graph in local.graphs : {
        type   = "metric"
        x      = place % 2 * 12
        y      = floor(place / 2) * 6
        width  = 12
        height = 6
        properties = {
          title   = graph.title
          region  = data.aws_region.current.id
          stat    = graph.stat
          period  = 300
          view    = "timeSeries"
          metrics = graph.metrics
        }
      }
    ]
  })
}
