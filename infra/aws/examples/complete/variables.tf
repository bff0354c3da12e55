variable "name" {
  description = "Name of the deployment."
  type        = string
  default     = "imageshare"
}

variable "packages" {
  description = "Directory of the functions' packages."
  type        = string
}

variable "architecture" {
  description = "Instruction set of the packages."
  type        = string
  default     = "arm64"
}

variable "jwks_url" {
  description = "Address of the identity provider's JSON Web Key Set."
  type        = string
}

variable "issuer" {
  description = "What the `iss` of a token must be."
  type        = string
}

variable "master_keys" {
  description = "Keys that the secrets of access keys are derived from, the newest first."
  type        = list(object({ id = string, key = string }))
  sensitive   = true
}

variable "domain" {
  description = "Custom domain of the API."
  type = object({
    name            = string
    certificate_arn = string
    zone_id         = optional(string)
  })
}

variable "protect" {
  description = "Whether the table cannot be deleted. Set it to false before a `terraform destroy`."
  type        = bool
  default     = true
}
