"""Which strategy belongs to which resource key."""

from sandbox.kubernetes.resources import Resource
from sandbox.kubernetes.strategy.base import DEFAULT, Strategy

_STRATEGIES: dict[str, Strategy] = {}


def strategy_for(resource: Resource) -> Strategy:
    """The strategy of a built-in or custom resource."""
    return _STRATEGIES.get(resource.key, DEFAULT)
