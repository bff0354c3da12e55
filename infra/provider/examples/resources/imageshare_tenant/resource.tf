resource "imageshare_tenant" "web" {
  project_id    = "5f2c0d1e7a8b4c3d"
  account       = "Acme"
  project       = "web"
  cloud_account = "123456789012"
}
