output "url" {
  description = "Address of the API."
  value       = module.imageshare.url
}

output "domain_target" {
  description = "Where the records of the domain must point."
  value       = module.imageshare.domain_target
}

output "functions" {
  description = "The functions, by name."
  value       = module.imageshare.functions
}
