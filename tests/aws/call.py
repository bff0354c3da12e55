"""Makes one call of an AWS API and prints the result as JSON: call.py SERVICE OPERATION [ARGUMENTS as JSON].

Address, region and credentials stand in the environment, as every AWS SDK reads them.
"""

import json
import sys

import botocore.session

service, operation, *arguments = sys.argv[1:]
client = botocore.session.get_session().create_client(service)
result = getattr(client, operation)(**json.loads(arguments[0] if arguments else "{}"))
result.pop("ResponseMetadata", None)
print(json.dumps(result, default=str))
