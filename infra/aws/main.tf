# imageshare as Lambda functions behind an HTTP API over one DynamoDB table.
#
#   client ─► HTTP API ─► function ─► table ─► stream ─┬─► job-worker ◄─ schedule
#                                                      └─► effects ─► event bus
#
# The routes and functions are those of infra/openapi.yaml, the file that the functions and the local gateway are built from.

data "aws_region" "current" {}

locals {
  # The functions without a route. job-worker carries out work; effects, what follows from a change; image-events follows the
  # events of images.
  workers      = toset(local.document["x-imageshare-workers"])
  worker       = "job-worker"
  effects      = "effects"
  image_events = "image-events"
  console      = "console"
  document     = yamldecode(file("${path.module}/../openapi.yaml"))

  methods = {
    get                              = ["GET", "HEAD"]
    post                             = ["POST"]
    put                              = ["PUT"]
    patch                            = ["PATCH"]
    delete                           = ["DELETE"]
    "x-amazon-apigateway-any-method" = ["ANY"]
  }

  # Route key to function, for every operation of the document.
  operations = merge([
    for path, item in local.document.paths : merge([
      for field, methods in local.methods : {
        for method in methods :
        (path == "/$default" ? "$default" : "${method} ${path}") => item[field]["x-imageshare-function"]
      } if can(item[field])
    ]...)
  ]...)
  default_function = local.operations["$default"]

  # Without routes that end in a slash, which an HTTP API refuses, and without those for any other method of a path that lead to
  # the function of $default, which finds the operation by the path.
  routes = {
    for key, function in local.operations : key => function
    if !(endswith(key, "/") && !endswith(key, " /")) && !(startswith(key, "ANY ") && function == local.default_function)
  }

  http_functions = toset(values(local.routes))
  functions      = setunion(local.http_functions, local.workers)

  # In days, as CloudWatch Logs has them.
  log_retentions = [1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653]
}
