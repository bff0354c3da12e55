# terraform query, since Terraform 1.14.
list "imageshare_acceptance" "pending" {
  provider = imageshare

  config {
    statuses = ["pending"]
  }
}
