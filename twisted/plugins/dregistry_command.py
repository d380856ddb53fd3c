"""The command that dregistry adds to twistd. It is apart from the backends, so that twistd need not import those."""

from twisted.application.service import ServiceMaker

command = ServiceMaker("dregistry", "dregistry.service", "A container registry.", "dregistry")
