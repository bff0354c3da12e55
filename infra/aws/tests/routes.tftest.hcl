# Which routes and functions a deployment has, by the plan alone: nothing is created.

mock_provider "aws" {}

variables {
  packages = {
    bucket = "packages"
    prefix = "0.1.0/"
    hashes = { for name in toset(concat(yamldecode(file("../openapi.yaml"))["x-imageshare-workers"], flatten([for item in values(yamldecode(file("../openapi.yaml")).paths) : [for operation in values(item) : operation["x-imageshare-function"] if can(operation["x-imageshare-function"])]]))) : name => "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=" }
  }
  tokens = { jwks_url = "https://issuer.example/jwks.json" }
}

run "routes_are_those_of_the_document" {
  command = plan

  assert {
    condition     = output.routes["POST /v1/cloudimages/members"] == "share" && output.routes["PUT /v1/cloudimages/members"] == "respond" && output.routes["DELETE /v1/cloudimages/members"] == "unshare"
    error_message = "The batch calls do not lead to their functions."
  }

  assert {
    condition     = output.routes["GET /health"] == "documents" && output.routes["GET /ready"] == "documents"
    error_message = "The health of the service is not asked of a function."
  }

  assert {
    condition     = output.routes["$default"] == "images"
    error_message = "What no route matches does not lead to images."
  }

  assert {
    condition     = alltrue([for route, function in output.routes : output.routes["HEAD ${trimprefix(route, "GET ")}"] == function if startswith(route, "GET ")])
    error_message = "HEAD does not lead where GET leads."
  }
}

run "no_route_is_one_that_an_http_api_refuses" {
  command = plan

  assert {
    condition     = alltrue([for route in keys(output.routes) : !endswith(route, "/") || endswith(route, " /")])
    error_message = "A route ends in a slash."
  }

  assert {
    condition     = length(output.routes) <= 300
    error_message = "There are more routes than the 300 that an HTTP API has by default."
  }
}

run "any_method_is_routed_only_away_from_the_default" {
  command = plan

  assert {
    condition     = alltrue([for route, function in output.routes : function != output.routes["$default"] if startswith(route, "ANY ")])
    error_message = "A route for any method leads where $default leads."
  }
}

run "every_function_of_a_route_exists" {
  command = plan

  assert {
    condition     = length(setsubtract(values(output.routes), keys(aws_lambda_function.this))) == 0
    error_message = "A route leads to a function that is not deployed."
  }

  assert {
    condition     = aws_lambda_function.this["share"].s3_key == "0.1.0/share.zip"
    error_message = "The package is not taken from the prefix."
  }
}
