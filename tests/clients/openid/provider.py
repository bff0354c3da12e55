"""An OpenID provider for tests: prints its port, and ends with its standard input."""

import sys

import oidc_provider_mock

USERS = [
    oidc_provider_mock.User(
        sub="ann", claims={"project_id": "own1", "account_id": "acme", "roles": ["member"]}
    ),
    oidc_provider_mock.User(sub="bob", claims={"roles": ["member"]}),
]

with oidc_provider_mock.run_server_in_thread(port=0, user_claims=USERS, require_nonce=True) as server:
    print(server.server_port, flush=True)
    sys.stdin.read()
