resource "imageshare_vault" "backups" {
  vault_id     = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
  capacity_gib = 500
}
