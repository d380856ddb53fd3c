"""Tests of :mod:`dregistry.config`."""
