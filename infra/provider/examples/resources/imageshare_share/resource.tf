data "imageshare_images" "released" {
  name_glob = "golden-*"
  tags      = ["released"]
}

resource "imageshare_share" "golden" {
  image_ids   = data.imageshare_images.released.images[*].id
  project_ids = ["5f2c0d1e7a8b4c3d", "9e8d7c6b5a4f3e2d"]

  accounts = [
    { name = "Acme", project = "web" },
  ]

  timeouts = {
    create = "30m"
  }
}
