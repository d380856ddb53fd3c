"""Access control."""

from ._interfaces import Access, IAccessController, Identity

__all__ = ["Access", "IAccessController", "Identity"]
