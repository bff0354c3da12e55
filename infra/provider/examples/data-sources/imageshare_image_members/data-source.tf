data "imageshare_image_members" "golden" {
  image_id = "3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41"
}

output "undecided" {
  value = data.imageshare_image_members.golden.pending
}
