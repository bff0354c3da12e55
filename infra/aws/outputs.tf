output "url" {
  description = "Address of the API."
  value       = var.domain == null ? aws_apigatewayv2_api.this.api_endpoint : "https://${var.domain.name}"
}

output "api_id" {
  description = "ID of the HTTP API."
  value       = aws_apigatewayv2_api.this.id
}

output "routes" {
  description = "Routes of the HTTP API: route key to the name of the function."
  value       = local.routes
}

output "domain_target" {
  description = "Where the records of the custom domain must point, if the module does not make them: `name` and Route 53 `zone_id`."
  value = one([for domain in aws_apigatewayv2_domain_name.this : {
    name    = domain.domain_name_configuration[0].target_domain_name
    zone_id = domain.domain_name_configuration[0].hosted_zone_id
  }])
}

output "table_name" {
  description = "Name of the table."
  value       = aws_dynamodb_table.this.name
}

output "table_arn" {
  description = "ARN of the table."
  value       = aws_dynamodb_table.this.arn
}

output "functions" {
  description = "The functions by name: `function_name`, `arn`, `role_name` and `log_group`."
  value = {
    for name in local.functions : name => {
      function_name = aws_lambda_function.this[name].function_name
      arn           = aws_lambda_function.this[name].arn
      role_name     = aws_iam_role.function[name].name
      log_group     = aws_cloudwatch_log_group.function[name].name
    }
  }
}

output "failed_batches_queue_url" {
  description = "URL of the queue that is told of batches of work which the stream gave up."
  value       = aws_sqs_queue.failed_batches.url
}

output "failed_events_queue_url" {
  description = "URL of the queue of events of images that were not carried out, with their errors."
  value       = aws_sqs_queue.failed_events.url
}

output "event_bus_arn" {
  description = "ARN of the bus of the service's events; null without one."
  value       = local.event_bus_arn
}

output "event_bus_name" {
  description = "Name of the bus of the service's events, for rules; null without one."
  value       = local.event_bus_name
}

output "alarm_arns" {
  description = "ARNs of the alarms, by name."
  value       = { for name, alarm in aws_cloudwatch_metric_alarm.this : name => alarm.arn }
}

output "dashboard_name" {
  description = "Name of the CloudWatch dashboard, if there is one."
  value       = one(aws_cloudwatch_dashboard.this[*].dashboard_name)
}

output "metrics_namespace" {
  description = "Namespace of the metrics that CloudWatch makes of the functions' log lines, if there are any."
  value       = var.metrics == "none" ? null : var.name
}

output "access_log_group" {
  description = "Log group of the API's access log, if there is one."
  value       = one(aws_cloudwatch_log_group.access[*].name)
}
