"""Where `helm` finds a chart: in a file, in a known repository on the web, in a repository or registry on this machine.

Nothing outside this machine is asked: a repository there is said to be out of reach, as it is.
"""

import base64
import ipaddress
import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import yaml

from sandbox.helm.archives import archive_name, metadata_of, pack, unpack
from sandbox.helm.charts import Chart, built_in, load_chart
from sandbox.helm.errors import HelmError

VERSION = re.compile(r"^v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$")
CHART_LAYER = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
TIMEOUT_SECONDS = 30

# Chart repositories on the web, by URL, with the charts they offer.
REPOSITORIES = {
    "https://kubernetes.github.io/ingress-nginx": ("ingress-nginx",),
    "https://bitnami-labs.github.io/sealed-secrets": ("sealed-secrets",),
    "https://bitnami.github.io/sealed-secrets": ("sealed-secrets",),
    "https://kedacore.github.io/charts": ("keda",),
}


def find_chart(reference: str, repository: str | None, version: str | None, *, plain_http: bool = False) -> Chart:
    """The chart that a command line names; raises HelmError as helm words it when there is no such thing."""
    if reference.startswith("oci://"):
        return _parsed(_from_registry(reference, version or "", plain_http=plain_http))
    if repository is None and Path(reference).is_file():
        return load_chart(Path(reference))
    login: Mapping[str, Any] = {}
    if repository is None:
        login, reference = _configured(reference)
        repository = str(login["url"])
    offered = REPOSITORIES.get(repository.rstrip("/"))
    if offered is None:
        return _parsed(_from_repository(reference, repository, version, login))
    if reference not in offered or (version and not VERSION.match(version)):
        raise _no_such_chart(reference, version, repository)
    return built_in(reference, version)


def pull(chart: Chart, to: Path) -> None:
    """Write the chart's archive into a folder."""
    path = to / archive_name(chart.metadata)
    path.write_bytes(pack(str(chart.metadata["name"]), chart.files))


def configured_repositories() -> list[dict[str, Any]]:
    """What `helm repo add` has written."""
    file = Path.home() / ".config/helm/repositories.yaml"
    if not file.is_file():
        raise HelmError("no repositories found. You must add one before updating")
    return list((yaml.safe_load(file.read_text(encoding="utf-8")) or {}).get("repositories") or [])


def read_index(repository: str, login: Mapping[str, Any]) -> dict[str, Any]:
    """A repository's index.yaml; {} for a known one. Raises HelmError when it cannot be had."""
    if repository.rstrip("/") in REPOSITORIES:
        return {}
    url = f"{repository.rstrip('/')}/index.yaml"
    try:
        return dict(yaml.safe_load(_get(url, _basic(login))) or {})
    except (HelmError, yaml.YAMLError) as error:
        raise HelmError(
            f'looks like "{repository}" is not a valid chart repository or cannot be reached: {error}'
        ) from error


def _from_repository(name: str, repository: str, version: str | None, login: Mapping[str, Any]) -> bytes:
    versions = (read_index(repository, login).get("entries") or {}).get(name) or []
    found = next((each for each in versions if version in (None, each["version"])), None)
    if found is None:
        raise _no_such_chart(name, version, repository)
    return _get(urljoin(f"{repository.rstrip('/')}/", found["urls"][0]), _basic(login))


def _from_registry(reference: str, version: str, *, plain_http: bool) -> bytes:
    host, _, path = reference.removeprefix("oci://").partition("/")
    base = f"{'http' if plain_http else 'https'}://{host}/v2/{path}"
    login = _registry_login(host)
    manifest = json.loads(_get(f"{base}/manifests/{version.replace('+', '_')}", {**login, "Accept": MANIFEST}))
    digest = next((each["digest"] for each in manifest["layers"] if each["mediaType"] == CHART_LAYER), None)
    if digest is None:
        raise HelmError(f"manifest does not contain a layer with mediatype {CHART_LAYER}")
    return _get(f"{base}/blobs/{digest}", login)


def _configured(reference: str) -> tuple[dict[str, Any], str]:
    name, slash, chart = reference.partition("/")
    if not slash:
        raise HelmError(f"non-absolute URLs should be in form of repo_name/path_to_chart, got: {reference}")
    file = Path.home() / ".config/helm/repositories.yaml"
    known = {each["name"]: each for each in configured_repositories()} if file.is_file() else {}
    if name not in known:
        raise HelmError(f"repo {name} not found")
    return known[name], chart


def _parsed(data: bytes) -> Chart:
    files = unpack(data)
    return Chart(files, metadata_of(files))


def _basic(login: Mapping[str, Any]) -> dict[str, str]:
    if not login.get("password"):
        return {}
    pair = f"{login.get('username', '')}:{login['password']}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def _registry_login(host: str) -> dict[str, str]:
    file = Path.home() / ".config/helm/registry/config.json"
    known = json.loads(file.read_text(encoding="utf-8"))["auths"] if file.is_file() else {}
    return {"Authorization": f"Basic {known[host]['auth']}"} if host in known else {}


def _get(url: str, headers: Mapping[str, str]) -> bytes:
    """The body of a 200; raises HelmError with a text like Go's."""
    host = urlsplit(url).hostname or ""
    if not _is_here(host):
        raise HelmError(f'Get "{url}": dial tcp: lookup {host}: no such host')
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(urllib.request.Request(url, headers=dict(headers)), timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310 - http(s) on this machine
            body: bytes = answer.read()
            return body
    except urllib.error.HTTPError as error:
        with error:
            raise HelmError(f"failed to fetch {url} : {error.code} {error.reason}") from error
    except (urllib.error.URLError, OSError) as error:
        raise HelmError(f'Get "{url}": {getattr(error, "reason", error)}') from error


def _is_here(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _no_such_chart(name: str, version: str | None, repository: str) -> HelmError:
    wanted = f'chart "{name}"' + (f' version "{version}"' if version else "")
    return HelmError(f"{wanted} not found in {repository} repository")
