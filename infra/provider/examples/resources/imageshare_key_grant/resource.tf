resource "imageshare_key_grant" "web" {
  key_id     = "images-2026"
  project_id = "5f2c0d1e7a8b4c3d"
}
