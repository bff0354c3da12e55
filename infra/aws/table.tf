# The one table. Its keys and indexes are those of shared/src/store/definition.rs; a test compares the two.

locals {
  # Index to the attributes of its keys. Every index holds keys only.
  indexes = {
    lists   = { partition = "gpk", sort = "gsk" }
    names   = { partition = "npk", sort = "nsk" }
    updates = { partition = "upk", sort = "usk" }
  }
}

resource "aws_dynamodb_table" "this" {
  # checkov:skip=CKV_AWS_28:It is on unless `table` turns it off; the check does not see through the variable.
  name                        = coalesce(var.table.name, var.name)
  billing_mode                = "PAY_PER_REQUEST"
  hash_key                    = "pk"
  range_key                   = "sk"
  stream_enabled              = true
  stream_view_type            = "NEW_AND_OLD_IMAGES"
  deletion_protection_enabled = var.table.deletion_protection
  tags                        = var.tags

  dynamic "attribute" {
    for_each = concat(["pk", "sk"], flatten([for index in values(local.indexes) : [index.partition, index.sort]]))
    content {
      name = attribute.value
      type = "S"
    }
  }

  dynamic "global_secondary_index" {
    for_each = local.indexes
    content {
      name            = global_secondary_index.key
      hash_key        = global_secondary_index.value.partition
      range_key       = global_secondary_index.value.sort
      projection_type = "KEYS_ONLY"
    }
  }

  ttl {
    attribute_name = "ttl"
    enabled        = true
  }

  point_in_time_recovery {
    enabled                 = var.table.recovery_days > 0
    recovery_period_in_days = var.table.recovery_days > 0 ? var.table.recovery_days : null
  }

  # Without the block the table is encrypted with a key that AWS owns.
  dynamic "server_side_encryption" {
    for_each = var.kms_key_arn[*]
    content {
      enabled     = true
      kms_key_arn = server_side_encryption.value
    }
  }
}
