output "url" {
  description = "Address of the API."
  value       = module.imageshare.url
}
