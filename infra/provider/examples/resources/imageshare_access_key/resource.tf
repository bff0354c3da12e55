variable "ci_secret" {
  description = "The secret of the access key: 32 to 128 printable characters."
  type        = string
  sensitive   = true
  ephemeral   = true
}

resource "imageshare_access_key" "ci" {
  name              = "ci"
  roles             = ["reader"]
  expires_at        = "2027-12-31T00:00:00Z"
  secret_wo         = var.ci_secret
  secret_wo_version = 1
}
