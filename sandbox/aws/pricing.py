"""Price List: a small labelled table, on-demand prices in us-west-2 in 2026, US dollars per hour.

Gap: moto answers nothing here (AWS Price List API Reference, GetProducts). Only what an install pays for is in it.
"""

import json
from typing import Any

from sandbox.aws.errors import Answer, json_answer, not_implemented
from sandbox.aws.requests import Call

TABLE: list[tuple[str, dict[str, str], float]] = [
    ("AmazonEKS", {"operation": "CreateOperation", "tiertype": "HAStandard"}, 0.10),
    ("AmazonEKS", {"operation": "ExtendedSupport", "tiertype": "HAExtendedSupport"}, 0.60),
    ("AmazonEC2", {"instanceType": "t3.medium", "operatingSystem": "Linux"}, 0.0416),
    ("AmazonEC2", {"instanceType": "t3.large", "operatingSystem": "Linux"}, 0.0832),
    ("AmazonEC2", {"instanceType": "m6i.large", "operatingSystem": "Linux"}, 0.096),
    ("AmazonEC2", {"productFamily": "NAT Gateway", "group": "NGW:NatGateway"}, 0.045),
    ("AWSELB", {"productFamily": "Load Balancer", "operation": "LoadBalancing"}, 0.025),
    ("AmazonRDS", {"instanceType": "db.t4g.micro", "databaseEngine": "PostgreSQL"}, 0.016),
    ("AmazonRDS", {"instanceType": "db.t4g.small", "databaseEngine": "PostgreSQL"}, 0.032),
    ("AmazonRDS", {"instanceType": "db.t4g.medium", "databaseEngine": "PostgreSQL"}, 0.065),
]
ANY = {"location", "regionCode", "tenancy", "capacitystatus", "preInstalledSw", "deploymentOption", "usagetype"}
"""Filters that every row of the table fits."""


def answer(call: Call) -> Answer:
    """GetProducts; raises AwsError for other operations."""
    if call.operation != "GetProducts":
        raise not_implemented("pricing", call.operation)
    filters = {item["Field"]: item["Value"] for item in call.params.get("Filters", []) if item["Field"] not in ANY}
    products = [
        json.dumps(_product(service, attributes, price))
        for service, attributes, price in TABLE
        if service == call.params.get("ServiceCode") and filters.items() <= attributes.items()
    ]
    return json_answer({"FormatVersion": "aws_v1", "PriceList": products}, content_type="application/x-amz-json-1.1")


def _product(service: str, attributes: dict[str, str], price: float) -> dict[str, Any]:
    dimension = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}, "description": f"${price} per hour"}
    return {
        "serviceCode": service,
        "product": {"attributes": attributes},
        "terms": {"OnDemand": {"sandbox": {"priceDimensions": {"sandbox": dimension}}}},
    }
