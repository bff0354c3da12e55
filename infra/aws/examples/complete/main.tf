# Every option: a domain, a console, a customer key, keys that AWS keeps, alarms with their topic, and settings of single functions.

provider "aws" {
  default_tags {
    tags = { service = "imageshare" }
  }
}

data "aws_caller_identity" "current" {}
data "aws_region" "current" {}

module "imageshare" {
  source = "../.."

  name         = var.name
  packages     = { directory = var.packages }
  architecture = var.architecture

  tokens = {
    jwks_url = var.jwks_url
    issuer   = var.issuer
    audience = "imageshare"
    claims   = { roles = "realm_access.roles" }
  }
  # Encrypted with the key below: `aws ssm put-parameter --type SecureString --key-id alias/NAME …`, after the first apply.
  master_keys_from = { reference = var.master_keys, kms_key_arn = aws_kms_key.this.arn }

  domain       = var.domain
  cors_origins = ["https://console.example.com"]
  throttling   = { rate = 500, burst = 200 }

  function_defaults = { memory_mb = 512, tracing = true, log_retention_days = 365 }
  functions = {
    job-worker = { memory_mb = 1024, reserved_concurrency = 40 }
    documents  = { memory_mb = 128, log_level = "warn" }
  }
  limits = { members-per-image = 512, read-units-per-second = 200 }

  table       = { deletion_protection = var.protect, recovery_days = 35 }
  kms_key_arn = aws_kms_key.this.arn

  alarms  = { level = "all", topic_arns = [aws_sns_topic.operators.arn] }
  metrics = "function"
}

resource "aws_sns_topic" "operators" {
  name              = "${var.name}-operators"
  kms_master_key_id = aws_kms_key.this.id
}

resource "aws_kms_key" "this" {
  description         = "imageshare: table, environments, master keys, logs, queue and topic"
  enable_key_rotation = true

  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
      {
        # The account may manage the key, and let roles use it: DynamoDB and Lambda use it in their callers' names.
        Sid       = "Account"
        Effect    = "Allow"
        Action    = "kms:*"
        Principal = { AWS = "arn:aws:iam::${data.aws_caller_identity.current.account_id}:root" }
        Resource  = "*"
      },
      {
        Sid       = "Logs"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"]
        Principal = { Service = "logs.${data.aws_region.current.id}.amazonaws.com" }
        Resource  = "*"
        Condition = { ArnLike = { "kms:EncryptionContext:aws:logs:arn" = "arn:aws:logs:${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}:log-group:*" } }
      },
      {
        Sid       = "Alarms"
        Effect    = "Allow"
        Action    = ["kms:Decrypt", "kms:GenerateDataKey*"]
        Principal = { Service = "cloudwatch.amazonaws.com" }
        Resource  = "*"
      },
    ]
  })
}

resource "aws_kms_alias" "this" {
  name          = "alias/${var.name}"
  target_key_id = aws_kms_key.this.id
}
