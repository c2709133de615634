"""Contec CMS50D-BT: a finger clip for consumers with a protocol of its maker."""
