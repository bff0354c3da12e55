resource "imageshare_share_rule" "golden" {
  name        = "golden"
  pattern     = jsonencode({ name = [{ wildcard = "golden-*" }], tags = ["released"] })
  project_ids = ["5f2c0d1e7a8b4c3d"]

  accounts = [
    { name = "Acme" },
  ]

  # What matches already is shared at once; later images are when they change.
  apply_existing     = true
  withdraw_unmatched = true
}
