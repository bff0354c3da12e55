# Finds an image, with Open Telekom Cloud's provider and an access key:
#   terraform apply -var url=http://127.0.0.1:8080 -var name=golden -var 'key={"id":"…","secret":"…","project":"…"}'

terraform {
  required_providers {
    opentelekomcloud = { source = "opentelekomcloud/opentelekomcloud" }
  }
}

variable "url" {
  type        = string
  description = "The server, without a slash at the end"
}

variable "name" {
  type        = string
  description = "What the image is called"
}

variable "key" {
  type        = object({ id = string, secret = string, project = string })
  description = "An access key"
  sensitive   = true
}

variable "region" {
  type        = string
  description = "What the server was given as --region"
  default     = "local"
}

# Instead of access_key and secret_key, user_name and password take the same, and token takes a token.
provider "opentelekomcloud" {
  auth_url    = "${var.url}/v3"
  access_key  = var.key.id
  secret_key  = var.key.secret
  tenant_name = var.key.project
  domain_name = "default"
  region      = var.region
}

data "opentelekomcloud_images_image_v2" "found" {
  name        = var.name
  most_recent = true
}

output "image_id" {
  value = data.opentelekomcloud_images_image_v2.found.id
}
