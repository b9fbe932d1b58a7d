"""The migration Job: `dbos migrate` with the administrator's URL, once per generation."""

from typing import Any

from steps import jobs, objects
from steps.clients.kubernetes import Kube
from steps.names import Owner
from steps.waiting import Pending

COMPONENT = "migration"
PURPOSE = "dbos-migrate"


def ensure_job(kube: Kube, owner: Owner, namespace: str, image: str, app_role: str, generation: str) -> str | Pending:
    """Start the Job of this generation unless it runs or is complete; its name. Needs the Secret postgres-admin.

    Pending while the Job of another generation runs: two migrations side by side would meet in the same tables.
    """
    name = jobs.job_name(PURPOSE, generation)
    running = [one for one in jobs.other_jobs(kube, owner, namespace, COMPONENT, name) if not jobs.is_over(one)]
    if running:
        return Pending(f"Job {running[0]['metadata']['name']} of an earlier operation still runs")
    job = objects.load(COMPONENT, owner, namespace)["Job"]
    job["metadata"]["name"] = name
    container = objects.container(job)
    container["image"] = image
    container["args"] = ["migrate", "--app-role", app_role]
    return jobs.ensure_job(kube, owner, job)


def await_job(kube: Kube, namespace: str, job: str) -> dict[str, Any] | Pending:
    """`{"succeeded": 1, "tries": n}` when complete. See `jobs.await_job` for the errors."""
    return jobs.await_job(kube, namespace, job)


def delete_earlier_jobs(kube: Kube, owner: Owner, namespace: str, job: str) -> None:
    """Delete the Jobs of all generations but this one's."""
    for one in jobs.other_jobs(kube, owner, namespace, COMPONENT, job):
        kube.delete("Job", one["metadata"]["name"], namespace)


def delete_job(kube: Kube, owner: Owner, namespace: str) -> None:
    """Delete the Jobs of all generations."""
    jobs.delete_jobs(kube, owner, namespace, COMPONENT)
