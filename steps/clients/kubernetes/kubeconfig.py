"""A kubeconfig for programs that are started for one call, such as helm.

It holds a bearer token that lives 15 minutes: write it with mode 0600 and delete it after the call.
"""

import yaml

from steps.clients.kubernetes.client import Kube


def kubeconfig(kube: Kube) -> str:
    """The kubeconfig's YAML text, with a token that outlives any run of helm."""
    return yaml.safe_dump(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "podium",
            "clusters": [
                {
                    "name": "podium",
                    "cluster": {"server": kube.endpoint, "certificate-authority-data": kube.ca_data},
                }
            ],
            "users": [{"name": "podium", "user": {"token": kube.fresh_token()}}],
            "contexts": [{"name": "podium", "context": {"cluster": "podium", "user": "podium"}}],
        },
        sort_keys=False,
    )
