# A token of the provider's own access key, which ends with this run.
ephemeral "imageshare_token" "run" {}

provider "imageshare" {
  alias = "by_token"
  token = ephemeral.imageshare_token.run.token
}
