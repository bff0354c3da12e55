data "imageshare_quota" "current" {}

check "images" {
  assert {
    condition = (
      data.imageshare_quota.current.quotas["image"].used
      < data.imageshare_quota.current.quotas["image"].limit * 0.9
    )
    error_message = "Nine tenths of the images that the project may have are there."
  }
}
