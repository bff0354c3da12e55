# What the variables change, by the plan alone.

mock_provider "aws" {}

variables {
  packages = {
    bucket = "packages"
    hashes = { for name in toset(concat(yamldecode(file("../openapi.yaml"))["x-imageshare-workers"], flatten([for item in values(yamldecode(file("../openapi.yaml")).paths) : [for operation in values(item) : operation["x-imageshare-function"] if can(operation["x-imageshare-function"])]]))) : name => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  tokens = { jwks_url = "https://issuer.example/jwks.json", claims = { project = "tenant", roles = "realm.roles" } }
}

run "defaults" {
  command = plan

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : function.timeout == (contains(local.workers, name) ? 60 : 29) && function.memory_size == 256])
    error_message = "The defaults of memory and time-out are not 256 MB and 29 seconds, 60 for those without a route."
  }

  assert {
    condition     = aws_dynamodb_table.this.deletion_protection_enabled && aws_dynamodb_table.this.point_in_time_recovery[0].enabled
    error_message = "The table is not protected by default."
  }

  assert {
    condition     = aws_lambda_function.this["share"].environment[0].variables == tomap({ IMAGESHARE_TABLE = "imageshare", IMAGESHARE_JWKS = "https://issuer.example/jwks.json", IMAGESHARE_CLAIMS = "project=tenant,roles=realm.roles", IMAGESHARE_METRICS_NAMESPACE = "imageshare", RUST_LOG = "info", SSL_CERT_FILE = "/etc/pki/tls/certs/ca-bundle.crt" })
    error_message = "A function has other environment variables than those that are set."
  }

  assert {
    condition     = length(aws_apigatewayv2_domain_name.this) == 0 && length(aws_apigatewayv2_api.this.cors_configuration) == 0
    error_message = "There is a domain or CORS that was not asked for."
  }
}

run "certificates_are_those_of_the_system_if_no_file_is_named" {
  command = plan

  variables {
    certificates_file = null
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this["share"].environment[0].variables), "SSL_CERT_FILE")
    error_message = "A function reads its root certificates from a file although none is named."
  }
}

run "settings_of_one_function_override_the_defaults" {
  command = plan

  variables {
    function_defaults = { memory_mb = 512, tracing = true }
    functions         = { share = { memory_mb = 1024, reserved_concurrency = 5, log_retention_days = 7, tracing = false } }
  }

  assert {
    condition     = aws_lambda_function.this["share"].memory_size == 1024 && aws_lambda_function.this["share"].reserved_concurrent_executions == 5 && aws_lambda_function.this["unshare"].memory_size == 512
    error_message = "The memory of share is not its own, or that of unshare not the default."
  }

  assert {
    condition     = aws_lambda_function.this["share"].tracing_config[0].mode == "PassThrough" && aws_lambda_function.this["unshare"].tracing_config[0].mode == "Active"
    error_message = "Tracing is not what is set."
  }

  assert {
    condition     = aws_cloudwatch_log_group.function["share"].retention_in_days == 7 && aws_cloudwatch_log_group.function["unshare"].retention_in_days == 90
    error_message = "The retention of logs is not what is set."
  }
}

run "only_callers_functions_have_the_master_keys" {
  command = plan

  variables {
    master_keys = [{ id = "new", key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }, { id = "old", key = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=" }]
  }

  assert {
    condition     = nonsensitive(aws_lambda_function.this["share"].environment[0].variables["IMAGESHARE_MASTER_KEYS"]) == "new:MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=,old:MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
    error_message = "The master keys are not those that are set, in their order."
  }

  assert {
    condition     = nonsensitive(!contains(keys(aws_lambda_function.this["job-worker"].environment[0].variables), "IMAGESHARE_MASTER_KEYS"))
    error_message = "job-worker has the master keys, which it does not need."
  }
}

run "only_callers_functions_may_read_the_keys_that_aws_keeps" {
  command = plan

  variables {
    tokens           = { jwks_from = { reference = "secretsmanager:imageshare/jwks" } }
    master_keys_from = { reference = "ssm:/imageshare/master-keys", kms_key_arn = "arn:aws:kms:eu-central-1:000000000000:key/1" }
  }

  override_data {
    target = data.aws_region.current
    values = { id = "eu-central-1" }
  }

  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "000000000000" }
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws" }
  }

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : contains(local.workers, name) ? !contains(keys(function.environment[0].variables), "IMAGESHARE_MASTER_KEYS") : function.environment[0].variables["IMAGESHARE_MASTER_KEYS"] == "ssm:/imageshare/master-keys" && function.environment[0].variables["IMAGESHARE_JWKS"] == "secretsmanager:imageshare/jwks"])
    error_message = "The functions that authenticate callers do not have the references, or job-worker has them."
  }

  assert {
    condition = jsonencode(local.secret_statements["share"]) == jsonencode([
      { Sid = "TokenKeys", Effect = "Allow", Action = ["secretsmanager:GetSecretValue"], Resource = ["arn:aws:secretsmanager:eu-central-1:000000000000:secret:imageshare/jwks-??????"] },
      { Sid = "MasterKeys", Effect = "Allow", Action = ["ssm:GetParameter"], Resource = ["arn:aws:ssm:eu-central-1:000000000000:parameter/imageshare/master-keys"] },
      { Sid = "MasterKeysKey", Effect = "Allow", Action = ["kms:Decrypt"], Resource = ["arn:aws:kms:eu-central-1:000000000000:key/1"] },
    ])
    error_message = "The permissions are not exactly those to read the two, and to decrypt the one with a key."
  }

  assert {
    condition     = alltrue([for name, statements in local.statements : length([for statement in statements : statement if contains(["MasterKeys", "MasterKeysKey", "TokenKeys"], statement.Sid)]) == (contains(local.workers, name) ? 0 : 3)])
    error_message = "A function that authenticates callers may not read its keys, or job-worker may."
  }
}

run "keys_that_aws_keeps_may_be_named_by_arn" {
  command = plan

  variables {
    tokens           = { jwks_from = { reference = "arn:aws:ssm:eu-west-1:000000000000:parameter/jwks" } }
    master_keys_from = { reference = "arn:aws:secretsmanager:eu-central-1:000000000000:secret:master-keys-AbCdEf" }
  }

  assert {
    condition     = [for statement in local.secret_statements["share"] : [statement.Action[0], statement.Resource[0]]] == [["ssm:GetParameter", "arn:aws:ssm:eu-west-1:000000000000:parameter/jwks"], ["secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-central-1:000000000000:secret:master-keys-AbCdEf"]]
    error_message = "The permissions are not exactly those on the ARNs."
  }
}

run "only_the_console_has_the_client_of_the_provider" {
  command = plan

  variables {
    tokens  = { jwks_url = "https://login.example/jwks.json", issuer = "https://login.example" }
    console = { client_id = "console", client_secret_from = { reference = "ssm:/imageshare/client", kms_key_arn = "arn:aws:kms:eu-central-1:000000000000:key/1" } }
  }

  override_data {
    target = data.aws_region.current
    values = { id = "eu-central-1" }
  }

  override_data {
    target = data.aws_caller_identity.current
    values = { account_id = "000000000000" }
  }

  override_data {
    target = data.aws_partition.current
    values = { partition = "aws" }
  }

  assert {
    condition     = alltrue([for name, function in aws_lambda_function.this : lookup(function.environment[0].variables, "IMAGESHARE_CONSOLE_CLIENT_ID", "") == (name == "console" ? "console" : "") && lookup(function.environment[0].variables, "IMAGESHARE_CONSOLE_CLIENT_SECRET", "") == (name == "console" ? "ssm:/imageshare/client" : "")])
    error_message = "The console does not have its client, or another function has it."
  }

  assert {
    condition = alltrue([for name, statements in local.secret_statements : jsonencode(statements) == jsonencode(name != "console" ? [] : [
      { Sid = "ClientSecret", Effect = "Allow", Action = ["ssm:GetParameter"], Resource = ["arn:aws:ssm:eu-central-1:000000000000:parameter/imageshare/client"] },
      { Sid = "ClientSecretKey", Effect = "Allow", Action = ["kms:Decrypt"], Resource = ["arn:aws:kms:eu-central-1:000000000000:key/1"] },
    ])])
    error_message = "The permissions are not exactly those of the console to read its client's secret."
  }
}

run "a_domain_replaces_the_default_endpoint" {
  command = plan

  variables {
    domain = { name = "images.example.com", certificate_arn = "arn:aws:acm:eu-central-1:000000000000:certificate/1", zone_id = "Z1" }
  }

  assert {
    condition     = aws_apigatewayv2_api.this.disable_execute_api_endpoint && length(aws_route53_record.this) == 2
    error_message = "The default endpoint is still there, or the records are not."
  }

  assert {
    condition     = aws_lambda_function.this["share"].environment[0].variables["IMAGESHARE_PUBLIC_URL"] == "https://images.example.com" && output.url == "https://images.example.com"
    error_message = "The address of the domain is not the public URL."
  }
}

run "alarms_can_be_all" {
  command = plan

  variables {
    alarms = { level = "all", topic_arns = ["arn:aws:sns:eu-central-1:000000000000:operators"] }
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 11 + 3 * length(local.functions) && alltrue([for alarm in aws_cloudwatch_metric_alarm.this : contains(alarm.alarm_actions, "arn:aws:sns:eu-central-1:000000000000:operators")])
    error_message = "There are not all alarms, or one does not tell the topic."
  }
}

run "alarms_can_be_none" {
  command = plan

  variables {
    alarms    = { level = "none" }
    dashboard = false
  }

  assert {
    condition     = length(aws_cloudwatch_metric_alarm.this) == 0 && length(aws_cloudwatch_dashboard.this) == 0
    error_message = "There are alarms or a dashboard."
  }
}

run "metrics_of_the_log_can_be_by_function" {
  command = plan

  variables {
    metrics = "function"
  }

  assert {
    condition     = aws_lambda_function.this["share"].environment[0].variables["IMAGESHARE_METRICS_NAMESPACE"] == "imageshare,by-function"
    error_message = "The functions do not write metrics of their own."
  }

  assert {
    condition     = one([for query in aws_cloudwatch_metric_alarm.this["work-open"].metric_query : query.metric[0].dimensions]) == tomap({ FunctionName = "imageshare-job-worker" })
    error_message = "The alarm for open work does not look at the metric of job-worker."
  }
}

run "metrics_of_the_log_can_be_off" {
  command = plan

  variables {
    metrics = "none"
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this["share"].environment[0].variables), "IMAGESHARE_METRICS_NAMESPACE")
    error_message = "The functions still write metrics."
  }

  assert {
    condition     = length(setintersection(keys(aws_cloudwatch_metric_alarm.this), ["work-open", "work-ended"])) == 0 && length(aws_cloudwatch_metric_alarm.this) == 7 && length(local.graphs) == length(local.service_graphs)
    error_message = "An alarm or a graph looks at metrics that are not written."
  }
}

run "events_go_to_a_bus_of_the_deployment" {
  command = plan

  variables {
    event_senders = ["123456789012"]
  }

  assert {
    condition     = aws_cloudwatch_event_bus.this[0].name == "imageshare" && aws_lambda_function.this["effects"].environment[0].variables["IMAGESHARE_EVENT_BUS"] == "imageshare"
    error_message = "The module makes no bus, or effects does not publish on it."
  }

  assert {
    condition     = length(aws_cloudwatch_event_bus_policy.senders) == 1
    error_message = "Other accounts may not put events on the bus."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.images["account"].event_bus_name == "default" && aws_cloudwatch_event_rule.images["bus"].event_bus_name == "imageshare"
    error_message = "image-events is not told of events on both buses."
  }

  assert {
    condition     = !contains(jsondecode(aws_cloudwatch_event_rule.images["bus"].event_pattern).source, "imageshare")
    error_message = "The service would follow its own events."
  }
}

run "events_can_go_to_another_bus" {
  command = plan

  variables {
    event_bus_arn = "arn:aws:events:eu-central-1:000000000000:event-bus/shared"
  }

  assert {
    condition     = length(aws_cloudwatch_event_bus.this) == 0 && aws_lambda_function.this["effects"].environment[0].variables["IMAGESHARE_EVENT_BUS"] == var.event_bus_arn && aws_cloudwatch_event_rule.images["bus"].event_bus_name == "shared"
    error_message = "The module makes a bus of its own, or does not use the other one."
  }
}

run "events_need_not_be_published" {
  command = plan

  variables {
    publish_events = false
  }

  assert {
    condition     = length(aws_cloudwatch_event_bus.this) == 0 && output.event_bus_arn == null && output.event_bus_name == null
    error_message = "The module makes a bus."
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this["effects"].environment[0].variables), "IMAGESHARE_EVENT_BUS")
    error_message = "effects publishes."
  }

  assert {
    condition     = keys(aws_cloudwatch_event_rule.images) == ["account"]
    error_message = "image-events is told of more than the events of the account, or of less."
  }
}

run "bus_of_others_is_followed_without_publishing" {
  command = plan

  variables {
    publish_events = false
    event_bus_arn  = "arn:aws:events:eu-central-1:000000000000:event-bus/shared"
  }

  assert {
    condition     = !contains(keys(aws_lambda_function.this["effects"].environment[0].variables), "IMAGESHARE_EVENT_BUS")
    error_message = "effects publishes."
  }

  assert {
    condition     = aws_cloudwatch_event_rule.images["bus"].event_bus_name == "shared" && length([for statement in local.statements["effects"] : statement if statement.Sid == "Publish"]) == 0
    error_message = "image-events is not told of the events on the bus, or effects may publish there."
  }
}

run "a_restored_table_has_another_name" {
  command = plan

  variables {
    table = { name = "imageshare-restored" }
  }

  assert {
    condition     = aws_dynamodb_table.this.name == "imageshare-restored" && aws_lambda_function.this["share"].environment[0].variables["IMAGESHARE_TABLE"] == "imageshare-restored" && aws_lambda_function.this["share"].function_name == "imageshare-share"
    error_message = "The functions do not use the restored table."
  }
}

run "a_customer_key_encrypts_everything" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:000000000000:key/1"
  }

  assert {
    condition     = aws_dynamodb_table.this.server_side_encryption[0].kms_key_arn == var.kms_key_arn && aws_sqs_queue.failed_batches.kms_master_key_id == var.kms_key_arn
    error_message = "The table or the queue is not encrypted with the key."
  }

  assert {
    condition     = alltrue([for group in concat(values(aws_cloudwatch_log_group.function), aws_cloudwatch_log_group.access) : group.kms_key_id == var.kms_key_arn]) && alltrue([for function in aws_lambda_function.this : function.kms_key_arn == var.kms_key_arn])
    error_message = "A log or the environment of a function is not encrypted with the key."
  }
}
