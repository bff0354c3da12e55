resource "imageshare_trusted_owner" "platform" {
  project_id = "0a1b2c3d4e5f6071"
}

resource "imageshare_trusted_owner" "unwanted" {
  project_id = "ffeeddccbbaa9988"
  policy     = "blocked"
}
