output "image_id" {
  value = provider::imageshare::parse_share_id("3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41/5f2c0d1e7a8b4c3d").image_id
}
