"""Reads Kubernetes manifests, checks each against the schemas of a version, unknown members included, and prints them as
one JSON array: manifests.py VERSION < manifests.yaml"""

import json
import sys

import kubernetes_validate
import yaml
from cloudcoil.models.prometheus_operator.v1 import ServiceMonitor


def check(manifest, version):
    if manifest["apiVersion"] == "monitoring.coreos.com/v1":
        # The model drops what it does not know: what comes out has to be what went in.
        model = ServiceMonitor.model_validate(manifest)
        kept = json.loads(model.model_dump_json(by_alias=True, exclude_unset=True))
        if kept != manifest:
            raise ValueError(f"unknown members: {json.dumps(manifest)} became {json.dumps(kept)}")
    else:
        kubernetes_validate.validate(manifest, version, strict=True)


manifests = [manifest for manifest in yaml.safe_load_all(sys.stdin) if manifest]
wrong = 0
for manifest in manifests:
    try:
        check(manifest, sys.argv[1])
    except Exception as error:
        wrong += 1
        said = getattr(error, "message", error)
        print(f"{manifest['kind']} {manifest['metadata']['name']}: {said}", file=sys.stderr)
json.dump(manifests, sys.stdout)
sys.exit(1 if wrong else 0)
