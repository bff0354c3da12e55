# The deployment that tests/tests/aws makes on an emulator.

terraform {
  required_providers {
    aws = { source = "hashicorp/aws" }
  }
}

# Address, region and credentials are the environment's.
provider "aws" {}

variable "packages" {
  type = string
}

variable "tokens" {
  type = object({ jwks = string, issuer = string, audience = string })
}

variable "master_keys" {
  type = list(object({ id = string, key = string }))
}

variable "public_url" {
  type = string
}

module "imageshare" {
  source = "../../infra/aws"

  packages     = { directory = var.packages }
  architecture = "x86_64"
  tokens       = var.tokens
  master_keys  = var.master_keys
  public_url   = var.public_url
  limits       = { members-per-image = 256 }
  table        = { deletion_protection = false }

  # The functions run on this machine, which may have its certificates elsewhere.
  certificates_file = null
}

output "api_id" {
  value = module.imageshare.api_id
}

output "routes" {
  value = module.imageshare.routes
}

output "functions" {
  value = module.imageshare.functions
}
