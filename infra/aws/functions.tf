# One function per package. What each may do is in iam.tf.

locals {
  function_settings = {
    for name in local.functions : name => {
      memory_mb            = coalesce(try(var.functions[name].memory_mb, null), var.function_defaults.memory_mb)
      timeout_seconds      = coalesce(try(var.functions[name].timeout_seconds, null), contains(local.workers, name) ? 60 : var.function_defaults.timeout_seconds)
      tracing              = coalesce(try(var.functions[name].tracing, null), var.function_defaults.tracing)
      log_level            = coalesce(try(var.functions[name].log_level, null), var.function_defaults.log_level)
      log_retention_days   = coalesce(try(var.functions[name].log_retention_days, null), var.function_defaults.log_retention_days)
      reserved_concurrency = try(var.functions[name].reserved_concurrency, null)
    }
  }

  public_url = try(coalesce(var.public_url, "https://${var.domain.name}"), var.public_url)

  # The variables of every function, and of those that authenticate callers. Empty ones are left out: a function treats them
  # as not set.
  worker_environment = {
    IMAGESHARE_TABLE             = aws_dynamodb_table.this.name
    IMAGESHARE_LIMITS            = join(",", [for name, limit in var.limits : "${name}=${limit}"])
    IMAGESHARE_DIRECTORY         = var.directory_complete ? "complete" : null
    IMAGESHARE_METRICS_NAMESPACE = { none = null, deployment = var.name, function = "${var.name},by-function" }[var.metrics]
  }
  worker_environments = {
    for name in local.workers : name => merge(
      local.worker_environment,
      name == local.effects && var.publish_events ? { IMAGESHARE_EVENT_BUS = var.event_bus_arn == null ? var.name : var.event_bus_arn } : {},
    )
  }
  http_environment = merge(local.worker_environment, {
    IMAGESHARE_PUBLIC_URL   = local.public_url
    IMAGESHARE_JWKS         = var.tokens.jwks != null ? var.tokens.jwks : var.tokens.jwks_url
    IMAGESHARE_ISSUER       = var.tokens.issuer
    IMAGESHARE_AUDIENCE     = var.tokens.audience
    IMAGESHARE_CLAIMS       = join(",", [for name, claim in var.tokens.claims : "${name}=${claim}"])
    IMAGESHARE_KEYSTONE_URL = var.tokens.keystone_url
    IMAGESHARE_ISSUER_CA    = var.tokens.issuer_ca
  })
  secrets = nonsensitive(length(var.master_keys)) == 0 ? {} : {
    IMAGESHARE_MASTER_KEYS = join(",", [for key in var.master_keys : "${key.id}:${key.key}"])
  }
}

resource "aws_cloudwatch_log_group" "function" {
  for_each = local.functions

  name              = "/aws/lambda/${var.name}-${each.key}"
  retention_in_days = local.function_settings[each.key].log_retention_days
  kms_key_id        = var.kms_key_arn
  tags              = var.tags
}

resource "aws_lambda_function" "this" {
  # checkov:skip=CKV_AWS_116:A request that fails is answered, and work that fails is in the table, where the sweep finds it.
  # checkov:skip=CKV_AWS_117:A function talks to DynamoDB and to the issuers of tokens, and to nothing in a network of the account.
  # checkov:skip=CKV_AWS_272:Whatever identity applies this module can replace the packages, and would have to be the one that signs them.
  for_each = local.functions

  function_name    = "${var.name}-${each.key}"
  description      = "imageshare: ${each.key}"
  role             = aws_iam_role.function[each.key].arn
  runtime          = "provided.al2023"
  handler          = "bootstrap"
  architectures    = [var.architecture]
  filename         = var.packages.directory == null ? null : "${var.packages.directory}/${each.key}.zip"
  s3_bucket        = var.packages.bucket
  s3_key           = var.packages.bucket == null ? null : "${var.packages.prefix}${each.key}.zip"
  source_code_hash = var.packages.directory == null ? var.packages.hashes[each.key] : filebase64sha256("${var.packages.directory}/${each.key}.zip")
  kms_key_arn      = var.kms_key_arn
  tags             = var.tags

  memory_size                    = local.function_settings[each.key].memory_mb
  timeout                        = local.function_settings[each.key].timeout_seconds
  reserved_concurrent_executions = coalesce(local.function_settings[each.key].reserved_concurrency, -1)

  environment {
    variables = merge(
      {
        for name, value in lookup(local.worker_environments, each.key, local.http_environment) :
        name => value if value != null && value != ""
      },
      contains(local.workers, each.key) ? {} : local.secrets,
      { for setting, from in local.function_secret_references[each.key] : setting => from.reference },
      each.key != local.console || var.console == null ? {} : { IMAGESHARE_CONSOLE_CLIENT_ID = var.console.client_id },
      { RUST_LOG = local.function_settings[each.key].log_level },
      var.certificates_file == null ? {} : { SSL_CERT_FILE = var.certificates_file },
    )
  }

  # The functions log JSON. This makes Lambda do so too, and omit its lines for each request.
  logging_config {
    log_format       = "JSON"
    system_log_level = "WARN"
    log_group        = aws_cloudwatch_log_group.function[each.key].name
  }

  tracing_config {
    mode = local.function_settings[each.key].tracing ? "Active" : "PassThrough"
  }

  # A function reads from the table while it initialises, so its role must have its policy by then.
  depends_on = [aws_iam_role_policy.function]
}
