# Shares an image and accepts it, with the OpenStack provider and an access key of each project:
#   terraform apply -var url=http://127.0.0.1:8080 -var image_id=ID -var 'owner={"id":"…","secret":"…","project":"…"}' -var 'recipient={…}'

terraform {
  required_providers {
    openstack = { source = "terraform-provider-openstack/openstack" }
  }
}

variable "url" {
  type        = string
  description = "The server, without a slash at the end"
}

variable "image_id" {
  type        = string
  description = "An image of the owner, with the visibility shared"
}

variable "owner" {
  type        = object({ id = string, secret = string, project = string })
  description = "An access key of the project that owns the image"
  sensitive   = true
}

variable "recipient" {
  type        = object({ id = string, secret = string, project = string })
  description = "An access key of the project that is to receive it"
  sensitive   = true
}

provider "openstack" {
  auth_url  = "${var.url}/v3"
  user_name = var.owner.id
  password  = var.owner.secret
  tenant_id = var.owner.project
}

provider "openstack" {
  alias     = "recipient"
  auth_url  = "${var.url}/v3"
  user_name = var.recipient.id
  password  = var.recipient.secret
  tenant_id = var.recipient.project
}

resource "openstack_images_image_access_v2" "offer" {
  image_id  = var.image_id
  member_id = nonsensitive(var.recipient.project)
}

resource "openstack_images_image_access_accept_v2" "answer" {
  provider  = openstack.recipient
  image_id  = openstack_images_image_access_v2.offer.image_id
  member_id = openstack_images_image_access_v2.offer.member_id
  status    = "accepted"
}
