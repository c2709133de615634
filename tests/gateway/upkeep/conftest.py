"""Every sum is right after each test."""

from __future__ import annotations

from tests.gateway.history.summing import every_sum_is_right

__all__ = ["every_sum_is_right"]
