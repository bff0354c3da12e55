data "imageshare_tenant" "acme" {
  account = "Acme"
  project = "web"
}

output "acme_project_id" {
  value = data.imageshare_tenant.acme.project_id
}
