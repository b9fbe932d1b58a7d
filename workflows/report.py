"""What an uninstall leaves behind to be read: the snapshot, what was left alone and why, and the proof."""

from typing import Any

from workflows.facts import Facts


def report_of(facts: Facts) -> dict[str, Any]:
    """{final_snapshot: {id, arn} or null, left: [{arn, why}], proof: {checked_at, services, leftovers, retained}}"""
    return {
        "final_snapshot": facts.get("final_snapshot"),
        "left": facts.get("left", []),
        "proof": facts.get("proof", {}),
    }
