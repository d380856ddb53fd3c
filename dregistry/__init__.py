"""dregistry: a container registry served by Twisted."""

__version__ = "0.1.0.dev0"
