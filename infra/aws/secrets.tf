# Keys that AWS keeps, in a parameter or a secret, and the permission to read them: for the functions that authenticate callers.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # Without a parameter's version, since a version that is named cannot be rotated.
  secret_reference_pattern = "^(ssm:[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@-]+|arn:[a-z-]+:(ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9_./-]+|secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+))$"
  secret_reference_rule    = "must be ssm:NAME, secretsmanager:NAME, or the ARN of a parameter or secret, without a version."
  kms_key_pattern          = "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$"

  # By the environment variable that holds the reference: those of every function that authenticates callers, and those of the
  # console alone.
  secret_references = {
    for setting, from in { IMAGESHARE_MASTER_KEYS = var.master_keys_from, IMAGESHARE_JWKS = var.tokens.jwks_from } :
    setting => from if from != null
  }
  console_secret_references = {
    for setting, from in { IMAGESHARE_CONSOLE_CLIENT_SECRET = try(var.console.client_secret_from, null) } :
    setting => from if from != null
  }
  all_secret_references = merge(local.secret_references, local.console_secret_references)
  function_secret_references = {
    for name in local.functions : name => (
      contains(local.workers, name) ? {} : name == local.console ? local.all_secret_references : local.secret_references
    )
  }

  # The ARN of each. That of a secret ends in a hyphen and six characters, which are not a part of its name.
  account_resource = "${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
  secret_arns = {
    for setting, from in local.all_secret_references : setting => (
      startswith(from.reference, "arn:") ? from.reference :
      startswith(from.reference, "ssm:") ?
      "arn:${data.aws_partition.current.partition}:ssm:${local.account_resource}:parameter/${trimprefix(trimprefix(from.reference, "ssm:"), "/")}" :
      "arn:${data.aws_partition.current.partition}:secretsmanager:${local.account_resource}:secret:${trimprefix(from.reference, "secretsmanager:")}-??????"
    )
  }

  secret_names = {
    IMAGESHARE_MASTER_KEYS           = "MasterKeys"
    IMAGESHARE_JWKS                  = "TokenKeys"
    IMAGESHARE_CONSOLE_CLIENT_SECRET = "ClientSecret"
  }
  secret_statements = {
    for name in local.functions : name => concat(
      [
        for setting in keys(local.function_secret_references[name]) : {
          Sid      = local.secret_names[setting]
          Effect   = "Allow"
          Action   = [split(":", local.secret_arns[setting])[2] == "ssm" ? "ssm:GetParameter" : "secretsmanager:GetSecretValue"]
          Resource = [local.secret_arns[setting]]
        }
      ],
      [
        for setting, from in local.function_secret_references[name] : {
          Sid      = "${local.secret_names[setting]}Key"
          Effect   = "Allow"
          Action   = ["kms:Decrypt"]
          Resource = [from.kms_key_arn]
        } if from.kms_key_arn != null
      ],
    )
  }
}
