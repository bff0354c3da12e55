variable "name" {
  description = "Name of the deployment. Every resource is named after it, so that one account and region can hold several."
  type        = string
  default     = "imageshare"

  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{0,29}[a-z0-9]$", var.name))
    error_message = "name must have 2 to 31 characters: lower-case letters, digits and hyphens, a letter first and no hyphen last."
  }
}

variable "tags" {
  description = "Tags of every resource that can have tags."
  type        = map(string)
  default     = {}
}

# Functions

variable "packages" {
  description = <<-EOT
    Where the functions' packages are, one `FUNCTION.zip` each, all for `architecture`: in a `directory` of this machine, or in
    a `bucket` under a `prefix`. With a bucket, `hashes` holds the SHA-256 of each zip in base64, which is how a new version is
    noticed.
  EOT
  type = object({
    directory = optional(string)
    bucket    = optional(string)
    prefix    = optional(string, "")
    hashes    = optional(map(string), {})
  })

  validation {
    condition     = (var.packages.directory == null) != (var.packages.bucket == null)
    error_message = "packages must name either a directory or a bucket."
  }

  validation {
    condition     = var.packages.bucket == null || length(setsubtract(local.functions, keys(var.packages.hashes))) == 0
    error_message = "packages.hashes must hold the SHA-256, in base64, of the zip of each function in the bucket: ${join(", ", local.functions)}."
  }
}

variable "architecture" {
  description = "Instruction set of the packages: `arm64` or `x86_64`."
  type        = string
  default     = "arm64"

  validation {
    condition     = contains(["arm64", "x86_64"], var.architecture)
    error_message = "architecture must be arm64 or x86_64."
  }
}

variable "function_defaults" {
  description = <<-EOT
    Settings of every function that `functions` does not override: `memory_mb`; `timeout_seconds` (29 by default, a second
    less than the gateway waits; 60 for those without a route); `tracing` by X-Ray; `log_level` (`error`, `warn`, `info`, `debug`);
    `log_retention_days`.
  EOT
  type = object({
    memory_mb          = optional(number, 256)
    timeout_seconds    = optional(number, 29)
    tracing            = optional(bool, false)
    log_level          = optional(string, "info")
    log_retention_days = optional(number, 90)
  })
  default = {}

  validation {
    condition     = var.function_defaults.memory_mb >= 128 && var.function_defaults.memory_mb <= 10240
    error_message = "function_defaults.memory_mb must be from 128 to 10240."
  }

  validation {
    condition     = var.function_defaults.timeout_seconds >= 1 && var.function_defaults.timeout_seconds <= 29
    error_message = "function_defaults.timeout_seconds must be from 1 to 29: the gateway waits 30 seconds."
  }

  validation {
    condition     = contains(["error", "warn", "info", "debug"], var.function_defaults.log_level)
    error_message = "function_defaults.log_level must be error, warn, info or debug."
  }

  validation {
    condition     = contains(local.log_retentions, var.function_defaults.log_retention_days)
    error_message = "function_defaults.log_retention_days must be a retention that CloudWatch Logs has: ${join(", ", local.log_retentions)}."
  }
}

variable "functions" {
  description = <<-EOT
    Settings of single functions, by name, over `function_defaults`; besides those, `reserved_concurrency`: how many instances
    the function may have, which are then taken from those of the account.
  EOT
  type = map(object({
    memory_mb            = optional(number)
    timeout_seconds      = optional(number)
    tracing              = optional(bool)
    log_level            = optional(string)
    log_retention_days   = optional(number)
    reserved_concurrency = optional(number)
  }))
  default = {}

  validation {
    condition     = length(setsubtract(keys(var.functions), local.functions)) == 0
    error_message = "functions names functions that do not exist; there are ${join(", ", local.functions)}."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : coalesce(function.memory_mb, 128) >= 128 && coalesce(function.memory_mb, 128) <= 10240])
    error_message = "functions: memory_mb must be from 128 to 10240."
  }

  validation {
    condition     = alltrue([for name, function in var.functions : contains(local.workers, name) || coalesce(function.timeout_seconds, 29) <= 29])
    error_message = "functions: timeout_seconds must be at most 29, except for ${join(", ", local.workers)}: the gateway waits 30 seconds."
  }

  validation {
    # A sweep takes up to 45 seconds.
    condition     = try(coalesce(var.functions["job-worker"].timeout_seconds, 60), 60) >= 60
    error_message = "functions: timeout_seconds of job-worker must be at least 60."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : contains(["error", "warn", "info", "debug"], coalesce(function.log_level, "info"))])
    error_message = "functions: log_level must be error, warn, info or debug."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : contains(local.log_retentions, coalesce(function.log_retention_days, 1))])
    error_message = "functions: log_retention_days must be a retention that CloudWatch Logs has: ${join(", ", local.log_retentions)}."
  }

  validation {
    condition     = alltrue([for function in values(var.functions) : coalesce(function.reserved_concurrency, 1) >= 1])
    error_message = "functions: reserved_concurrency must be at least 1."
  }
}

variable "certificates_file" {
  description = <<-EOT
    File with the root certificates that the functions trust, in PEM; that of Amazon Linux 2023 by default. Null for every file
    in which the system may have some, which takes longer to start.
  EOT
  type        = string
  default     = "/etc/pki/tls/certs/ca-bundle.crt"

  validation {
    condition     = var.certificates_file == null || startswith(coalesce(var.certificates_file, "/"), "/")
    error_message = "certificates_file must be the absolute path of a file in a function, or null."
  }
}

variable "permissions_boundary_arn" {
  description = "Permissions boundary of every role that the module creates."
  type        = string
  default     = null

  validation {
    condition     = var.permissions_boundary_arn == null || can(regex("^arn:[a-z-]+:iam::([0-9]{12}|aws):policy/.+$", var.permissions_boundary_arn))
    error_message = "permissions_boundary_arn must be the ARN of a policy."
  }
}

# Credentials of callers

variable "tokens" {
  description = <<-EOT
    Which tokens are accepted. At least one of `jwks_url` (address of a JSON Web Key Set), `jwks` (the set itself),
    `jwks_from` (where AWS keeps the set, as in `master_keys_from`) and `keystone_url` (a Keystone that is asked about
    tokens). `issuer` and `audience` are what `iss` must be and `aud` must contain; `claims` says which claims hold `project`,
    `account` and `roles`; `issuer_ca` holds the certificates of a private authority, in PEM. All environment variables of a
    function together may have 4 KB.
  EOT
  type = object({
    jwks_url     = optional(string)
    jwks         = optional(string)
    jwks_from    = optional(object({ reference = string, kms_key_arn = optional(string) }))
    issuer       = optional(string)
    audience     = optional(string)
    claims       = optional(map(string), {})
    keystone_url = optional(string)
    issuer_ca    = optional(string)
  })

  validation {
    condition     = var.tokens.jwks_url != null || var.tokens.jwks != null || var.tokens.jwks_from != null || var.tokens.keystone_url != null
    error_message = "tokens must have jwks_url, jwks, jwks_from or keystone_url: otherwise no caller could be authenticated."
  }

  validation {
    condition     = length([for keys in [var.tokens.jwks_url, var.tokens.jwks, var.tokens.jwks_from] : keys if keys != null]) <= 1
    error_message = "tokens may have only one of jwks_url, jwks and jwks_from."
  }

  validation {
    condition     = var.tokens.jwks_from == null || can(regex(local.secret_reference_pattern, var.tokens.jwks_from.reference))
    error_message = "tokens.jwks_from.reference ${local.secret_reference_rule}"
  }

  validation {
    condition     = try(var.tokens.jwks_from.kms_key_arn, null) == null || can(regex(local.kms_key_pattern, var.tokens.jwks_from.kms_key_arn))
    error_message = "tokens.jwks_from.kms_key_arn must be the ARN of a key (not of an alias)."
  }

  validation {
    condition     = alltrue([for url in [var.tokens.jwks_url, var.tokens.keystone_url] : url == null || can(regex("^https?://[^/]+", url))])
    error_message = "tokens: jwks_url and keystone_url must begin with https:// or http://."
  }

  validation {
    condition     = var.tokens.jwks == null || can(jsondecode(coalesce(var.tokens.jwks, "{}")).keys)
    error_message = "tokens.jwks must be a JSON Web Key Set: an object with \"keys\"."
  }

  validation {
    condition     = length(setsubtract(keys(var.tokens.claims), ["project", "account", "roles"])) == 0
    error_message = "tokens.claims may only have project, account and roles."
  }
}

variable "master_keys" {
  description = <<-EOT
    Keys that the secrets of access keys are derived from, the one for new access keys first; without any there are no access
    keys. `key` is 32 bytes or more in base64. They become an environment variable of the functions, encrypted with
    `kms_key_arn` if there is one, and stand in Terraform's state; with `master_keys_from` they do not. To rotate, put a new
    key first and apply.
  EOT
  type = list(object({
    id  = string
    key = string
  }))
  default   = []
  sensitive = true

  validation {
    condition     = alltrue([for key in var.master_keys : can(regex("^[A-Za-z0-9_.-]{1,64}$", key.id))])
    error_message = "master_keys: each id must have 1 to 64 characters of A-Z a-z 0-9 _ . -."
  }

  validation {
    condition     = length(distinct([for key in var.master_keys : key.id])) == length(var.master_keys)
    error_message = "master_keys: two keys have the same id."
  }

  validation {
    condition     = alltrue([for key in var.master_keys : !contains(["ssm", "secretsmanager", "arn"], key.id)])
    error_message = "master_keys: no id may be ssm, secretsmanager or arn, with which references to secrets begin."
  }

  validation {
    # 32 bytes are 44 characters.
    condition     = alltrue([for key in var.master_keys : can(regex("^[A-Za-z0-9+/]{43,}={0,2}$", key.key)) && length(key.key) % 4 == 0])
    error_message = "master_keys: each key must be 32 bytes or more in base64, as `openssl rand -base64 32` prints them."
  }
}

variable "master_keys_from" {
  description = <<-EOT
    Where AWS keeps the master keys, in place of `master_keys`: a parameter (SSM) or a secret (Secrets Manager) whose text is
    `ID:BASE64,ID:BASE64`, the key for new access keys first. `reference` is `ssm:NAME`, `secretsmanager:NAME` or an ARN;
    `kms_key_arn` is the key that encrypts it, if that is not AWS's own. The functions read it while they start, and again
    every five minutes, so a rotation needs no apply. The module does not create it, so that it is not in the state.
  EOT
  type = object({
    reference   = string
    kms_key_arn = optional(string)
  })
  default = null

  validation {
    condition     = var.master_keys_from == null || length(nonsensitive(var.master_keys)) == 0
    error_message = "master_keys_from and master_keys cannot be used together: keep all master keys in one place."
  }

  validation {
    condition     = var.master_keys_from == null || can(regex(local.secret_reference_pattern, var.master_keys_from.reference))
    error_message = "master_keys_from.reference ${local.secret_reference_rule}"
  }

  validation {
    condition     = try(var.master_keys_from.kms_key_arn, null) == null || can(regex(local.kms_key_pattern, var.master_keys_from.kms_key_arn))
    error_message = "master_keys_from.kms_key_arn must be the ARN of a key (not of an alias)."
  }
}

variable "console" {
  description = <<-EOT
    How people sign in to the console with an OpenID provider, besides by access key or token: the `client_id` that the console
    has at the provider `tokens.issuer`, which leads back to `/console/sign-in/callback`; and `client_secret_from`, where AWS
    keeps the client's secret, as in `master_keys_from`. A public client has none. Needs master keys, which sign the sessions.
  EOT
  type = object({
    client_id          = string
    client_secret_from = optional(object({ reference = string, kms_key_arn = optional(string) }))
  })
  default = null

  validation {
    condition     = var.console == null || can(regex("^https://", var.tokens.issuer))
    error_message = "console needs tokens.issuer, the https:// address below which the provider's discovery document is."
  }

  validation {
    condition     = var.console == null || var.tokens.jwks_url != null || var.tokens.jwks != null || var.tokens.jwks_from != null
    error_message = "console needs tokens.jwks_url, jwks or jwks_from: the keys of the provider."
  }

  validation {
    condition     = try(var.console.client_secret_from, null) == null || can(regex(local.secret_reference_pattern, var.console.client_secret_from.reference))
    error_message = "console.client_secret_from.reference ${local.secret_reference_rule}"
  }

  validation {
    condition     = try(var.console.client_secret_from.kms_key_arn, null) == null || can(regex(local.kms_key_pattern, var.console.client_secret_from.kms_key_arn))
    error_message = "console.client_secret_from.kms_key_arn must be the ARN of a key (not of an alias)."
  }
}

# Behaviour of the service

variable "limits" {
  description = "Limits that differ from the service's own, by name, as `{ \"members-per-image\" = 256 }`."
  type        = map(number)
  default     = {}

  validation {
    condition = length(setsubtract(keys(var.limits), [
      "members-per-image", "members-per-full-ecs-image", "images-per-tenant", "pending-per-tenant", "pending-per-owner",
      "open-pairs-per-tenant", "access-keys-per-project", "read-units-per-second",
    ])) == 0
    error_message = "limits names a limit that does not exist; there are members-per-image, members-per-full-ecs-image, images-per-tenant, pending-per-tenant, pending-per-owner, open-pairs-per-tenant, access-keys-per-project and read-units-per-second."
  }

  validation {
    condition     = alltrue([for limit in values(var.limits) : limit >= 1 && floor(limit) == limit])
    error_message = "limits: each must be a whole number from 1."
  }
}

variable "directory_complete" {
  description = "Whether every tenant is in the directory. A tenant that is not then receives nothing."
  type        = bool
  default     = false
}

# API

variable "domain" {
  description = <<-EOT
    Custom domain of the API: its `name`, the ARN of its certificate in ACM in this region, and the Route 53 `zone_id` if the
    module is to make its records. The API then has no other address, unless `keep_default_endpoint` is true.
  EOT
  type = object({
    name                  = string
    certificate_arn       = string
    zone_id               = optional(string)
    keep_default_endpoint = optional(bool, false)
  })
  default = null

  validation {
    condition     = var.domain == null || can(regex("^[a-z0-9*]([a-z0-9.-]*[a-z0-9])$", var.domain.name))
    error_message = "domain.name must be a host name in lower case, without https://."
  }
}

variable "public_url" {
  description = "Address that clients use, where it is not that of `domain`: behind a CDN or a proxy, for example. Answers name it in their links."
  type        = string
  default     = null

  validation {
    condition     = var.public_url == null || can(regex("^https?://[^/?#]+$", var.public_url))
    error_message = "public_url must be https://HOST or http://HOST, without a path."
  }
}

variable "cors_origins" {
  description = "Origins of the browser consoles that may call the API, as `https://console.example`."
  type        = list(string)
  default     = []

  validation {
    condition     = alltrue([for origin in var.cors_origins : can(regex("^https?://[^/*]+$", origin))])
    error_message = "cors_origins: each must be https://HOST or http://HOST[:PORT], without a path or an asterisk."
  }
}

variable "throttling" {
  description = "Requests per second, and at once, that the API takes. More get 429. Without it, one API could use up what the account may have over all its APIs in the region (10,000 per second)."
  type = object({
    rate  = optional(number, 1000)
    burst = optional(number, 500)
  })
  default = {}

  validation {
    condition     = var.throttling.rate >= 1 && var.throttling.burst >= 1 && floor(var.throttling.burst) == var.throttling.burst
    error_message = "throttling: rate and burst must be at least 1, and burst a whole number."
  }
}

variable "access_log_retention_days" {
  description = "How long the API's access log is kept; 0 for no access log."
  type        = number
  default     = 90

  validation {
    condition     = contains(concat([0], local.log_retentions), var.access_log_retention_days)
    error_message = "access_log_retention_days must be 0 or a retention that CloudWatch Logs has: ${join(", ", local.log_retentions)}."
  }
}

# Table and background work

variable "table" {
  description = <<-EOT
    The table: `deletion_protection`; `recovery_days` for which it can be restored to any second (0 to 35; 0 for no
    point-in-time recovery); and its `name` where that is not the deployment's, as that of a restored table.
  EOT
  type = object({
    name                = optional(string)
    deletion_protection = optional(bool, true)
    recovery_days       = optional(number, 35)
  })
  default = {}

  validation {
    condition     = var.table.recovery_days >= 0 && var.table.recovery_days <= 35 && floor(var.table.recovery_days) == var.table.recovery_days
    error_message = "table.recovery_days must be a whole number from 0 to 35."
  }

  validation {
    condition     = var.table.name == null || can(regex("^[A-Za-z0-9_.-]{3,255}$", var.table.name))
    error_message = "table.name must have 3 to 255 characters of A-Z a-z 0-9 _ . -."
  }
}

variable "kms_key_arn" {
  description = "Customer key for the table, the functions' environments, the logs and the queues. Its policy must let DynamoDB, Lambda, CloudWatch Logs, SQS and EventBridge use it. AWS's own keys without it."
  type        = string
  default     = null

  validation {
    condition     = var.kms_key_arn == null || can(regex("^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$", var.kms_key_arn))
    error_message = "kms_key_arn must be the ARN of a key (not of an alias)."
  }
}

variable "partition_key_conditions" {
  description = "Where the functions' policies also name the partition keys that a function uses: `all` (the table and its indexes), `table` or `none`. `docs/permissions.md` says what is not verified on AWS."
  type        = string
  default     = "all"

  validation {
    condition     = contains(["all", "table", "none"], var.partition_key_conditions)
    error_message = "partition_key_conditions must be all, table or none."
  }
}

variable "stream" {
  description = <<-EOT
    How work reaches `job-worker`: work items in one batch, batches of one shard at the same time, attempts after the first, and
    the age at which a record is given up. What is given up here, the sweep finds.
  EOT
  type = object({
    batch_size             = optional(number, 20)
    parallel_batches       = optional(number, 10)
    retries                = optional(number, 3)
    max_record_age_seconds = optional(number, 3600)
  })
  default = {}

  validation {
    condition     = var.stream.batch_size >= 1 && var.stream.batch_size <= 1000
    error_message = "stream.batch_size must be from 1 to 1000."
  }

  validation {
    condition     = var.stream.parallel_batches >= 1 && var.stream.parallel_batches <= 10
    error_message = "stream.parallel_batches must be from 1 to 10."
  }

  validation {
    # AWS takes -1 for without end: one bad record would then hold up its shard for a day.
    condition     = var.stream.retries >= 0 && var.stream.retries <= 10000
    error_message = "stream.retries must be from 0 to 10000."
  }

  validation {
    condition     = var.stream.max_record_age_seconds >= 60 && var.stream.max_record_age_seconds <= 86400
    error_message = "stream.max_record_age_seconds must be from 60 to 86400: the stream keeps records for a day."
  }
}

variable "publish_events" {
  description = "Whether the service's events are published on an EventBridge bus. Without that, messages are written and share rules act all the same, and the module makes no bus."
  type        = bool
  default     = true
}

variable "event_bus_arn" {
  description = "ARN of the EventBridge bus for the service's events. By default the module makes one with the deployment's name."
  type        = string
  default     = null

  validation {
    condition     = var.event_bus_arn == null || can(regex("^arn:[a-z-]+:events:[a-z0-9-]+:[0-9]{12}:event-bus/.+$", var.event_bus_arn))
    error_message = "event_bus_arn must be the ARN of an event bus: arn:aws:events:REGION:ACCOUNT:event-bus/NAME."
  }
}

variable "event_senders" {
  description = "Accounts that may put events on the bus that the module makes, such as those of their AMIs."
  type        = set(string)
  default     = []

  validation {
    condition     = alltrue([for account in var.event_senders : can(regex("^[0-9]{12}$", account))])
    error_message = "event_senders must be account IDs of 12 digits."
  }

  validation {
    condition     = var.event_bus_arn == null || length(var.event_senders) == 0
    error_message = "event_senders is for the bus that the module makes: with event_bus_arn, the policy of that bus says who may put events there."
  }

  validation {
    condition     = var.publish_events || length(var.event_senders) == 0
    error_message = "event_senders is for the bus that the module makes, and it makes none with publish_events = false."
  }
}

variable "sweep_minutes" {
  description = "Minutes between two sweeps, which carry out work that the stream did not bring to an end."
  type        = number
  default     = 1

  validation {
    condition     = var.sweep_minutes >= 1 && var.sweep_minutes <= 60 && floor(var.sweep_minutes) == var.sweep_minutes
    error_message = "sweep_minutes must be a whole number from 1 to 60."
  }
}

# Watching

variable "alarms" {
  description = <<-EOT
    Which alarms there are: `all`, `essential` (callers notice, or work does not get done) or `none`; and the SNS topics that
    are told.
  EOT
  type = object({
    level      = optional(string, "essential")
    topic_arns = optional(list(string), [])
  })
  default = {}

  validation {
    condition     = contains(["all", "essential", "none"], var.alarms.level)
    error_message = "alarms.level must be all, essential or none."
  }

  validation {
    condition     = alltrue([for arn in var.alarms.topic_arns : can(regex("^arn:[a-z-]+:sns:", arn))])
    error_message = "alarms.topic_arns must be ARNs of SNS topics."
  }
}

variable "metrics" {
  description = <<-EOT
    Metrics that CloudWatch makes of the functions' log lines, in the namespace `name`: of the `deployment` as a whole (up to
    10), of each `function` (6, and 4 of job-worker), or `none`. Each costs $0.30 a month, for the hours in which it has data; 10
    of an account are free. With metrics, a request is logged at any `log_level`.
  EOT
  type        = string
  default     = "deployment"

  validation {
    condition     = contains(["deployment", "function", "none"], var.metrics)
    error_message = "metrics must be deployment, function or none."
  }
}

variable "dashboard" {
  description = "Whether there is a CloudWatch dashboard."
  type        = bool
  default     = true
}
