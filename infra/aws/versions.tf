terraform {
  # Validations that refer to other variables: 1.9.
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source = "hashicorp/aws"
      # 6.x deprecates the keys of an index as table.tf gives them; their successor, `key_schema`, is not in 5.100.
      version = ">= 5.100, < 7"
    }
  }
}
