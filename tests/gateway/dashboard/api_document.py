"""What checks an answer of the API against its document."""

from __future__ import annotations

from functools import cache
from typing import Any

from jsonschema import Draft202012Validator

from gateway.dashboard.openapi import document
from gateway.dashboard.versions import versioned

MADE = document()


@cache
def said(method: str, route: str, status: int = 200) -> Draft202012Validator:
    """Return what checks the answer of a plain route with a status."""
    (content,) = _operation(method, route)["responses"][str(status)]["content"].values()
    return _checker(content["schema"])


@cache
def taken(method: str, route: str) -> Draft202012Validator:
    """Return what checks the body of a request."""
    (content,) = _operation(method, route)["requestBody"]["content"].values()
    return _checker(content["schema"])


def _operation(method: str, route: str) -> dict[str, Any]:
    found: dict[str, Any] = MADE["paths"][versioned(route.partition("?")[0])][method.lower()]
    return found


def _checker(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": MADE["components"]})
