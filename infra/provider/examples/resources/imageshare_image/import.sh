terraform import imageshare_image.golden 3f2b8a10-6c1d-4a53-9e0e-6a1c2d9b7f41
