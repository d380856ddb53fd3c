"""The descriptor cache that processes and replicas share: a Redis. Imported when the configuration names one."""
