"""The backends that ship with dregistry."""

from dregistry.auth.factories import HtpasswdFactory, MtlsFactory, SillyFactory, TokenFactory, TokenServerFactory
from dregistry.notifications.factories import LogFactory, WebhookFactory
from dregistry.storage.factories import FilesystemFactory, MemoryFactory, S3Factory
from dregistry.storage.middleware.factories import RedirectFactory, RewriteFactory

filesystem = FilesystemFactory()
inmemory = MemoryFactory()
s3 = S3Factory("s3")
s3aws = S3Factory("s3aws")
redirect = RedirectFactory()
rewrite = RewriteFactory()
webhook = WebhookFactory()
log = LogFactory()
silly = SillyFactory()
htpasswd = HtpasswdFactory()
token = TokenFactory()
tokenserver = TokenServerFactory()
mtls = MtlsFactory()
