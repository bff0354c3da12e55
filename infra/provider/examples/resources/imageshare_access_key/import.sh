# The id of the access key. Its secret cannot be imported.
terraform import imageshare_access_key.ci 019abc0e4f1c7d3e9b5a6c7d8e9f0a1b
