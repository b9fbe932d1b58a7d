"""The controllers of the sandbox's Kubernetes: kube-controller-manager, kube-scheduler and AWS's cloud controller."""

import asyncio
from typing import TYPE_CHECKING

from sandbox.kubernetes.controllers.budgets import Budgets
from sandbox.kubernetes.controllers.claims import Claims
from sandbox.kubernetes.controllers.daemonsets import DaemonSets
from sandbox.kubernetes.controllers.deployments import Deployments
from sandbox.kubernetes.controllers.endpoints import EndpointsController
from sandbox.kubernetes.controllers.garbage import GarbageCollector
from sandbox.kubernetes.controllers.jobs import Jobs
from sandbox.kubernetes.controllers.load_balancers import LoadBalancers
from sandbox.kubernetes.controllers.namespaces import Namespaces
from sandbox.kubernetes.controllers.nodes import Nodes
from sandbox.kubernetes.controllers.replicasets import ReplicaSets
from sandbox.kubernetes.controllers.runtime import Reconciler, Worker, dispatch
from sandbox.kubernetes.controllers.scheduler import Scheduler
from sandbox.kubernetes.controllers.service_accounts import ServiceAccounts
from sandbox.kubernetes.controllers.statefulsets import StatefulSets

if TYPE_CHECKING:
    from sandbox.kubernetes.settings import Settings
    from sandbox.kubernetes.store import Store


def controllers(store: "Store", settings: "Settings") -> list[Reconciler]:
    """One of each."""
    return [
        Namespaces(store),
        ServiceAccounts(store, settings.directory / "ca.crt"),
        GarbageCollector(store),
        Deployments(store),
        ReplicaSets(store),
        DaemonSets(store),
        StatefulSets(store),
        Jobs(store, settings.speed),
        Scheduler(store),
        EndpointsController(store),
        Claims(store),
        Budgets(store),
        Nodes(store),
        LoadBalancers(store, settings),
    ]


def start(store: "Store", settings: "Settings") -> list[asyncio.Task[None]]:
    """Start every controller on the running event loop; cancel the tasks to stop them."""
    return run(store, controllers(store, settings))


def run(store: "Store", chosen: list[Reconciler]) -> list[asyncio.Task[None]]:
    """Start these controllers, and the dispatcher that feeds them."""
    workers = [Worker(controller) for controller in chosen]
    tasks = [asyncio.create_task(worker.run(), name=type(worker.controller).__name__) for worker in workers]
    return [asyncio.create_task(dispatch(store, workers), name="dispatcher"), *tasks]
