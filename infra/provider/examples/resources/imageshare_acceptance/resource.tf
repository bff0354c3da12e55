# One image, as soon as it is shared.
resource "imageshare_acceptance" "golden" {
  image_id = "3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41"
}

# Everything that an owner shares.
resource "imageshare_acceptance" "platform" {
  from_project_id = "0a1b2c3d4e5f6071"
  on_destroy      = "keep"
}
