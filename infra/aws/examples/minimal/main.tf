# The least that a deployment needs: packages, and whose tokens it takes.

provider "aws" {}

module "imageshare" {
  source = "../.."

  packages     = { directory = var.packages }
  architecture = var.architecture
  tokens       = { jwks_url = var.jwks_url, issuer = var.issuer, audience = "imageshare" }
}
