"""``python -m dregistry.cli``: the command, where its script may not be on the path."""

import sys

from . import main

sys.exit(main())
