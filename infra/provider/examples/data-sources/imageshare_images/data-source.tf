data "imageshare_images" "golden" {
  name_glob        = "golden-*"
  owner_project_id = "0a1b2c3d4e5f6071"
  tags             = ["released"]
  newest           = true
}

output "golden_image_id" {
  value = data.imageshare_images.golden.one
}
