"""Patients who do what a clinic tests: transfers, timed tests, balance, stairs, freezing, falls; all with truth."""
