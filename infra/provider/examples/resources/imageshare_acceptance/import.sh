# One image; the project of the provider's credential can be left out.
terraform import imageshare_acceptance.golden 3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41/5f2c0d1e7a8b4c3d

# Everything from an owner.
terraform import imageshare_acceptance.platform '0a1b2c3d4e5f6071/*'
