data "imageshare_job" "share" {
  job_id = "019abc0e4f1c7d3e9b5a6c7d8e9f0a1b"
}

output "failures" {
  value = data.imageshare_job.share.failures
}
