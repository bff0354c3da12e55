# The HTTP API. Each route is a resource, instead of all of them the API's `body`: Terraform then detects a changed route, and
# adds one without replacing the others.

resource "aws_apigatewayv2_api" "this" {
  name                         = var.name
  description                  = "imageshare"
  protocol_type                = "HTTP"
  disable_execute_api_endpoint = var.domain != null && !try(var.domain.keep_default_endpoint, false)
  tags                         = var.tags

  dynamic "cors_configuration" {
    for_each = length(var.cors_origins) > 0 ? [var.cors_origins] : []
    content {
      allow_origins  = cors_configuration.value
      allow_methods  = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"]
      allow_headers  = ["authorization", "content-type", "idempotency-key", "if-match", "x-auth-token", "x-project-id"]
      expose_headers = ["etag", "location", "retry-after", "x-openstack-request-id", "x-request-id", "x-subject-token"]
      max_age        = 3600
    }
  }
}

resource "aws_apigatewayv2_integration" "this" {
  for_each = local.http_functions

  api_id                 = aws_apigatewayv2_api.this.id
  integration_type       = "AWS_PROXY"
  integration_uri        = aws_lambda_function.this[each.key].invoke_arn
  payload_format_version = "2.0"
}

resource "aws_apigatewayv2_route" "this" {
  # checkov:skip=CKV_AWS_309:The functions authenticate their callers. Of the credentials they take, an HTTP API knows one.
  for_each = local.routes

  api_id    = aws_apigatewayv2_api.this.id
  route_key = each.key
  target    = "integrations/${aws_apigatewayv2_integration.this[each.value].id}"
}

resource "aws_lambda_permission" "api" {
  for_each = local.http_functions

  statement_id  = "api"
  action        = "lambda:InvokeFunction"
  function_name = aws_lambda_function.this[each.key].function_name
  principal     = "apigateway.amazonaws.com"
  source_arn    = "${aws_apigatewayv2_api.this.execution_arn}/*/*"
}

resource "aws_cloudwatch_log_group" "access" {
  # checkov:skip=CKV_AWS_338:How long a log is kept is a variable; 90 days by default.
  count = var.access_log_retention_days > 0 ? 1 : 0

  # With this prefix the group needs no entry in the account's policy for log delivery, whose size is limited.
  name              = "/aws/vendedlogs/apigateway/${var.name}"
  retention_in_days = var.access_log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

# Never name a stage as the first segment of a path: the API would take `/v2` for the stage `v2`.
resource "aws_apigatewayv2_stage" "default" {
  api_id      = aws_apigatewayv2_api.this.id
  name        = "$default"
  auto_deploy = true
  tags        = var.tags

  default_route_settings {
    throttling_rate_limit  = var.throttling.rate
    throttling_burst_limit = var.throttling.burst
  }

  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access
    content {
      destination_arn = access_log_settings.value.arn
      # No query: it may hold a signature. Every byte is paid: CloudWatch has the time, and the function's line, by the same
      # request_id, the route and how long it took.
      format = jsonencode({
        request_id        = "$context.requestId"
        client            = "$context.identity.sourceIp"
        user_agent        = "$context.identity.userAgent"
        method            = "$context.httpMethod"
        path              = "$context.path"
        status            = "$context.status"
        response_bytes    = "$context.responseLength"
        response_ms       = "$context.responseLatency"
        integration_error = "$context.integrationErrorMessage"
        gateway_error     = "$context.error.message"
      })
    }
  }

  lifecycle {
    # Every deployment that `auto_deploy` makes changes it.
    ignore_changes = [deployment_id]
  }
}

resource "aws_apigatewayv2_domain_name" "this" {
  count = var.domain == null ? 0 : 1

  domain_name = var.domain.name
  tags        = var.tags

  domain_name_configuration {
    certificate_arn = var.domain.certificate_arn
    endpoint_type   = "REGIONAL"
    security_policy = "TLS_1_2"
  }
}

resource "aws_apigatewayv2_api_mapping" "this" {
  count = var.domain == null ? 0 : 1

  api_id      = aws_apigatewayv2_api.this.id
  domain_name = aws_apigatewayv2_domain_name.this[0].id
  stage       = aws_apigatewayv2_stage.default.id
}

resource "aws_route53_record" "this" {
  for_each = try(var.domain.zone_id, null) == null ? toset([]) : toset(["A", "AAAA"])

  zone_id = var.domain.zone_id
  name    = var.domain.name
  type    = each.key

  alias {
    name                   = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].target_domain_name
    zone_id                = aws_apigatewayv2_domain_name.this[0].domain_name_configuration[0].hosted_zone_id
    evaluate_target_health = false
  }
}
