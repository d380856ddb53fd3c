"""What dregistry adds to twistd: the ``dregistry`` command, and the storage drivers that ship with it."""

from twisted.application.service import ServiceMaker

from dregistry.storage.factories import FilesystemFactory, MemoryFactory

command = ServiceMaker("dregistry", "dregistry.service", "A container registry.", "dregistry")
filesystem = FilesystemFactory()
inmemory = MemoryFactory()
