# Keys that AWS keeps, in a parameter or a secret, and the permission to read them: for the functions that authenticate callers.

data "aws_caller_identity" "current" {}
data "aws_partition" "current" {}

locals {
  # Without a parameter's version, since a version that is named cannot be rotated.
  secret_reference_pattern = "^(ssm:[A-Za-z0-9_./-]+|secretsmanager:[A-Za-z0-9/_+=.@-]+|arn:[a-z-]+:(ssm:[a-z0-9-]+:[0-9]{12}:parameter/[A-Za-z0-9_./-]+|secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[A-Za-z0-9/_+=.@-]+))$"
  secret_reference_rule    = "must be ssm:NAME, secretsmanager:NAME, or the ARN of a parameter or secret, without a version."
  kms_key_pattern          = "^arn:[a-z-]+:kms:[a-z0-9-]+:[0-9]{12}:key/.+$"

  # By the environment variable that holds the reference.
  secret_references = {
    for setting, from in { IMAGESHARE_MASTER_KEYS = var.master_keys_from, IMAGESHARE_JWKS = var.tokens.jwks_from } :
    setting => from if from != null
  }

  # The ARN of each. That of a secret ends in a hyphen and six characters, which are not a part of its name.
  account_resource = "${data.aws_region.current.id}:${data.aws_caller_identity.current.account_id}"
  secret_arns = {
    for setting, from in local.secret_references : setting => (
      startswith(from.reference, "arn:") ? from.reference :
      startswith(from.reference, "ssm:") ?
      "arn:${data.aws_partition.current.partition}:ssm:${local.account_resource}:parameter/${trimprefix(trimprefix(from.reference, "ssm:"), "/")}" :
      "arn:${data.aws_partition.current.partition}:secretsmanager:${local.account_resource}:secret:${trimprefix(from.reference, "secretsmanager:")}-??????"
    )
  }

  secret_statements = concat(
    [
      for setting, arn in local.secret_arns : {
        Sid      = setting == "IMAGESHARE_JWKS" ? "TokenKeys" : "MasterKeys"
        Effect   = "Allow"
        Action   = [split(":", arn)[2] == "ssm" ? "ssm:GetParameter" : "secretsmanager:GetSecretValue"]
        Resource = [arn]
      }
    ],
    [
      for setting, from in local.secret_references : {
        Sid      = setting == "IMAGESHARE_JWKS" ? "TokenKeysKey" : "MasterKeysKey"
        Effect   = "Allow"
        Action   = ["kms:Decrypt"]
        Resource = [from.kms_key_arn]
      } if from.kms_key_arn != null
    ],
  )
}
