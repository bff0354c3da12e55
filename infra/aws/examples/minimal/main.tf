# The minimum: packages, and the issuer of tokens.

provider "aws" {}

module "imageshare" {
  source = "../.."

  packages     = { directory = var.packages }
  architecture = var.architecture
  tokens       = { jwks_url = var.jwks_url, issuer = var.issuer, audience = "imageshare" }
}
