terraform {
  required_providers {
    imageshare = {
      source = "imageshare/imageshare"
    }
  }
}

# The access key comes from the environment or from a profile of the credentials file.
provider "imageshare" {
  endpoint = "https://images.example.com"
}
