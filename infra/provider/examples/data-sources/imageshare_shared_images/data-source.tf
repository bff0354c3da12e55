data "imageshare_shared_images" "pending" {
  statuses = ["pending"]
}

output "pending" {
  value = { for image in data.imageshare_shared_images.pending.images : image.name => image.owner_project_id... }
}
