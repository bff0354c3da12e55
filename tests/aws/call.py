"""Makes calls of AWS APIs: reads [SERVICE, OPERATION, ARGUMENTS] from each line of standard input, and answers with a line
{"result": …} or {"error": …}. Services, operations and arguments are those of botocore, as in ["dynamodb", "list_tables", {}].

Address, region and credentials stand in the environment, as every AWS SDK reads them.
"""

import functools
import json
import sys

import botocore.session
from botocore.exceptions import BotoCoreError, ClientError

session = botocore.session.get_session()


@functools.cache
def client(service):
    return session.create_client(service)


for line in sys.stdin:
    service, operation, arguments = json.loads(line)
    try:
        result = getattr(client(service), operation)(**arguments)
        result.pop("ResponseMetadata", None)
        answer = {"result": result}
    except (BotoCoreError, ClientError) as error:
        answer = {"error": str(error)}
    print(json.dumps(answer, default=str), flush=True)
