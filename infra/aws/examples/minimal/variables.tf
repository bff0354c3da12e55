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
