"""Jobs and CronJobs.

Source: k8s.io/kubernetes/pkg/apis/batch/v1/defaults.go, pkg/registry/batch/job/strategy.go (generated selector).
"""

from typing import TYPE_CHECKING

from sandbox.kubernetes.errors import Cause, immutable, invalid, required, unsupported
from sandbox.kubernetes.selectors import selector_matches
from sandbox.kubernetes.strategy.base import Object, Strategy
from sandbox.kubernetes.strategy.names import labels as valid_labels
from sandbox.kubernetes.strategy.pod_validation import validate_pod_spec
from sandbox.kubernetes.strategy.workloads import default_template

if TYPE_CHECKING:
    from sandbox.kubernetes.store import Store

_MODES = ["NonIndexed", "Indexed"]
_CONCURRENCY = ["Allow", "Forbid", "Replace"]


def _default_job_spec(spec: Object) -> None:
    if "completions" not in spec and "parallelism" not in spec:
        spec["completions"] = 1
    spec.setdefault("parallelism", 1)
    spec.setdefault("backoffLimit", 6)
    spec.setdefault("completionMode", "NonIndexed")
    spec.setdefault("suspend", False)
    spec.setdefault("podReplacementPolicy", "TerminatingOrFailed")
    default_template(spec)


def _default_job(job: Object) -> None:
    _default_job_spec(job.setdefault("spec", {}))


def _prepare_job(job: Object, old: Object | None, _store: "Store") -> None:
    """A new job selects its pods by its own UID."""
    if old is not None or job["spec"].get("manualSelector"):
        return
    uid, name = job["metadata"]["uid"], job["metadata"]["name"]
    template = job["spec"]["template"].setdefault("metadata", {})
    job["spec"].setdefault("manualSelector", False)
    template["labels"] = template.get("labels", {}) | {
        "batch.kubernetes.io/controller-uid": uid,
        "batch.kubernetes.io/job-name": name,
        "controller-uid": uid,
        "job-name": name,
    }
    selector = job["spec"].setdefault("selector", {})
    selector.setdefault("matchLabels", {})["batch.kubernetes.io/controller-uid"] = uid


def _validate_job(job: Object) -> list[Cause]:
    spec = job["spec"]
    labels = spec["template"]["metadata"].get("labels")
    causes = _validate_job_spec(spec, "spec")
    if not spec.get("selector"):
        causes.append(required("spec.selector"))
    elif not spec.get("manualSelector") and spec["selector"] != _own_selector(job):
        causes.append(invalid("spec.selector", _shown(spec["selector"]), "`selector` not auto-generated"))
    if not selector_matches(spec.get("selector"), labels or {}):
        text = "`selector` does not match template `labels`"
        causes.append(invalid("spec.template.metadata.labels", _sorted(labels), text))
    return causes


def _own_selector(job: Object) -> Object:
    return {"matchLabels": {"batch.kubernetes.io/controller-uid": job["metadata"]["uid"]}}


def _shown(selector: Object) -> Object:
    return selector | ({"matchLabels": _sorted(selector["matchLabels"])} if selector.get("matchLabels") else {})


def _sorted(labels: Object | None) -> Object | None:
    """Labels as Go prints maps."""
    return dict(sorted(labels.items())) if labels else None


def _validate_job_spec(spec: Object, field: str) -> list[Cause]:
    causes = [
        invalid(f"{field}.{name}", spec[name], "must be greater than or equal to 0")
        for name in ("parallelism", "completions", "activeDeadlineSeconds", "backoffLimit", "ttlSecondsAfterFinished")
        if (spec.get(name) or 0) < 0
    ]
    mode = spec.get("completionMode")
    if mode is not None and mode not in _MODES:
        causes.append(unsupported(f"{field}.completionMode", mode, _MODES))
    template = spec["template"]
    causes += valid_labels(f"{field}.template.labels", template["metadata"].get("labels"))
    causes += validate_pod_spec(template["spec"], f"{field}.template.spec")
    policy = template["spec"].get("restartPolicy")
    if policy == "Always":
        causes.append(required(f"{field}.template.spec.restartPolicy", 'valid values: "OnFailure", "Never"'))
    return causes


def _job_kept(new: Object, old: Object) -> list[Cause]:
    """Template, selector and completion mode never change; the template may while the job is suspended."""
    suspended = old["spec"].get("suspend") and not old.get("status", {}).get("startTime")
    fixed = ["selector", "completionMode"] + ([] if suspended else ["template"])
    if new["spec"].get("completionMode") != "Indexed":
        fixed.append("completions")
    return [
        immutable(f"spec.{field}", _shown(new["spec"][field]) if field == "selector" else new["spec"].get(field))
        for field in fixed
        if new["spec"].get(field) != old["spec"].get(field)
    ]


def _default_cronjob(obj: Object) -> None:
    spec = obj.setdefault("spec", {})
    spec.setdefault("concurrencyPolicy", "Allow")
    spec.setdefault("suspend", False)
    spec.setdefault("successfulJobsHistoryLimit", 3)
    spec.setdefault("failedJobsHistoryLimit", 1)
    template = spec.setdefault("jobTemplate", {})
    template.setdefault("metadata", {})
    default_template(template.setdefault("spec", {}))  # the rest is filled in when a Job is made of it


def _validate_cronjob(obj: Object) -> list[Cause]:
    spec = obj["spec"]
    causes = [] if spec.get("schedule") else [required("spec.schedule")]
    if spec.get("schedule") and not spec["schedule"].startswith("@") and len(spec["schedule"].split()) != 5:
        text = f"expected exactly 5 fields, found {len(spec['schedule'].split())}: [{spec['schedule']}]"
        causes.append(invalid("spec.schedule", spec["schedule"], text))
    if spec["concurrencyPolicy"] not in _CONCURRENCY:
        causes.append(unsupported("spec.concurrencyPolicy", spec["concurrencyPolicy"], _CONCURRENCY))
    return causes + _validate_job_spec(spec["jobTemplate"]["spec"], "spec.jobTemplate.spec")


def _label_job(job: Object) -> None:
    """A job without labels shows those of its pods."""
    labels = job["spec"]["template"]["metadata"].get("labels")
    if labels and not job["metadata"].get("labels"):
        job["metadata"]["labels"] = dict(labels)


JOB = Strategy(_default_job, _prepare_job, _validate_job, _job_kept, finish=_label_job)
CRONJOB = Strategy(_default_cronjob, validate=_validate_cronjob)
