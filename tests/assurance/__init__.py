"""The pages of docs/assurance: what is data is made into pages here, and what they name is looked up.

``python -m tests.assurance`` (``make docs``) writes the pages that are made. It stands among the tests because it knows
them by name: no claim on a page may rest on a test that there is not.
"""
