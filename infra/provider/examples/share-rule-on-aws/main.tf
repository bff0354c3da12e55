# The service on AWS by the module of infra/aws, and a share rule of a project in it: one apply.
#
#   export TF_VAR_token=…
#   terraform apply

terraform {
  required_version = ">= 1.9"

  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = ">= 5.100, < 7"
    }
    imageshare = {
      source = "imageshare/imageshare"
    }
  }
}

variable "packages" {
  description = "Directory of the functions' packages, as `cargo task packages` makes them."
  type        = string
}

variable "jwks_url" {
  description = "Address of the identity provider's JSON Web Key Set."
  type        = string
}

variable "issuer" {
  description = "What the `iss` of a token must be."
  type        = string
}

variable "token" {
  description = "A token of the project whose images are shared, from the identity provider."
  type        = string
  sensitive   = true
}

variable "recipients" {
  description = "Projects that the golden images are shared with."
  type        = set(string)
}

provider "aws" {}

module "imageshare" {
  source = "../../../aws"

  packages = { directory = var.packages }
  tokens   = { jwks_url = var.jwks_url, issuer = var.issuer, audience = "imageshare" }
}

# The address is known only once the module is applied. Until then the provider checks configurations, and calls nothing.
provider "imageshare" {
  endpoint = module.imageshare.url
  token    = var.token
}

# The whole module has to be there: the address exists before the functions behind it do.
resource "imageshare_share_rule" "golden" {
  name        = "golden"
  pattern     = jsonencode({ name = [{ wildcard = "golden-*" }] })
  project_ids = var.recipients

  depends_on = [module.imageshare]
}

output "url" {
  description = "Address of the API."
  value       = module.imageshare.url
}
