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
  description = "Where the keys are that the secrets of access keys are derived from, so that they are not in the state."
  type        = string
  default     = "ssm:/imageshare/master-keys"
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
