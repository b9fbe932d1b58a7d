"""A Helm release, looked at: in place of `charts.ensure_release`, which runs helm."""

from typing import Any

from steps import chart_releases as releases
from steps import charts, release_contents
from steps.chart_table import CHARTS
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.readonly.records import Difference, Kind, Resource, Unknown, records


def compare_release(
    kube: Kube, owner: Owner, chart: str, choice: charts.Choice = charts.AS_PINNED, **_clients: Any
) -> Unknown:
    """Note how the release and each of its objects differ. `kube` is a ReadOnlyKube; raises as `ensure_release`."""
    wanted = CHARTS[chart]
    resource = Resource("Helm release", f"{wanted.namespace}/{wanted.name}")
    for one in charts.differences(kube, owner, chart, choice):
        if one.found is None and one.path == "status":
            records().add(Difference(Kind.MISSING, resource, f"There is no Helm release {resource.name}."))
            return Unknown()
        kind = Kind.FAILED if one.path == "status" else Kind.CHANGED
        words = f"{one.path} of Helm release {resource.name} is not as it was applied."
        records().add(Difference(kind, resource, words, one.path, one.expected, one.found))
    newest = releases.history(kube, wanted)[-1]
    for missing in charts.missing_definitions(kube, owner, chart):
        type_, _, name = missing.partition(" ")
        records().add(Difference(Kind.MISSING, Resource(type_, name), f"{missing} is not there."))
    for each in release_contents.objects_of(wanted, newest):
        kube.apply(each)
    return Unknown()
