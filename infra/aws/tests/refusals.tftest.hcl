# A wrong variable is refused before anything is planned.

mock_provider "aws" {}

variables {
  packages = {
    bucket = "packages"
    hashes = { for name in toset(concat(yamldecode(file("../openapi.yaml"))["x-imageshare-workers"], flatten([for item in values(yamldecode(file("../openapi.yaml")).paths) : [for operation in values(item) : operation["x-imageshare-function"] if can(operation["x-imageshare-function"])]]))) : name => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  tokens = { jwks_url = "https://issuer.example/jwks.json" }
}

run "name_is_refused" {
  command = plan

  variables {
    name = "Image Share"
  }

  expect_failures = [var.name]
}

run "relative_certificates_file_is_refused" {
  command = plan

  variables {
    certificates_file = "ca-bundle.crt"
  }

  expect_failures = [var.certificates_file]
}

run "packages_from_nowhere_is_refused" {
  command = plan

  variables {
    packages = {}
  }

  expect_failures = [var.packages]
}

run "packages_from_two_places_is_refused" {
  command = plan

  variables {
    packages = { directory = "packages", bucket = "packages" }
  }

  expect_failures = [var.packages]
}

run "packages_without_hashes_is_refused" {
  command = plan

  variables {
    packages = { bucket = "packages", hashes = { share = "x" } }
  }

  expect_failures = [var.packages]
}

run "architecture_is_refused" {
  command = plan

  variables {
    architecture = "arm"
  }

  expect_failures = [var.architecture]
}

run "memory_is_refused" {
  command = plan

  variables {
    function_defaults = { memory_mb = 64 }
  }

  expect_failures = [var.function_defaults]
}

run "timeout_beyond_the_gateways_is_refused" {
  command = plan

  variables {
    function_defaults = { timeout_seconds = 60 }
  }

  expect_failures = [var.function_defaults]
}

run "log_level_is_refused" {
  command = plan

  variables {
    function_defaults = { log_level = "verbose" }
  }

  expect_failures = [var.function_defaults]
}

run "unknown_function_is_refused" {
  command = plan

  variables {
    functions = { sharing = { memory_mb = 512 } }
  }

  expect_failures = [var.functions]
}

run "memory_of_a_function_is_refused" {
  command = plan

  variables {
    functions = { share = { memory_mb = 64 } }
  }

  expect_failures = [var.functions]
}

run "timeout_of_a_function_is_refused" {
  command = plan

  variables {
    functions = { share = { timeout_seconds = 30 } }
  }

  expect_failures = [var.functions]
}

run "timeout_shorter_than_a_sweep_is_refused" {
  command = plan

  variables {
    functions = { job-worker = { timeout_seconds = 30 } }
  }

  expect_failures = [var.functions]
}

run "log_level_of_a_function_is_refused" {
  command = plan

  variables {
    functions = { share = { log_level = "verbose" } }
  }

  expect_failures = [var.functions]
}

run "no_tokens_is_refused" {
  command = plan

  variables {
    tokens = {}
  }

  expect_failures = [var.tokens]
}

run "keys_of_tokens_twice_is_refused" {
  command = plan

  variables {
    tokens = { jwks_url = "https://issuer.example/jwks.json", jwks = "{\"keys\": []}" }
  }

  expect_failures = [var.tokens]
}

run "address_of_keys_is_refused" {
  command = plan

  variables {
    tokens = { jwks_url = "issuer.example/jwks.json" }
  }

  expect_failures = [var.tokens]
}

run "key_set_is_refused" {
  command = plan

  variables {
    tokens = { jwks = "{}" }
  }

  expect_failures = [var.tokens]
}

run "claims_is_refused" {
  command = plan

  variables {
    tokens = { keystone_url = "https://keystone.example", claims = { tenant = "project_id" } }
  }

  expect_failures = [var.tokens]
}

run "id_of_a_master_key_is_refused" {
  command = plan

  variables {
    master_keys = [{ id = "a b", key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }]
  }

  expect_failures = [var.master_keys]
}

run "master_keys_of_one_id_is_refused" {
  command = plan

  variables {
    master_keys = [for key in ["MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=", "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="] : { id = "one", key = key }]
  }

  expect_failures = [var.master_keys]
}

run "short_master_key_is_refused" {
  command = plan

  variables {
    master_keys = [{ id = "one", key = "c2hvcnQ=" }]
  }

  expect_failures = [var.master_keys]
}

run "master_key_that_looks_like_a_reference_is_refused" {
  command = plan

  variables {
    master_keys = [{ id = "ssm", key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }]
  }

  expect_failures = [var.master_keys]
}

run "master_keys_in_two_places_is_refused" {
  command = plan

  variables {
    master_keys      = [{ id = "one", key = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE=" }]
    master_keys_from = { reference = "ssm:/imageshare/master-keys" }
  }

  expect_failures = [var.master_keys_from]
}

run "reference_to_master_keys_is_refused" {
  command = plan

  variables {
    master_keys_from = { reference = "/imageshare/master-keys" }
  }

  expect_failures = [var.master_keys_from]
}

run "version_of_master_keys_is_refused" {
  command = plan

  variables {
    master_keys_from = { reference = "ssm:/imageshare/master-keys:3" }
  }

  expect_failures = [var.master_keys_from]
}

run "alias_of_the_key_of_master_keys_is_refused" {
  command = plan

  variables {
    master_keys_from = { reference = "ssm:/imageshare/master-keys", kms_key_arn = "alias/imageshare" }
  }

  expect_failures = [var.master_keys_from]
}

run "keys_of_tokens_in_two_places_is_refused" {
  command = plan

  variables {
    tokens = { jwks_url = "https://issuer.example/jwks.json", jwks_from = { reference = "ssm:/imageshare/jwks" } }
  }

  expect_failures = [var.tokens]
}

run "reference_to_keys_of_tokens_is_refused" {
  command = plan

  variables {
    tokens = { jwks_from = { reference = "arn:aws:s3:::bucket/jwks.json" } }
  }

  expect_failures = [var.tokens]
}

run "unknown_limit_is_refused" {
  command = plan

  variables {
    limits = { members = 5 }
  }

  expect_failures = [var.limits]
}

run "limit_is_refused" {
  command = plan

  variables {
    limits = { members-per-image = 0 }
  }

  expect_failures = [var.limits]
}

run "domain_is_refused" {
  command = plan

  variables {
    domain = { name = "https://images.example.com", certificate_arn = "arn:aws:acm:eu-central-1:000000000000:certificate/1" }
  }

  expect_failures = [var.domain]
}

run "public_url_is_refused" {
  command = plan

  variables {
    public_url = "https://images.example.com/"
  }

  expect_failures = [var.public_url]
}

run "cors_origin_is_refused" {
  command = plan

  variables {
    cors_origins = ["*"]
  }

  expect_failures = [var.cors_origins]
}

run "throttling_is_refused" {
  command = plan

  variables {
    throttling = { rate = 0 }
  }

  expect_failures = [var.throttling]
}

run "access_log_retention_is_refused" {
  command = plan

  variables {
    access_log_retention_days = 100
  }

  expect_failures = [var.access_log_retention_days]
}

run "recovery_is_refused" {
  command = plan

  variables {
    table = { recovery_days = 36 }
  }

  expect_failures = [var.table]
}

run "alias_of_a_key_is_refused" {
  command = plan

  variables {
    kms_key_arn = "alias/imageshare"
  }

  expect_failures = [var.kms_key_arn]
}

run "batch_size_is_refused" {
  command = plan

  variables {
    stream = { batch_size = 0 }
  }

  expect_failures = [var.stream]
}

run "parallel_batches_is_refused" {
  command = plan

  variables {
    stream = { parallel_batches = 11 }
  }

  expect_failures = [var.stream]
}

run "endless_retries_is_refused" {
  command = plan

  variables {
    stream = { retries = -1 }
  }

  expect_failures = [var.stream]
}

run "endless_age_is_refused" {
  command = plan

  variables {
    stream = { max_record_age_seconds = -1 }
  }

  expect_failures = [var.stream]
}

run "partition_key_conditions_is_refused" {
  command = plan

  variables {
    partition_key_conditions = "some"
  }

  expect_failures = [var.partition_key_conditions]
}

run "name_of_a_bus_is_refused" {
  command = plan

  variables {
    event_bus_arn = "shared"
  }

  expect_failures = [var.event_bus_arn]
}

run "sender_that_is_no_account_is_refused" {
  command = plan

  variables {
    event_senders = ["acme"]
  }

  expect_failures = [var.event_senders]
}

run "senders_to_another_bus_are_refused" {
  command = plan

  variables {
    event_bus_arn = "arn:aws:events:eu-central-1:000000000000:event-bus/shared"
    event_senders = ["123456789012"]
  }

  expect_failures = [var.event_senders]
}

run "senders_without_a_bus_are_refused" {
  command = plan

  variables {
    publish_events = false
    event_senders  = ["123456789012"]
  }

  expect_failures = [var.event_senders]
}

run "sweep_is_refused" {
  command = plan

  variables {
    sweep_minutes = 0
  }

  expect_failures = [var.sweep_minutes]
}

run "alarms_is_refused" {
  command = plan

  variables {
    alarms = { level = "some" }
  }

  expect_failures = [var.alarms]
}

run "log_retention_is_refused" {
  command = plan

  variables {
    function_defaults = { log_retention_days = 100 }
  }

  expect_failures = [var.function_defaults]
}

run "log_retention_of_a_function_is_refused" {
  command = plan

  variables {
    functions = { share = { log_retention_days = 100 } }
  }

  expect_failures = [var.functions]
}

run "no_concurrency_is_refused" {
  command = plan

  variables {
    functions = { share = { reserved_concurrency = 0 } }
  }

  expect_failures = [var.functions]
}

run "permissions_boundary_is_refused" {
  command = plan

  variables {
    permissions_boundary_arn = "boundary"
  }

  expect_failures = [var.permissions_boundary_arn]
}

run "topic_is_refused" {
  command = plan

  variables {
    alarms = { topic_arns = ["operators"] }
  }

  expect_failures = [var.alarms]
}

run "metrics_of_what_does_not_exist_are_refused" {
  command = plan

  variables {
    metrics = "tenant"
  }

  expect_failures = [var.metrics]
}

run "name_of_a_table_is_refused" {
  command = plan

  variables {
    table = { name = "no/table" }
  }

  expect_failures = [var.table]
}

run "console_without_an_issuer_is_refused" {
  command = plan

  variables {
    tokens  = { jwks_url = "https://login.example/jwks.json" }
    console = { client_id = "console" }
  }

  expect_failures = [var.console]
}
