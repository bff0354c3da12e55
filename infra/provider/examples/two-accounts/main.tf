# The owner of an image shares it with another project, which accepts it: two credentials, one apply.
#
#   export IMAGESHARE_ENDPOINT=https://images.example.com
#   export TF_VAR_owner_token=… TF_VAR_recipient_token=…
#   terraform apply

terraform {
  required_providers {
    imageshare = {
      source = "imageshare/imageshare"
    }
  }
}

variable "owner_token" {
  description = "A token of the project that owns the image."
  type        = string
  sensitive   = true
}

variable "recipient_token" {
  description = "A token of the project that uses it."
  type        = string
  sensitive   = true
}

variable "recipient_project_id" {
  description = "The project that uses it."
  type        = string
}

provider "imageshare" {
  alias = "owner"
  token = var.owner_token
}

provider "imageshare" {
  alias = "recipient"
  token = var.recipient_token
}

resource "imageshare_image" "golden" {
  provider = imageshare.owner

  name             = "golden-2026.11"
  disk_format      = "qcow2"
  container_format = "bare"
}

resource "imageshare_share" "golden" {
  provider = imageshare.owner

  image_ids   = [imageshare_image.golden.id]
  project_ids = [var.recipient_project_id]
}

# It waits for the invitation. The dependency makes a destroy reject the image before it is unshared.
resource "imageshare_acceptance" "golden" {
  provider = imageshare.recipient

  image_id   = imageshare_image.golden.id
  depends_on = [imageshare_share.golden]
}

output "image_id" {
  description = "The image, for the servers of the recipient."
  value       = imageshare_acceptance.golden.image_id
}

output "members" {
  description = "What the recipients have decided. It is as of the last refresh."
  value       = imageshare_share.golden.members
}
