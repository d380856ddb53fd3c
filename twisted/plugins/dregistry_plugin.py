"""What dregistry adds to twistd: the ``dregistry`` command, and the backends that ship with it."""

from twisted.application.service import ServiceMaker

from dregistry.auth.factories import HtpasswdFactory, MtlsFactory, SillyFactory, TokenFactory, TokenServerFactory
from dregistry.notifications.factories import LogFactory, WebhookFactory
from dregistry.storage.factories import FilesystemFactory, MemoryFactory
from dregistry.storage.middleware.factories import RedirectFactory, RewriteFactory

command = ServiceMaker("dregistry", "dregistry.service", "A container registry.", "dregistry")
filesystem = FilesystemFactory()
inmemory = MemoryFactory()
redirect = RedirectFactory()
rewrite = RewriteFactory()
webhook = WebhookFactory()
log = LogFactory()
silly = SillyFactory()
htpasswd = HtpasswdFactory()
token = TokenFactory()
tokenserver = TokenServerFactory()
mtls = MtlsFactory()
