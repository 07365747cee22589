"""Pushes a directory with scim2-client, which checks every answer against the server's own schemas.

usage: rehearsal.py BASE_URL TOKEN USERS

Prints one JSON object: operations, seconds, p99 in milliseconds. Ends with an error at the first answer that is not
what the RFCs and the schemas say.
"""

import json
import statistics
import sys
import time

from httpx2 import Client
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_models import PatchOp, PatchOperation, SearchRequest

times = []


def timed(call, *arguments, **options):
    begun = time.perf_counter()
    result = call(*arguments, **options)
    times.append((time.perf_counter() - begun) * 1e3)
    return result


def patch(client, model, id, *operations):
    operations = [PatchOperation(op=op, path=path, value=value) for op, path, value in operations]
    return timed(client.modify, model, id, PatchOp[model](operations=operations))


def main():
    base_url, token, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    http = Client(base_url=base_url, headers={"Authorization": f"Bearer {token}"}, timeout=60)
    client = SyncSCIMClient(http, raise_scim_errors=True)
    client.discover()
    user_model, group_model = client.get_resource_model("User"), client.get_resource_model("Group")
    begun = time.perf_counter()
    ids = []
    for number in range(count):
        name = f"rehearsed{number}@example.com"
        probe = SearchRequest(filter=f'userName eq "{name}"')
        assert timed(client.query, user_model, query_parameters=probe).total_results == 0
        email = {"value": name, "type": "work", "primary": True}
        user = user_model.model_validate({"userName": name, "displayName": f"Person {number}", "emails": [email]})
        ids.append(timed(client.create, user).id)
        if number % 10 == 0:
            patch(client, user_model, ids[-1], ("replace", "title", f"Title {number}"))
        if number % 50 == 0:
            patch(client, user_model, ids[-1], ("replace", "active", False))
    for number in range(0, count, 50):
        group = group_model.model_validate({"displayName": f"Rehearsed {number}"})
        id = timed(client.create, group).id
        members = [{"value": member} for member in ids[number : number + 50]]
        patch(client, group_model, id, ("add", "members", members))
        patch(client, group_model, id, ("remove", f'members[value eq "{members[0]["value"]}"]', None))
        # A PATCH may be answered without a body.
        read = timed(client.query, group_model, id)
        assert len(read.members) == len(members) - 1, (len(read.members), len(members))
    seconds = time.perf_counter() - begun
    p99 = statistics.quantiles(times, n=100)[98]
    print(json.dumps({"operations": len(times), "seconds": seconds, "p99_ms": p99}))


main()
