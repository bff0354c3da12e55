resource "imageshare_image" "golden" {
  name             = "golden-2026.11"
  disk_format      = "qcow2"
  container_format = "bare"
  min_disk         = 20
  tags             = ["golden", "released"]

  properties = {
    __os_type = "Linux"
    team      = "platform"
  }
}
