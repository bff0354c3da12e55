# Images, with all their members.
terraform import imageshare_share.golden 3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41,b07c4f5e-2d3a-4f6b-8c9d-0e1f2a3b4c5d

# Images with some of their members.
terraform import imageshare_share.golden 3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41/5f2c0d1e7a8b4c3d,9e8d7c6b5a4f3e2d
