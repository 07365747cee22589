"""Runs every check of scim2-tester against a server and prints one JSON object a line and check.

usage: tester.py BASE_URL TOKEN

The last line says which checks of the package were not run: a server whose discovery fails gets a short list, and a
short list of successes is no success.
"""

import importlib
import json
import pkgutil
import sys

import scim2_tester.checkers
from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import check_server

# What the package has and `check_server` does not call.
NOT_PART_OF_A_RUN = {"core_schemas_validation"}


def checks():
    """Names of all checks that the package has."""
    names = set()
    for module in pkgutil.iter_modules(scim2_tester.checkers.__path__):
        members = vars(importlib.import_module(f"scim2_tester.checkers.{module.name}"))
        names |= {member.__name__ for member in members.values() if hasattr(member, "tags") and callable(member)}
    return names - NOT_PART_OF_A_RUN


def main():
    base_url, token = sys.argv[1:]
    http = Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    results = check_server(SyncSCIMClient(http))
    for result in results:
        print(
            json.dumps(
                {
                    "check": result.title,
                    "resource_type": result.resource_type,
                    "status": result.status.name,
                    "reason": result.reason,
                    "data": None if result.status.name == "SUCCESS" else str(result.data)[:2000],
                }
            )
        )
    print(json.dumps({"not_run": sorted(checks() - {result.title for result in results})}))


main()
