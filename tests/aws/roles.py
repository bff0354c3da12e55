"""Makes a role for each policy and prints temporary credentials of it, as JSON: name to policy in, name to credentials out.

Address, region and credentials stand in the environment, as every AWS SDK reads them.
"""

import json
import sys

import botocore.session

session = botocore.session.get_session()
iam, sts = session.create_client("iam"), session.create_client("sts")
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": "*"}}]}
credentials = {}
for name, policy in json.load(sys.stdin).items():
    role = iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
    iam.put_role_policy(RoleName=name, PolicyName="function", PolicyDocument=json.dumps(policy))
    credentials[name] = sts.assume_role(RoleArn=role, RoleSessionName=name)["Credentials"]
print(json.dumps(credentials, default=str))
